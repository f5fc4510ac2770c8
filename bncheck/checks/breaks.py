"""Which part of a grid a mistake shows in, in few words: the smallest box around its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from bncheck.findings.catalogue import CATALOGUE
from bncheck.grid import Break, Cell, CellResult, Grid, State

_BY_RATIO = "|mean|/std"
# In the order in which they are left out, where the box holds no more of the others without them.
_FEATURES: dict[str, Callable[[Cell], Any]] = {
    "gamma": lambda cell: cell.gamma,
    "dout": lambda cell: cell.dout,
    "D": lambda cell: cell.d,
    "|mean|": lambda cell: abs(cell.offset),
    "std": lambda cell: cell.scale,
    _BY_RATIO: lambda cell: cell.ratio,
    "N": lambda cell: cell.n,
}
_UNKNOWN = ("BN109", "BN110", "BN205")  # these no gradient that is blind could have shown


class Condition(NamedTuple):
    """One face of the box: a feature is at least, at most, or one of certain values."""

    feature: str
    relation: str
    values: tuple[Any, ...]

    def holds(self, cell: Cell) -> bool:
        value = _FEATURES[self.feature](cell)
        if self.relation == "is":
            return value in self.values
        return bool(value >= self.values[0] if self.relation == ">=" else value <= self.values[0])

    def __str__(self) -> str:
        if self.relation == "is":
            return f"{self.feature} is {' or '.join(self.values)}"
        return f"{self.feature} {self.relation} {self.values[0]:g}"


def breaks(grid: Grid, results: Iterable[CellResult]) -> tuple[Break, ...]:
    """For each code where it shows; those that show everywhere first, then by the number of their cells."""
    every = list(results)
    codes = dict.fromkeys(code for result in every for code in result.codes)
    found = [_broken(grid, code, every) for code in codes]
    return tuple(sorted(found, key=lambda each: (bool(each.where), -each.cells, each.code)))


def _broken(grid: Grid, code: str, results: list[CellResult]) -> Break:
    inside = [result for result in results if code in result.codes]
    others = [result.cell for result in results if code not in result.codes and _could_show(result, code)]
    entry = CATALOGUE[code]
    where = _where(grid, [result.cell for result in inside], others) if others else ""
    return Break(code, entry.title, entry.hint, where, len(inside), inside[0].said)


def _could_show(result: CellResult, code: str) -> bool:
    """Whether the cell would have shown the mistake, so that its silence speaks."""
    if code in result.unseen or result.state in (State.BEYOND, State.RAISED, State.KILLED):
        return False
    return result.state is not State.BLIND or code not in _UNKNOWN


class _Box(NamedTuple):
    """The part of the grid that holds all cells that show a mistake, and the part of it in which all cells do."""

    words: str
    sure: str = ""
    """Empty where there is none, or where the two are one."""
    exact: bool = True


def _where(grid: Grid, inside: list[Cell], others: list[Cell]) -> str:
    """Dtype by dtype, since each has digits of its own; those with the same box are told together."""
    boxes: dict[_Box, list[tuple[str, int, int]]] = {}
    for dtype in grid.dtype:
        cells = [cell for cell in inside if cell.dtype == dtype]
        if cells:
            box, some, of = _box(cells, [cell for cell in others if cell.dtype == dtype])
            boxes.setdefault(box, []).append((dtype, some, of))
    shown = {cell.dtype for cell in [*inside, *others]}
    return "; ".join(_said(box, found, shown) for box, found in boxes.items())


def _said(box: _Box, found: list[tuple[str, int, int]], shown: set[str]) -> str:
    dtypes = [dtype for dtype, _, _ in found]
    some, of = (sum(counts) for counts in list(zip(*found, strict=True))[1:])
    words = box.words
    if box.sure:
        words = f"{box.sure}, and in {some} of the {of} other cells {words}".rstrip()
    elif not box.exact:
        words = f"in {some} of the {of} cells {words}".rstrip()
    everywhere = set(dtypes) == shown and words
    return words if everywhere else " ".join(filter(None, (f"in {' and '.join(dtypes)}", words)))


def _box(inside: list[Cell], others: list[Cell]) -> tuple[_Box, int, int]:
    """With the number of cells that show it where not all do, and of all that there are."""
    conditions = list(_hull(inside, [*inside, *others]))
    caught = _caught(conditions, others)
    for condition in list(conditions):
        fewer = [each for each in conditions if each is not condition]
        if _caught(fewer, others) == caught:
            conditions = fewer
    sure = _surer(conditions, inside, others) if caught else None
    rest = len(inside) - (_caught(sure, inside) if sure else 0)
    return _Box(_words(conditions), _words(sure or []), not caught), rest, rest + caught


def _words(conditions: list[Condition]) -> str:
    return f"where {' and '.join(map(str, conditions))}" if conditions else ""


def _surer(conditions: list[Condition], inside: list[Cell], others: list[Cell]) -> list[Condition] | None:
    """The same box from where on it always shows, along the feature that thresholds are mostly of."""
    for threshold in sorted({cell.ratio for cell in inside}):
        sure = [each for each in conditions if each[:2] != (_BY_RATIO, ">=")]
        sure.append(Condition(_BY_RATIO, ">=", (threshold,)))
        if not _caught(sure, others):
            return sure
    return None


def _hull(inside: list[Cell], every: list[Cell]) -> Iterator[Condition]:
    for name, of in _FEATURES.items():
        here, there = {of(cell) for cell in inside}, {of(cell) for cell in every}
        if here == there:
            continue
        if isinstance(next(iter(here)), str):
            yield Condition(name, "is", tuple(sorted(here)))
            continue
        if min(here) > min(there):
            yield Condition(name, ">=", (min(here),))
        if max(here) < max(there):
            yield Condition(name, "<=", (max(here),))


def _caught(conditions: list[Condition], others: list[Cell]) -> int:
    return sum(all(condition.holds(cell) for condition in conditions) for cell in others)
