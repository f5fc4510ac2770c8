"""What a grid of batches showed, as a map: a letter for each cell, and sentences about where a layer breaks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from bncheck.grid import Break, Cell, CellResult, State, StressReport
from bncheck.render.document import Block, Document, Table, conjunction, told

_LETTERS = {
    "pass": (".", "pass"),
    "fail": ("F", "something is wrong"),
    "blind": ("b", "blind"),
    "raised": ("R", "the layer raised"),
    "killed": ("K", "the layer ended its process"),
    "beyond": ("-", "more than the dtype can hold"),
}
_ROWS = ("dtype", "scale", "offset")  # one row of the map for each of their combinations
_INSIDE = ("dout", "gamma")  # within a column of the map
_WIDTH, _GAP = 80, 3  # as a terminal has it, where a table takes so many characters between columns


def document(report: StressReport, verbose: bool = False) -> Document:
    blocks: list[Block] = [*_panels(report), _legend(report)]
    blocks += [told(finding) for finding in report.findings]
    blocks += [_told(report, each, verbose) for each in report.breaks]
    blocks.append(_summary(report))
    return Document(_heading(report), tuple(blocks))


def _heading(report: StressReport) -> str:
    asked = report.settings
    cells = _count(len(report.cells), "cell")
    return f"{report.implementation}, {asked['mode']} mode, eps {asked['eps']:g}, {cells} from seed {asked['seed']}"


# ---- the map ----


def _panels(report: StressReport) -> Iterator[Table]:
    """As many columns side by side as fit, the others below."""
    state = {result.cell: result.state for result in report.cells}
    rows = list(itertools.product(*(report.grid.axes[name] for name in _ROWS)))
    labels = [tuple(_label(value) for value in row) for row in rows]
    columns = list(itertools.product(report.grid.n, report.grid.d))
    names = [f"{n}x{d}" for n, d in columns]
    letters = len(report.grid.dout) * len(report.grid.gamma)
    for part in _fitting([max(len(name), letters) for name in names], labels):
        yield Table(
            (*_ROWS, *names[part]),
            tuple(
                (*label, *(_row(report, state, row, column) for column in columns[part]))
                for row, label in zip(rows, _sparse(labels), strict=True)
            ),
            words=(0, *range(len(_ROWS), len(_ROWS) + len(names[part]))),
            letters=tuple(range(len(_ROWS), len(_ROWS) + len(names[part]))),
            caption="What became of each batch of the grid",
        )


def _row(report: StressReport, state: dict[Cell, State], row: tuple[Any, ...], column: tuple[int, int]) -> str:
    inside = itertools.product(*(report.grid.axes[name] for name in _INSIDE))
    return "".join(_LETTERS[state[Cell(*(*row, *column, *each))]][0] for each in inside)


def _fitting(widths: list[int], labels: list[tuple[str, ...]]) -> Iterator[slice]:
    taken = sum(max(map(len, column)) + _GAP for column in zip(_ROWS, *labels, strict=True))
    start, room = 0, _WIDTH - taken
    for k, width in enumerate(widths):
        room -= width + _GAP
        if room < -1 and k > start:
            yield slice(start, k)
            start, room = k, _WIDTH - taken - width - _GAP
    yield slice(start, len(widths))


def _sparse(labels: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """A label is not repeated below itself."""
    above: tuple[str, ...] = ()
    for label in labels:
        same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(label, above, strict=False))))
        yield ("",) * same + label[same:]
        above = label


def _label(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _legend(report: StressReport) -> str:
    there = {result.state for result in report.cells}
    letters = ", ".join(f"{letter} {said}" for name, (letter, said) in _LETTERS.items() if name in there)
    inside = [f"{name} {conjunction(list(report.grid.axes[name]))}" for name in _INSIDE]
    several = any(len(report.grid.axes[name]) > 1 for name in _INSIDE)
    order = "in this order, the last changing fastest" if several else "throughout"
    return f"{letters}. A column is NxD; in it stand {', '.join(inside)}, {order}."


# ---- what it says ----


def _told(report: StressReport, each: Break, verbose: bool) -> str:
    first = next(result for result in report.cells if each.code in result.codes)
    where = each.where or "in every cell that could show it"
    example = f" First seen in {_place(first)}." if verbose else ""
    said = f" There {each.said}." if verbose and each.said else ""
    return f"breaks {where}: {each.code} {each.title} ({_count(each.cells, 'cell')}). Mend: {each.hint}.{example}{said}"


def _place(result: CellResult) -> str:
    cell = result.cell
    return (
        f"{cell.dtype}, scale {cell.scale:g}, offset {cell.offset:g}, (N, D) = ({cell.n}, {cell.d}), "
        f"dout {cell.dout}, gamma {cell.gamma}"
    )


def _summary(report: StressReport) -> str:
    words = {
        "pass": "pass",
        "fail": "show something wrong",
        "blind": "could have shown nothing",
        "raised": "made the layer raise",
        "killed": "ended its process",
        "beyond": "are more than their dtype can hold",
    }
    counted = [f"{count} {words[state]}" for state, count in report.counts.items() if count]
    return f"{report.verdict.value}: of {_count(len(report.cells), 'cell')} {conjunction(counted)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
