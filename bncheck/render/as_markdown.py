"""Markdown, for a pull request or a lab report."""

from __future__ import annotations

import re

from bncheck.render import Look, Result
from bncheck.render.document import Block, Code, Found, Table, document

# <stdin> is no HTML tag.  An asterisk between blanks and an underscore within a word are literal already.
_MARKUP = re.compile(r"[\\`<]|\*(?=\S)|(?<=\S)\*|(?<![^\W_])_|_(?![^\W_])")


def render(result: Result, look: Look) -> str:
    content = document(result, look.verbose)
    return "\n\n".join([f"**{_literal(content.heading)}**", *map(_block, content.blocks)]) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _pipes(block)
    if isinstance(block, (str, Found)):
        return _literal(str(block))
    if isinstance(block, Code):
        return f"{block.label}\n\n```python\n{block.lines}\n```"
    from bncheck.render import chart

    return "\n".join(["```text", *chart.lines(block), "```"])


def _pipes(table: Table) -> str:
    rule = tuple(":---" if j in table.words else "---:" for j in range(len(table.header)))
    lines = [_line(table.header), _line(rule), *(_line(row, table.letters) for row in table.rows)]
    return "\n".join([*lines, "", _literal(table.note)] if table.note else lines)


def _line(cells: tuple[str, ...], letters: tuple[int, ...] = ()) -> str:
    shown = (f"`{cell}`" if j in letters else _literal(cell) for j, cell in enumerate(cells))
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in shown)} |"


def _literal(text: str) -> str:
    """With a backslash before what would be read as an HTML tag, as code, or as emphasis."""
    return _MARKUP.sub(r"\\\g<0>", text)
