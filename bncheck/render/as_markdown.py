"""Markdown, for a pull request or a lab report."""

from __future__ import annotations

from bncheck.render import Look
from bncheck.render.document import Table, document
from bncheck.report import PassReport, Report


def render(result: Report | PassReport, look: Look) -> str:
    content = document(result, look.verbose)
    blocks = [f"**{content.heading}**", *map(_pipes, content.tables), *content.paragraphs]
    return "\n\n".join(blocks) + "\n"


def _pipes(table: Table) -> str:
    rule = (":---", *("---:" for _ in table.header[1:]))
    lines = [_line(table.header), _line(rule), *map(_line, table.rows)]
    return "\n".join([*lines, "", table.note] if table.note else lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
