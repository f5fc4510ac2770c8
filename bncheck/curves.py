"""What a sweep over step sizes found: plain frozen data, as a report is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from bncheck.report import SCHEMA, BatchInfo, plain


class Point(NamedTuple):
    """A step size and the error there, both relative: see ``SweepReport``."""

    step: float
    error: float


class Own(NamedTuple):
    """What bncheck makes of it when it chooses for itself."""

    step: float
    """The median over the columns: each has its own."""
    error_bar: float
    error: float
    """What the bar is a bound for."""


class Curve(NamedTuple):
    """The error of one difference formula."""

    method: str
    order: int
    """Truncation goes like h**order, on paper."""
    errors: tuple[float, ...]
    """For each of the steps of the sweep; infinity where the step moves nothing."""
    best: Point
    truncation_slope: float | None
    """Decades of error for each decade of h, as observed right of the best step; None: too few points, or none."""
    rounding_slope: float | None
    """The same to its left, where -1 is expected."""
    own: Own


class Panel(NamedTuple):
    """One gradient in one dtype."""

    quantity: str
    dtype: str
    linear: bool
    """out is linear in what is moved, so that nothing is truncated."""
    rounding: float
    """The rounding line is this divided by h: u max(1, max|x| / sqrt(var + eps)) for dx, and u for dgamma and dbeta."""
    curves: tuple[Curve, ...]


class Absolute(NamedTuple):
    """The habit of stepping by the same distance in every column, tried in one."""

    dtype: str
    method: str
    step: float
    """In units of x."""
    place: str
    """narrowest or widest."""
    column: int
    spread: float
    """sqrt(var + eps) of the column."""
    relative: float
    """The step in units of the spread."""
    error: float
    own: Point
    """bncheck's own step in that column, and the error there."""


@dataclass(frozen=True)
class SweepReport:
    """The V-curve: error against step size.

    Steps are relative: in units of each column's sqrt(var + eps) for dx, of max(1, |gamma|, |beta|) for dgamma
    and dbeta.  Errors are relative as well: the largest, over the entries measured, of |n - t| / s, where n is the
    difference quotient, computed in the dtype of the panel throughout; t the closed form of the definition on the
    numbers as that dtype has them, in extended precision; and s the natural scale of the entry, the size of the
    terms of t before they cancel.  So an error of 1 says that nothing is left, for entries that are zero as well.
    """

    mode: str
    implementation: str
    batch: BatchInfo
    settings: dict[str, Any]
    steps: tuple[float, ...]
    panels: tuple[Panel, ...]
    absolute: tuple[Absolute, ...]
    rows: int
    """In so many rows of x derivatives were measured ..."""
    columns: int
    """... and in so many columns."""
    notes: tuple[str, ...]
    """What else is to be known, as sentences."""
    forward_passes: float
    seconds: float
    version: str

    def to_dict(self) -> dict[str, Any]:
        """JSON of schema 1: an error that is no number is None."""
        return dict(plain({"schema": SCHEMA, **vars(self)}))
