"""From two values and their uncertainties to a verdict.  Every gradient is judged here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bncheck.arrays import Array
from bncheck.report import GradientResult, Worst
from bncheck.vocabulary import Verdict

_BLIND = "zero within its error bars, so that a gradient of zeros would have passed as well"

_UNKNOWN = "the differences came to no number: the step moves nothing, or the output is not finite near x"


def judge(
    name: str,
    analytic: Array,
    numeric: Array,
    error: Array,
    rounding: Array,
    rtol: float | None,
    place: Callable[[int, int], tuple[int, ...]],
) -> GradientResult:
    """One gradient, entry by entry; ``error`` (D,) is the error bar of ``numeric``.

    An entry is wrong where |a - n| exceeds the error bar of n and the rounding allowed to a together, or, with
    ``rtol``, where |a - n| / max(|a| + |n|, tiny) exceeds that.  A gradient in which a row of zeros would
    have passed everywhere proves nothing, and is blind.
    """
    a, n = (np.atleast_2d(values).astype(np.float64) for values in (analytic, numeric))
    with np.errstate(all="ignore"):
        # The difference is taken before the numeric value is narrowed.
        difference = np.abs(np.atleast_2d(analytic) - numeric).astype(np.float64)
        bar = np.broadcast_to(error.astype(np.float64), n.shape)
        allowed = bar + np.atleast_2d(rounding)
        relative = difference / np.maximum(np.abs(a) + np.abs(n), np.finfo(np.float64).tiny)
        excess = _ratio(difference, allowed) if rtol is None else _ratio(relative, np.full_like(relative, rtol))
    # A numerical value that is none accuses nobody.
    unknown = ~np.isfinite(n) & np.isfinite(a)
    excess[unknown] = 0
    row, column = (int(i) for i in np.unravel_index(np.argmax(excess), excess.shape))
    at = (row, column)
    index = place(row, column) if analytic.ndim == 2 else (column,)
    worst = Worst(index, float(a[at]), float(n[at]), float(bar[at]), float(np.atleast_2d(rounding)[at]))
    wrong, resolved = int(np.sum(excess > 1)), np.abs(n) > allowed
    verdict, reason = _verdict(unknown, resolved)
    if wrong:
        verdict, reason = Verdict.FAIL, _failure(name, worst, wrong, excess.size, float(difference[at]))
    shape = tuple(analytic.shape)
    largest = float(relative.max()), float(difference.max()), float(bar.max())
    return GradientResult(name, shape, *largest, worst, verdict, reason)


def _verdict(unknown: Array, resolved: Array) -> tuple[Verdict, str]:
    """Of a gradient in which nothing is wrong: could anything have been seen?"""
    if unknown.any():
        return Verdict.BLIND, _UNKNOWN
    return (Verdict.PASS, "") if resolved.any() else (Verdict.BLIND, _BLIND)


def _ratio(size: Array, limit: Array) -> Array:
    """size / limit, with 0 / 0 = 0 and infinity for what is not a number."""
    ratio = np.divide(size, limit, out=np.full_like(size, np.inf), where=limit > 0)
    ratio[(size == 0) & (limit == 0)] = 0
    ratio[np.isnan(size) | np.isnan(limit)] = np.inf
    return ratio


def _failure(name: str, worst: Worst, wrong: int, entries: int, difference: float) -> str:
    place = f"{name}[{', '.join(map(str, worst.index))}]"
    count = f"{wrong} of {entries} entries are wrong" if entries > 1 else "it is wrong"
    if not np.isfinite(worst.analytic):
        return f"{count}, {place} is {worst.analytic:g} where {worst.numeric:.4g} is right"
    return (
        f"{count}, worst {place} = {worst.analytic:.6g} where the difference quotient gives "
        f"{worst.numeric:.6g}: off by {difference:.2g}, and {worst.error_bar + worst.rounding:.2g} is allowed"
    )
