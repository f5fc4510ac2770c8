"""What a result says, before anyone decides how it looks: headings, tables of strings, sentences."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from bncheck.render import Result, blindness
from bncheck.report import Coverage, Finding, GradientResult, PassReport, Report
from bncheck.vocabulary import Severity, Verdict

if TYPE_CHECKING:
    from bncheck.curves import SweepReport
    from bncheck.render.chart import Chart
    from bncheck.tracing import TraceReport

# Five columns of six digits fit a terminal of 80 characters, whatever their exponents.
_ROWS, _COLUMNS, _STATISTICS = 6, 5, 12
_ROOMS = {
    "BenchReport": "costs",
    "Contents": "catalogue",
    "Explanation": "catalogue",
    "StressReport": "maps",
    "SweepReport": "sweeping",
    "TraceReport": "trace",
}


class Table(NamedTuple):
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    """What was left out, if anything."""
    words: tuple[int, ...] = (0,)
    """The columns that hold words and not numbers."""
    letters: tuple[int, ...] = ()
    """The columns that hold one letter for each of several outcomes."""
    caption: str = ""
    """What it is about, where that stands over a table."""


class Code(NamedTuple):
    """Lines of Python, and what is to be said of them."""

    label: str
    lines: str


class Found(NamedTuple):
    """A finding in words."""

    finding: Finding
    title: str
    evidence: str
    mend: str
    """Empty for a convention."""

    def __str__(self) -> str:
        return f"{self.title}: {self.evidence}{' ' * bool(self.mend)}{self.mend}"


Block: TypeAlias = "Table | Code | Found | Chart | str"
"""A string is a paragraph."""


class Document(NamedTuple):
    heading: str
    blocks: tuple[Block, ...]


def document(result: Result, verbose: bool = False) -> Document:
    if isinstance(result, Report):
        return _of_check(result, verbose)
    if isinstance(result, PassReport):
        return _of_arrays(result)
    # The others have rooms of their own, loaded where they are to be shown, and nowhere else.
    room = import_module(f"bncheck.render.{_ROOMS[type(result).__name__]}")
    made: Document = room.document(result, verbose)
    return made


def number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits - 1}e}" if value and math.isfinite(value) else f"{value:g}"


def value(x: Any) -> str:
    return f"{float(x):.6g}"


def place(index: tuple[int | None, ...]) -> str:
    return f"[{', '.join(':' if i is None else str(i) for i in index)}]"


def heading(result: Report | PassReport | SweepReport | TraceReport) -> str:
    batch = result.batch
    origin = f"generated from seed {batch.seed}" if batch.source == "generated" else f"from {batch.source}"
    return f"{result.implementation}, {result.mode} mode, {batch.dtype} batch ({batch.n}, {batch.d}) {origin}"


def _of_check(report: Report, verbose: bool) -> Document:
    blocks: list[Block] = [_sections(report)] if report.sections else []
    if report.gradients:
        blocks += [_errors(report), _worst(report)]
    blocks += [told(finding) for finding in report.findings]
    blocks += blindness.paragraphs(report)
    if report.coverage is not None and report.coverage.directions:
        blocks.append(_coverage(report.coverage))
    blocks.append(_summary(report))
    if verbose:
        blocks.append(", ".join(f"{k} {'auto' if v is None else v}" for k, v in report.settings.items()))
    return Document(heading(report), tuple(blocks))


def _sections(report: Report) -> Table:
    codes = {s.name: s.said for s in report.sections}
    rows = tuple((s.name.replace("_", " "), s.verdict.value, codes[s.name]) for s in report.sections)
    return Table(("section", "verdict", "what was seen"), rows, words=(0, 1, 2), caption="What was checked")


def _errors(report: Report) -> Table:
    return Table(
        ("gradient", "shape", "rel error", "abs error", "error bar", "power", "verdict"),
        tuple(
            (
                g.name,
                str(g.shape),
                number(g.max_rel_error),
                number(g.max_abs_error),
                number(g.error_bar),
                f"{g.power.caught}/{g.power.known}",
                g.verdict.value,
            )
            for g in report.gradients
        ),
        caption="Gradients against finite differences",
    )


def _worst(report: Report) -> Table:
    return Table(
        ("worst entry", "analytic", "numeric", "difference", "allowed", "smallest seen"),
        tuple(_worst_of(g) for g in report.gradients),
        caption="The entries nearest to being rejected, or furthest beyond",
    )


def _worst_of(g: GradientResult) -> tuple[str, ...]:
    w = g.worst
    return (
        g.name + place(w.index),
        value(w.analytic),
        value(w.numeric),
        number(abs(w.analytic - w.numeric)),
        number(w.error_bar + w.rounding),
        number(g.power.smallest_error),
    )


def _coverage(coverage: Coverage) -> str:
    why = f", since {coverage.why}" if coverage.why else ""
    return (
        f"dx was checked along {coverage.directions} random directions in every column{why}. An entry that is off by "
        f"more than {number(coverage.sure, 2)} of the typical size of dx's terms is seen for certain if it is alone in "
        f"its column, and with a probability of {1 - coverage.miss_probability:.5g} or more if it is not."
    )


def told(finding: Finding) -> Found:
    place = f"{finding.quantity}, in {finding.where}" if finding.where else finding.quantity
    note = finding.severity is Severity.NOTE
    title = f"{finding.code}{' note:' * note} {finding.title} ({place})"
    return Found(finding, title, f"{finding.evidence}.", "" if note else f"Mend: {finding.hint}.")


def _summary(report: Report) -> str:
    cost = f"{report.forward_passes:g} forward passes, {report.seconds:.2g} s"
    said = _of_sections(report) if report.sections else _of_gradients(report)
    return f"{report.verdict.value}: {said} ({cost})"


def _of_sections(report: Report) -> str:
    names = {v: [s.name.replace("_", " ") for s in report.sections if s.verdict is v] for v in Verdict}
    return {
        Verdict.PASS: f"nothing wrong in {conjunction(names[Verdict.PASS])}",
        Verdict.BLIND: _blind(report, names[Verdict.BLIND]),
        Verdict.FAIL: f"something is wrong in {conjunction(names[Verdict.FAIL])}",
    }[report.verdict]


def _of_gradients(report: Report) -> str:
    names = {v: [g.name for g in report.gradients if g.verdict is v] for v in Verdict}
    failed = [f"{g.name} on the probe" for p in report.probes for g in p.gradients if g.verdict is Verdict.FAIL]
    names[Verdict.FAIL] = names[Verdict.FAIL] or failed
    by = "its error bar" if report.settings.get("rtol") is None else f"rtol {report.settings['rtol']:g}"
    differ = "differs" if len(names[Verdict.FAIL]) == 1 else "differ"
    right, wrong = conjunction(names[Verdict.PASS]), conjunction(names[Verdict.FAIL])
    return {
        Verdict.PASS: f"{_what(report)} of {right} agrees with finite differences within {by}",
        Verdict.BLIND: _blind(report, names[Verdict.BLIND]),
        Verdict.FAIL: f"{wrong} {differ} from the finite differences by more than {by} allows",
    }[report.verdict]


def _what(report: Report) -> str:
    return "every projection" if report.coverage is not None and report.coverage.directions else "every entry"


def _blind(report: Report, names: list[str]) -> str:
    seen = "not everything" if report.settings.get("strict") else "nothing"
    return f"nothing wrong was seen, and in {conjunction(names)} {seen} could have been"


def conjunction(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _of_arrays(result: PassReport) -> Document:
    blocks: list[Block] = [_head(name, a, result.columns) for name, a in result.arrays.items() if a.ndim > 1]
    flat = {name: a for name, a in result.arrays.items() if a.ndim == 1}
    if flat:
        labels = result.columns or tuple(map(str, range(result.batch.d)))
        rows = tuple(
            (label, *(value(a[j]) for a in flat.values()))
            for j, label in enumerate(labels[: min(_STATISTICS, result.batch.d)])
        )
        left = result.batch.d - len(rows)
        blocks.append(Table(("column", *flat), rows, f"and {left} more" if left > 0 else ""))
    blocks.append("Other formats (--format csv, json, npz) give every number in full.")
    return Document(heading(result), tuple(blocks))


def _head(name: str, array: Any, columns: tuple[str, ...]) -> Table:
    flat = array.reshape(len(array), -1)
    labels = columns if len(columns) == flat.shape[1] else tuple(map(str, range(flat.shape[1])))
    rows = tuple((str(i), *(value(x) for x in row)) for i, row in enumerate(flat[:_ROWS, :_COLUMNS]))
    whole = flat.shape[0] <= _ROWS and flat.shape[1] <= _COLUMNS
    note = "" if whole else f"the corner of {name} {array.shape}"
    return Table((name, *labels[:_COLUMNS]), rows, note)
