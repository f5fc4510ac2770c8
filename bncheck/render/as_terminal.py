"""The same on a terminal, by rich: colour beside the words, never instead of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from bncheck.render import Look, Result
from bncheck.render.document import Block, Code, Found, Table, document
from bncheck.vocabulary import Verdict

if TYPE_CHECKING:
    from bncheck.render.chart import Chart

_LONG = 20  # longer names, which are those of columns, may be folded
_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.BLIND: "bold yellow"}
# Apart for the colour-blind as well, on light and on dark, and never alone: the letters differ.
_COLOURS = ("yellow", "blue", "green", "magenta", "cyan")
_LETTERS = {".": "green", "F": "bold red", "b": "yellow", "R": "bold magenta", "K": "bold magenta", "-": "dim"}

_SENTENCE = 30  # characters of words in a line that still read well


def render(result: Result, look: Look) -> str:
    content = document(result, look.verbose)
    console = Console(file=io.StringIO(), force_terminal=True, width=look.width, highlight=False)
    console.print(Text(content.heading, style="bold"))
    if not isinstance(content.blocks[0], Table):
        console.print()  # a table brings its own
    for block in content.blocks:
        console.print(_block(block, look.width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _block(block: Block, width: int) -> RenderableType:
    if isinstance(block, Table):
        widths = _fitting(block, width)
        return _grid(block, widths) if widths else Padding(_stack(block), (1, 0, 1, 0))
    if isinstance(block, Code):
        return Group(Text(block.label), Padding(Text(block.lines, style="cyan"), (1, 0, 1, 4)))
    if isinstance(block, (str, Found)):
        return Padding(_styled(str(block)), (0, 0, 1, 0))
    return _drawn(block, width)


def _drawn(chart: Chart, width: int) -> RenderableType:
    """Each curve's letter in a colour of its own; what is no letter of a curve stays as it is."""
    from bncheck.render.chart import GUIDE, lines

    colours = dict(zip([s.mark for s in chart.series], _COLOURS, strict=False)) | {GUIDE: "dim"}
    title, *body = lines(chart, width)
    drawing = Text(f"{title}\n", style="bold")
    for line in body:
        frame, bar, cells = line.partition("|")
        drawing.append(frame + bar, style="not bold")
        for cell in cells:
            drawing.append(cell, style=f"not bold {colours.get(cell, '')}")
        drawing.append("\n")
    drawing.no_wrap = True
    return drawing


def _fitting(table: Table, width: int) -> list[int] | None:
    """The widths of the columns, if need be with long names folded, but with every number whole; or None."""
    first, *others = zip(table.header, *table.rows, strict=True)
    for longest in (width, _LONG):
        labels = min(max(map(len, first)), longest)
        widths = [labels, *(max([min(len(name), longest), *map(len, cells)]) for name, *cells in others)]
        # The box and its padding take three characters a column, but for one.
        room = width - (3 * len(widths) - 1)
        if len(widths) - 1 in table.words and sum(widths) > room:
            # A sentence takes what the other columns leave, and is folded between words.
            widths[-1] = max(room - sum(widths[:-1]), _SENTENCE)
        if sum(widths) <= room:
            return widths
    return None


def _grid(table: Table, widths: list[int]) -> Grid:
    # Text, not str: rich would read dx[n, d] as markup and drop it.  The widths are ours: its own may cut a cell.
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, caption=table.note or None, caption_justify="left")
    for j, (name, width) in enumerate(zip(table.header, widths, strict=True)):
        grid.add_column(Text(name), justify="left" if j in table.words else "right", overflow="fold", width=width)
    for row in table.rows:
        grid.add_row(*(_lettered(cell) if j in table.letters else _styled(cell) for j, cell in enumerate(row)))
    return grid


def _stack(table: Table) -> Grid:
    """For narrow terminals: a line for each cell, its header beside it."""
    grid = Grid(box=None, show_header=False, pad_edge=False, caption=table.note or None, caption_justify="left")
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for i, row in enumerate(table.rows):
        if i:
            grid.add_row()
        for name, cell in zip(table.header, row, strict=True):
            grid.add_row(Text(name), _styled(cell))
    return grid


def _styled(text: str) -> Text:
    """A text that begins with a verdict is coloured by it."""
    word = text.split(":", 1)[0]
    return Text(text, style=_STYLES[Verdict(word)] if word in set(Verdict) else "")


def _lettered(text: str) -> Text:
    """Each letter in the colour of what it stands for."""
    return Text.assemble(*((letter, _LETTERS.get(letter, "")) for letter in text))
