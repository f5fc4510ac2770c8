"""From two values and their uncertainties to a verdict.  Every gradient is judged here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.report import Coverage, Entries, Finding, GradientResult, Power, Worst
from bncheck.vocabulary import Verdict

ZERO = "zero within its error bars, so that a gradient of zeros would have passed as well"
_UNKNOWN = "the differences came to no number: the step moves nothing, or the output is not finite near x"
_DOUBTFUL = "the oracle is unreliable here: finite differences and the closed form differ by more than their error bars"
_BEYOND = "some of it is beyond what its dtype holds, and infinity stands there"
_UNMEASURED = Power(0, 0, (), np.inf)


class Seen(NamedTuple):
    """What a check of gradients has come to."""

    results: tuple[GradientResult, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage
    passes: float
    precision: str
    """The dtype that the differences were computed in."""
    step_size: float
    noise: float
    entries: tuple[Entries, ...] = ()
    """Where they were asked for."""


class Quantity(NamedTuple):
    """One gradient as the layer returned it, and all that is known about what it should be."""

    name: str
    analytic: Array
    numeric: Array
    error: Array
    """(D,), the error bar of ``numeric``."""
    rounding: Array
    """What rounding may make of ``analytic``."""
    doubtful: Array
    """Where ``numeric`` is contradicted by a second witness."""

    @property
    def silent(self) -> Array:
        """Where the numerical value accuses nobody: it is none, or it is in doubt."""
        return np.asarray(~np.isfinite(self.numeric) & np.isfinite(self.analytic) | self.doubtful | self.beyond)

    @property
    def beyond(self) -> Array:
        """Where the layer returned infinity, of the right sign, for what its dtype cannot hold."""
        info = np.finfo(self.analytic.dtype)
        limit = info.max
        over = (np.abs(self.numeric) + self.error) * (1 + 2 * float(info.eps)) >= limit
        return np.asarray(over & (np.abs(self.analytic) >= limit) & (np.sign(self.analytic) == np.sign(self.numeric)))

    @property
    def allowed(self) -> Array:
        """What an entry may be off by, float64; infinite where nobody is accused."""
        return np.where(self.silent, np.inf, self.error.astype(np.float64) + self.rounding)


def judge(
    quantity: Quantity, rtol: float | None, place: Callable[[int, int], tuple[int | None, ...]]
) -> GradientResult:
    """One gradient, entry by entry.

    An entry is wrong where |a - n| exceeds the error bar of n and the rounding allowed to a together, or, with
    ``rtol``, where |a - n| / max(|a| + |n|, tiny) exceeds that.  A gradient in which a row of zeros would
    have passed everywhere proves nothing, and is blind.
    """
    name, analytic, _, error, rounding, _ = quantity
    a, n, difference, relative, excess = _compared(quantity, rtol)
    row, column = (int(i) for i in np.unravel_index(np.argmax(excess), excess.shape))
    at = (row, column)
    index: tuple[int | None, ...] = place(row, column) if analytic.ndim == 2 else (column,)
    bar = np.broadcast_to(error.astype(np.float64), n.shape)
    worst = Worst(index, float(a[at]), float(n[at]), float(bar[at]), float(np.atleast_2d(rounding)[at]))
    wrong = int(np.sum(excess > 1))
    verdict, reason = _verdict(quantity, np.abs(n) > np.atleast_2d(quantity.allowed))
    if wrong:
        verdict, reason = Verdict.FAIL, _failure(name, worst, wrong, excess.size)
    largest = float(relative.max()), float(difference.max()), float(bar.max())
    return GradientResult(name, tuple(analytic.shape), *largest, worst, verdict, _UNMEASURED, reason)


def blinded(result: GradientResult, why_zero: Callable[[str], str], strict: bool) -> GradientResult:
    """With the reason for blindness in words, and blind for the strict where any mistake is out of sight."""
    power = result.power
    if result.reason == ZERO and (why := why_zero(result.name)):
        return result._replace(reason=f"{result.reason}: {why}")
    if result.verdict is Verdict.PASS and power.known and not power.caught:
        return result._replace(verdict=Verdict.BLIND, reason="none of the known mistakes would have been rejected")
    if strict and result.verdict is Verdict.PASS and power.blind_to:
        codes = ", ".join(blind.code for blind in power.blind_to)
        return result._replace(verdict=Verdict.BLIND, reason=f"--strict wants to see {codes}, which it could not")
    return result


def kept(quantity: Quantity, rtol: float | None) -> Entries:
    """All that ``judge`` goes by."""
    shape = quantity.numeric.shape
    a, n, _, _, excess = (each.reshape(shape) for each in _compared(quantity, rtol))
    bar = np.broadcast_to(quantity.error.astype(np.float64), shape)
    return Entries(quantity.name, a, n, bar, excess)


class _Compared(NamedTuple):
    """(N, D) each, (1, D) for a gradient that is (D,); float64."""

    analytic: Array
    numeric: Array
    difference: Array
    relative: Array
    excess: Array
    """Above 1 it is wrong."""


def _compared(quantity: Quantity, rtol: float | None) -> _Compared:
    a, n = (np.atleast_2d(values).astype(np.float64) for values in (quantity.analytic, quantity.numeric))
    with np.errstate(all="ignore"):
        # The difference is taken before the numeric value is narrowed.
        difference = np.abs(np.atleast_2d(quantity.analytic) - quantity.numeric).astype(np.float64)
        relative = difference / np.maximum(np.abs(a) + np.abs(n), np.finfo(np.float64).tiny)
        allowed = np.atleast_2d(quantity.allowed)
        excess = _ratio(difference, allowed) if rtol is None else _ratio(relative, np.full_like(relative, rtol))
    excess[np.atleast_2d(quantity.silent)] = 0
    return _Compared(a, n, difference, relative, excess)


def _verdict(quantity: Quantity, resolved: Array) -> tuple[Verdict, str]:
    """Of a gradient in which nothing is wrong: could anything have been seen?"""
    if quantity.doubtful.any():
        return Verdict.BLIND, _DOUBTFUL
    if quantity.beyond.any():
        return Verdict.BLIND, _BEYOND
    if quantity.silent.any():
        return Verdict.BLIND, _UNKNOWN
    return (Verdict.PASS, "") if resolved.any() else (Verdict.BLIND, ZERO)


def _ratio(size: Array, limit: Array) -> Array:
    """size / limit, with 0 / 0 = 0 and infinity for what is not a number."""
    ratio = np.divide(size, limit, out=np.full_like(size, np.inf), where=limit > 0)
    ratio[(size == 0) & (limit == 0)] = 0
    ratio[np.isnan(size) | np.isnan(limit)] = np.inf
    return ratio


def _failure(name: str, worst: Worst, wrong: int, entries: int) -> str:
    count = f"{wrong} of {entries} entries are wrong" if entries > 1 else "it is wrong"
    return f"{count}, {'worst ' if np.isfinite(worst.analytic) else ''}{failure(name, worst)}"


def failure(name: str, worst: Worst) -> str:
    """What is wrong in one entry."""
    place = f"{name}[{', '.join(map(str, worst.index))}]"
    if np.isnan(worst.analytic) and np.isnan(worst.numeric):
        return f"{place} is nan, and so is what the forward pass makes of x"
    if not np.isfinite(worst.analytic):
        return f"{place} is {worst.analytic:g} where {worst.numeric:.4g} is right"
    return (
        f"{place} = {worst.analytic:.6g} where the difference quotient gives {worst.numeric:.6g}: "
        f"off by {abs(worst.analytic - worst.numeric):.2g}, and {worst.error_bar + worst.rounding:.2g} is allowed"
    )
