"""CSV and TSV: a check as one row for each gradient or section, a pass as its main array, a sweep as its points."""

from __future__ import annotations

import csv
import io
from typing import Any

from bncheck.render import Look, Result
from bncheck.report import GradientResult, PassReport, Report
from bncheck.writing import delimited

_HEADER = (
    *("gradient", "shape", "max_rel_error", "max_abs_error", "error_bar"),
    *("worst_index", "worst_analytic", "worst_numeric", "worst_allowed", "verdict"),
    *("power_caught", "power_known", "blind_to", "smallest_error", "batch"),
)


def render_csv(result: Result, look: Look) -> str:
    return _render(result, ",")


def render_tsv(result: Result, look: Look) -> str:
    return _render(result, "\t")


def _render(result: Result, delimiter: str) -> str:
    if isinstance(result, PassReport):
        name = next(iter(result.arrays))
        array = result.arrays[name]
        columns = result.columns if array.ndim == 2 and len(result.columns) == array.shape[1] else ()
        return delimited(array, columns, delimiter)
    if isinstance(result, Report):
        return _sections(result, delimiter) if result.sections else _gradients(result, delimiter)
    if hasattr(result, "cells"):
        return _rows([cell.to_dict() for cell in result.cells], delimiter)
    if hasattr(result, "costs"):
        return _rows([cost.to_dict() for cost in result.costs], delimiter)
    assert hasattr(result, "panels")
    return _points(result, delimiter)


def _gradients(result: Report, delimiter: str) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(_row("given", g) for g in result.gradients)
    writer.writerows(_row("probe", g) for probe in result.probes for g in probe.gradients)
    return file.getvalue()


def _row(batch: str, g: GradientResult) -> tuple[object, ...]:
    worst, power = g.worst, g.power
    return (
        *(g.name, "x".join(map(str, g.shape)), g.max_rel_error, g.max_abs_error, g.error_bar),
        *(" ".join(map(str, worst.index)), worst.analytic, worst.numeric, worst.error_bar + worst.rounding),
        g.verdict.value,
        *(power.caught, power.known, " ".join(blind.code for blind in power.blind_to), power.smallest_error),
        batch,
    )


def _sections(report: Report, delimiter: str) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(("implementation", "section", "verdict", "codes", "said"))
    for section in report.sections:
        row = (report.implementation, section.name, section.verdict.value, " ".join(section.codes), section.said)
        writer.writerow(row)
    return file.getvalue()


def _rows(rows: list[dict[str, Any]], delimiter: str) -> str:
    """A row for each cell of a grid, or for each check that was timed."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: " ".join(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows)
    return file.getvalue()


def _points(result: Any, delimiter: str) -> str:
    """What was swept, what bncheck chose, and the habit, all in the same columns."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow(("gradient", "dtype", "method", "what", "step", "error", "error_bar", "column"))
    for panel in result.panels:
        for curve in panel.curves:
            own, which = curve.own, (panel.quantity, panel.dtype, curve.method)
            swept = zip(result.steps, curve.errors, strict=True)
            writer.writerows((*which, "swept", step, error, "", "") for step, error in swept)
            writer.writerow((*which, "chosen", own.step, own.error, own.error_bar, ""))
    for a in result.absolute:
        writer.writerow(("dx", a.dtype, a.method, f"absolute {a.step:g}", a.relative, a.error, "", a.column))
    return file.getvalue()
