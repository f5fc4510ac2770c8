"""What checks cost on this machine: plain frozen data, as a report is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any, NamedTuple

from bncheck.report import SCHEMA, plain


class Verifies(StrEnum):
    """What a check compares with finite differences, if all goes well."""

    ENTRIES = "every entry"
    COLUMNS = "every column"
    """Each along random directions of its own."""
    NUMBER = "one number"
    """A single derivative along one random direction through all entries."""


class Outcome(StrEnum):
    MEASURED = "measured"
    EXTRAPOLATED = "extrapolated"
    """Too long to be run: the number of its passes, counted on a small batch, times one pass on this one."""
    STOPPED = "stopped"
    """It did not come to its end in the time that it was given."""
    FAILED = "failed"
    ABSENT = "not installed"


class Spread(NamedTuple):
    """A number that was measured several times."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    @property
    def swing(self) -> float:
        """Half of the range, in units of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


class Cost(NamedTuple):
    """One check of one batch; a number is None where there is none to be had."""

    check: str
    n: int
    d: int
    verifies: Verifies
    error_bar: bool
    """Whether it says how far off its own numerical values may be."""
    outcome: Outcome
    passes: float | None = None
    """Forward passes of the whole batch."""
    seconds: Spread | None = None
    """Of processor time."""
    own_passes: Spread | None = None
    """The same in units of the forward passes that it makes, each as long as one made by itself."""
    times_bncheck: Spread | None = None
    """The same in units of bncheck's own check that verifies alike."""
    accepted: bool | None = None
    """Whether it accepts the layer, which is right; None where it leaves that to the user."""
    cores: float | None = None
    """Processor time in units of the time that went by: above 1 it had several threads at work."""
    rounds: int = 0
    version: str = ""
    said: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON and CSV alike."""
        row: dict[str, Any] = {}
        for name, value in self._asdict().items():
            if name not in ("seconds", "own_passes", "times_bncheck"):
                row[name] = value
                continue
            known = value or (None, None, None)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), known, strict=True))
        return dict(plain(row))


@dataclass(frozen=True)
class Machine:
    cpu: str
    cores: int
    system: str
    python: str
    numpy: str


@dataclass(frozen=True, eq=False)
class BenchReport:
    """Checks beside each other, each in the same rounds as bncheck's own."""

    date: str
    """YYYY-MM-DD"""
    machine: Machine
    settings: dict[str, Any]
    costs: tuple[Cost, ...]
    version: str

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        return tuple(dict.fromkeys((cost.n, cost.d) for cost in self.costs))

    def to_dict(self) -> dict[str, Any]:
        own = {k: v for k, v in vars(self).items() if k != "costs"}
        costs = [cost.to_dict() for cost in self.costs]
        return dict(plain({"schema": SCHEMA, "command": "bench", **own, "costs": costs}))
