"""What a check found: plain frozen data, which turns into JSON as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from bncheck.vocabulary import Severity, Verdict

SCHEMA = 1


class Finding(NamedTuple):
    code: str
    title: str
    severity: Severity
    quantity: str
    evidence: str
    hint: str
    where: str = ""
    """The function of the user's that it is in, as file:function, if that is known."""


class BatchInfo(NamedTuple):
    n: int
    d: int
    dtype: str
    source: str
    seed: int | None


@dataclass(frozen=True)
class Worst:
    """The entry that came closest to being rejected, or went furthest beyond."""

    index: tuple[int | None, ...]
    """None is all of an axis: the worst was a sum over it with random signs."""
    analytic: float
    numeric: float
    error_bar: float
    """Of the numeric value."""
    rounding: float
    """What rounding may make of the analytic one."""


class Blind(NamedTuple):
    """A known mistake that a check could not have seen, and why."""

    code: str
    title: str
    reason: str


class Power(NamedTuple):
    """What a check could have seen in one gradient, on the batch that it was made on."""

    caught: int
    known: int
    """Of so many known mistakes in this gradient, so many would have been rejected."""
    blind_to: tuple[Blind, ...]
    smallest_error: float
    """The smallest relative error of the whole gradient that is rejected for certain."""


class GradientResult(NamedTuple):
    name: str
    shape: tuple[int, ...]
    max_rel_error: float
    """max |a - n| / max(|a| + |n|, tiny), the number that the field expects."""
    max_abs_error: float
    error_bar: float
    """The largest error bar of the numeric values."""
    worst: Worst
    verdict: Verdict
    power: Power
    reason: str = ""
    """Why the verdict is not a plain pass, as a sentence."""
    wrong: tuple[Worst, ...] = ()
    """Entries that were rejected, the worst first, up to a dozen."""
    more: int = 0
    """Others that were rejected; of a gradient checked along directions, so many at least."""


class Coverage(NamedTuple):
    """How much of dx was looked at."""

    kind: str
    """full: every entry; projected: every column along random directions."""
    why: str
    """How that was chosen; empty where it was asked for, or nothing else was called for."""
    directions: int = 0
    miss_probability: float = 0.0
    """A bound for missing a column with several wrong entries; one with a single wrong entry is not missed ..."""
    sure: float = 0.0
    """... where the largest of them is off by more than this, in units of the typical size of the terms of dx."""


class Entries(NamedTuple):
    """One gradient entry by entry, for whoever draws it; float64 arrays of the shape that the gradient should have."""

    name: str
    analytic: Any
    numeric: Any
    error_bar: Any
    """Of the numeric values."""
    excess: Any
    """|a - n| in units of what is allowed, or with rtol the relative error in units of that: wrong above 1."""


class Probe(NamedTuple):
    """The same check on a batch of bncheck's own, made where the user's batch could not show a mistake."""

    batch: BatchInfo
    mode: str
    eps: float
    verdict: Verdict
    gradients: tuple[GradientResult, ...]


class Section(NamedTuple):
    """One part of checking a layer."""

    name: str
    verdict: Verdict
    said: str
    """The result in one sentence."""
    codes: tuple[str, ...] = ()
    """Of the errors found in it."""


class Report(NamedTuple):
    """The result of checking gradients, or of checking a layer: then with its sections."""

    verdict: Verdict
    mode: str
    implementation: str
    batch: BatchInfo
    settings: dict[str, Any]
    gradients: tuple[GradientResult, ...]
    findings: tuple[Finding, ...]
    forward_passes: float
    seconds: float
    version: str
    sections: tuple[Section, ...] = ()
    probes: tuple[Probe, ...] = ()
    coverage: Coverage | None = None
    entries: tuple[Entries, ...] = ()
    """Only where they were asked for; no part of the JSON."""
    graph: Any = None
    """A TraceReport of the same layer on the same batch; likewise."""

    @property
    def raised(self) -> bool:
        """The layer raised, and that is all that is known of it."""
        return [f.code for f in self.findings if f.severity is Severity.ERROR] == ["BN001"]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of schema 1: a number that is not finite is None, with a finding beside it."""
        raw = self._asdict()
        raw["gradients"] = _by_name(self.gradients)
        raw["probes"] = [{**p._asdict(), "gradients": _by_name(p.gradients)} for p in self.probes]
        del raw["sections"], raw["entries"], raw["graph"]
        if self.sections:
            raw["sections"] = {s.name: s.verdict for s in self.sections}
        return dict(plain({"schema": SCHEMA, **raw}))


def _by_name(gradients: tuple[GradientResult, ...]) -> dict[str, Any]:
    return {g.name: {k: v for k, v in g._asdict().items() if k != "name"} for g in gradients}


class PassReport(NamedTuple):
    """The result of running a forward or a backward pass: named arrays, the main one first."""

    command: str
    mode: str
    implementation: str
    batch: BatchInfo
    settings: dict[str, Any]
    arrays: dict[str, Any]
    columns: tuple[str, ...]
    version: str

    @property
    def on_disk(self) -> bool:
        """The main array is larger than the memory that may be used."""
        return getattr(next(iter(self.arrays.values())), "_mmap", None) is not None

    def to_dict(self) -> dict[str, Any]:
        own = {k: v for k, v in self._asdict().items() if k not in ("arrays", "columns", "batch")}
        arrays = {name: array.tolist() for name, array in self.arrays.items()}
        return dict(plain({"schema": SCHEMA, **own, "batch": self.batch, **arrays}))


def plain(value: Any) -> Any:
    """Records as objects, tuples as lists, enumerations as their values, None for what JSON has no number for."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if is_dataclass(value):
        return plain(vars(value))
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
