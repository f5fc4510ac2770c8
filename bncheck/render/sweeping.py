"""What a sweep says, before anyone decides how it looks."""

from __future__ import annotations

import math

from bncheck.curves import Absolute, Curve, Panel, SweepReport
from bncheck.render.chart import Chart, Series
from bncheck.render.document import Block, Document, Table, conjunction, heading, number

MARKS = {"forward": "f", "central": "c", "five-point": "v", "richardson": "r", "complex": "i"}
_PLACES = {"narrowest": "n", "widest": "w"}


def document(result: SweepReport, _verbose: bool = False) -> Document:
    blocks: list[Block] = []
    for panel in result.panels:
        blocks += [_chart(result, panel), _table(panel)]
    blocks += [_habit(each) for each in result.absolute]
    blocks += [_meaning(result), *_extent(result), *result.notes]
    blocks.append(f"{result.forward_passes:g} forward passes, {result.seconds:.2g} s")
    return Document(heading(result), tuple(blocks))


def _chart(result: SweepReport, panel: Panel) -> Chart:
    series = tuple(
        Series(MARKS[c.method], c.method, tuple(zip(result.steps, c.errors, strict=True))) for c in panel.curves
    )
    guide = Series("", "rounding, u/h", tuple((h, panel.rounding / h) for h in result.steps))
    tried = [a for a in result.absolute if a.dtype == panel.dtype] if panel.quantity == "dx" else []
    pointers = [(_PLACES[a.place], a.relative) for a in tried]
    notes = [f"n w: a step of {tried[0].step:g} in the narrowest and in the widest column"] if tried else []
    for curve in panel.curves:
        if curve.method == "central":
            pointers.insert(0, ("^", curve.own.step))
            notes.insert(0, "^  : the step that bncheck chooses for central differences")
    title = f"{panel.quantity}, {panel.dtype}: relative error against relative step"
    return Chart(title, series, guide, tuple(pointers), tuple(notes))


def _table(panel: Panel) -> Table:
    header = ("method", "best h", "error", "slopes", "own h", "bar", "error")
    rows = tuple(_row(panel, curve) for curve in panel.curves)
    return Table(header, rows, caption=f"{panel.quantity}, {panel.dtype}: where the error is smallest")


def _row(panel: Panel, curve: Curve) -> tuple[str, ...]:
    own = curve.own
    order = f" h^{curve.order}" if curve.order > 1 else " h"
    best = (number(figure, 2) for figure in curve.best)
    chosen = (number(figure, 2) for figure in (own.step, own.error_bar, own.error))
    slopes = " ".join(_slope(slope) for slope in (curve.rounding_slope, curve.truncation_slope))
    return (curve.method + ("" if panel.linear else order), *best, slopes, *chosen)


def _slope(slope: float | None) -> str:
    return "    -" if slope is None else f"{slope:+5.2f}"


def _meaning(result: SweepReport) -> str:
    linear = list(dict.fromkeys(p.quantity for p in result.panels if p.linear))
    flat = f" Nothing is truncated in {conjunction(linear)}, for out is linear in what they move." if linear else ""
    return (
        "An error is the largest of any entry, against the closed form in extended precision, in units of the size of "
        "its terms before they cancel; a step h is in units of sqrt(var + eps) for dx, and of max(1, |gamma|, |beta|) "
        "for dgamma and dbeta. The slopes observed are those of the left arm, where rounding is divided by h and -1 is "
        "expected (less is seen where N is large and most rows round as before), and of the right arm, where the power "
        "of h beside the method is."
        f"{flat} Own is the step that bncheck chooses, with its error bar and the error that it bounds."
    )


def _habit(a: Absolute) -> str:
    where = (
        f"{a.dtype}: an absolute step of {a.step:g} is {number(a.relative, 2)} of sqrt(var + eps) in column "
        f"{a.column}, the {a.place} ({number(a.spread, 2)})"
    )
    if not math.isfinite(a.error):
        return f"{where}, and moves nothing there; bncheck's own step, {number(a.own.step, 2)}, is off by {_off(a)}."
    times = a.error / a.own.error if a.own.error else 1.0
    cost = f", {_times(times)} times less" if times >= 2 else ""
    return (
        f"{where}, and {a.method} differences are off by {number(a.error, 2)} there; with bncheck's own step, "
        f"{number(a.own.step, 2)}, they are off by {_off(a)}{cost}."
    )


def _off(a: Absolute) -> str:
    return number(a.own.error, 2)


def _times(factor: float) -> str:
    return f"{float(f'{factor:.2g}'):.0f}" if factor < 1e6 else number(factor, 2)


def _extent(result: SweepReport) -> list[str]:
    if (result.rows, result.columns) == (result.batch.n, result.batch.d):
        return []
    return [
        f"Measured in {result.rows} of {result.batch.n} rows and {result.columns} of {result.batch.d} columns, drawn "
        "by the seed; the narrowest and the widest column are among them."
    ]
