"""A chart in characters: decades against decades, a letter for each curve, nothing that a pipe could not carry."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import NamedTuple

SEVERAL, GUIDE = "*", "."
_ROWS, _WIDTH = 18, 80
_TOP = 1
_BEYOND = 2
_MARGIN = 9  # the labels of the vertical axis, and the axis


class Series(NamedTuple):
    mark: str
    name: str
    points: tuple[tuple[float, float], ...]
    """(x, y), positive; a y that is zero lies on the floor, and one that is infinite nowhere."""


class Chart(NamedTuple):
    title: str
    series: tuple[Series, ...]
    guide: Series
    """Drawn where there is room."""
    pointers: tuple[tuple[str, float], ...]
    """(a letter, x), below the axis."""
    notes: tuple[str, ...]
    """What the letters below the axis mean."""


def lines(chart: Chart, width: int = _WIDTH) -> list[str]:
    """At most ``width`` characters each, and never more than 80: a curve is one line to the eye."""
    width = min(width, _WIDTH)
    frame = _Frame.around(chart, width - _MARGIN - _BEYOND)
    cells = {}
    for x, y in chart.guide.points:
        if (place := frame.cell(x, y)) and frame.inside(y):
            cells[place] = GUIDE
    drawn: dict[tuple[int, int], str] = {}
    for series in chart.series:
        for x, y in series.points:
            if place := frame.cell(x, y):
                drawn[place] = series.mark if drawn.get(place, series.mark) == series.mark else SEVERAL
    cells |= drawn
    body = [
        f"{frame.label(row):>7} |{''.join(cells.get((row, column), ' ') for column in range(frame.width))}".rstrip()
        for row in range(frame.height)
    ]
    return [chart.title, *body, *_axis(chart, frame), *_legend(chart, width)]


class _Frame(NamedTuple):
    """Where in the grid a point lies; rows are counted from the top."""

    left: int
    right: int
    floor: int
    top: int
    """Decades."""
    width: int
    each: int
    """Rows for a decade."""

    @classmethod
    def around(cls, chart: Chart, room: int) -> _Frame:
        xs = [x for s in chart.series for x, _ in s.points]
        ys = [y for s in chart.series for _, y in s.points if 0 < y < math.inf] or [1.0]
        left, right = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
        floor, top = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
        # Nothing is left of what is off by more than itself.
        top = max(min(top, _TOP), floor + 1)
        decades = right - left
        columns = max((room - 1) // decades, 1) * decades + 1
        return cls(left, right, floor, top, columns, max(1, _ROWS // (top - floor)))

    @property
    def height(self) -> int:
        return (self.top - self.floor) * self.each + 1

    def column(self, x: float) -> int:
        return round((math.log10(x) - self.left) / (self.right - self.left) * (self.width - 1))

    def inside(self, y: float) -> bool:
        return 10.0**self.floor <= y <= 10.0**self.top

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        if not math.isfinite(y):
            return None
        row = round((self.top - math.log10(y)) * self.each) if y > 0 else self.height - 1
        return min(max(row, 0), self.height - 1), self.column(x)

    def label(self, row: int) -> str:
        decade, rest = divmod(row, self.each)
        return f"1e{self.top - decade:+03d}" if rest == 0 else ""


def _axis(chart: Chart, frame: _Frame) -> list[str]:
    rule, labels, pointers = ["-"] * frame.width, [" "] * (frame.width + _MARGIN), [" "] * (frame.width + _BEYOND)
    last = -1
    for decade in range(frame.left, frame.right + 1):
        column = frame.column(10.0**decade)
        rule[column] = "+"
        text = f"1e{decade:+03d}"
        start = column + _MARGIN - len(text) // 2
        # A label stands under its decade if it does not run into the last one or over the edge.
        if start > last + 1 and start + len(text) <= len(labels):
            labels[start : start + len(text)] = text
            last = start + len(text)
    for letter, x in chart.pointers:
        # What lies beyond the axis is pointed at from beside it.
        column = min(max(frame.column(x), 0), len(pointers) - 1)
        pointers[column] = letter if pointers[column] in (" ", letter) else SEVERAL
    below = [(" " * _MARGIN + "".join(pointers)).rstrip()] if chart.pointers else []
    return [" " * (_MARGIN - 1) + "+" + "".join(rule), *below, "".join(labels).rstrip()]


def _legend(chart: Chart, width: int) -> list[str]:
    """As many entries in a line as fit."""
    entries = [f"{s.mark} {s.name}" for s in chart.series]
    entries += [f"{SEVERAL} several"] * (len(chart.series) > 1) + [f"{GUIDE} {chart.guide.name}"]
    found = [" " * _MARGIN + entries[0]]
    for entry in entries[1:]:
        joined = f"{found[-1]}  {entry}"
        if len(joined) <= width:
            found[-1] = joined
        else:
            found.append(" " * _MARGIN + entry)
    for note in chart.notes:
        found += wrap(note, width, initial_indent=" " * _MARGIN, subsequent_indent=" " * (_MARGIN + 2))
    return found
