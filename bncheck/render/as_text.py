"""Plain text for pipes and files: aligned, without colour, never wrapped or cut."""

from __future__ import annotations

from textwrap import indent

from bncheck.render import Look, Result
from bncheck.render.document import Block, Code, Found, Table, document


def render(result: Result, look: Look) -> str:
    content = document(result, look.verbose)
    return "\n\n".join([content.heading, *map(_block, content.blocks)]) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _aligned(block)
    if isinstance(block, (str, Found)):
        return str(block)
    if isinstance(block, Code):
        return f"{block.label}\n\n{indent(block.lines, '    ')}"
    from bncheck.render import chart

    return "\n".join(chart.lines(block))


def _aligned(table: Table) -> str:
    cells = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if j in table.words else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    lines = [line.rstrip() for line in lines]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, f"({table.note})"] if table.note else lines)
