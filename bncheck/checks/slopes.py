"""The two arms of a V-curve, as straight lines in decades."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bncheck.arrays import Array

# Nearer to the best step both kinds of error are at work; where little is left of the derivative neither law holds.
_CLEAR, _LAWFUL = 10.0, 0.05
_POINTS, _STRAIGHT = 3, 0.9


def slopes(steps: Sequence[float], errors: Sequence[float], u: float) -> tuple[float | None, float | None]:
    """Decades of error for each decade of step: right of the smallest error (truncation), and left of it (rounding).

    By least squares over the steps whose errors are above ten times the smallest one, or ten roundings ``u``, and
    below 0.05.  None where these are fewer than three, or no line: less than 0.9 of their variance is explained.
    """
    h, e = np.array(steps), np.array(errors)
    lawful = (e > _CLEAR * max(e.min(), u)) & (e < _LAWFUL)
    best = h[np.argmin(e)]
    return _slope(h, e, lawful & (h > best)), _slope(h, e, lawful & (h < best))


def _slope(h: Array, e: Array, chosen: Array) -> float | None:
    if chosen.sum() < _POINTS:
        return None
    x, y = np.log10(h[chosen]), np.log10(e[chosen])
    x, y = x - x.mean(), y - y.mean()
    straight = (x @ y) ** 2 > _STRAIGHT * (x @ x) * (y @ y)
    return float(x @ y / (x @ x)) if straight else None
