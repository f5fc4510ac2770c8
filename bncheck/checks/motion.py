"""What is moved in order to differentiate, and what ought to come of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.checks.response import Response, parameters_of
from bncheck.differences import Function
from bncheck.layers.protocol import Call, Layer
from bncheck.rounding import bending_scale
from bncheck.vocabulary import Mode


class Motion(NamedTuple):
    """Some rows of x, or gamma and beta."""

    f: Function
    at: Array
    """(P, D)"""
    unit: Array
    """(D,), in which steps are told."""
    bend: Array
    """(D,), the distance over which f bends where all P rows move."""
    linear: bool
    kappa: float
    """What one rounding amounts to, in units of u."""
    truth: Array
    natural: Array
    """Both (P, D)."""
    parts: dict[str, slice]
    """The gradients, and the rows that they are in."""

    def errors(self, value: Array) -> Array:
        """(P, D), relative; infinite where there is no number."""
        off = np.abs(value - self.truth).astype(np.float64)
        # Where the natural scale is zero, so is every term, and the difference of equal outputs with it.
        ratio = np.divide(off, self.natural, out=np.zeros_like(off), where=self.natural > 0)
        return np.where(np.isnan(off), np.inf, ratio)

    def bars(self, error: Array) -> Array:
        """Error bars of the columns, in the same units."""
        return np.divide(error, self.natural, out=np.zeros(self.natural.shape), where=self.natural > 0)


def of_x(layer: Layer, call: Call, rows: Array, truth: Gradients, natural: Gradients) -> Motion:
    """``rows`` of x are moved; ``truth`` and ``natural`` are those of all rows."""
    n, unit = len(call.x), bending_scale(call)
    return Motion(
        f=Response(layer, call, None if len(rows) == n else rows).of_x,
        at=call.x[rows],
        unit=unit,
        # Where P rows of N move by one unit, the statistics move by sqrt(P / N) of what they do for all.
        bend=unit * unit.dtype.type(np.sqrt(n / len(rows))),
        linear=call.settings.mode is Mode.TEST,
        kappa=float(np.maximum(1, np.abs(call.x).max(axis=0) / unit).max()),
        truth=truth.dx[rows],
        natural=natural.dx[rows],
        parts={"dx": slice(None)},
    )


def of_parameters(layer: Layer, call: Call, truth: Gradients, natural: Gradients) -> Motion:
    both, unit = parameters_of(call)
    return Motion(
        f=Response(layer, call).of_parameters,
        at=both,
        unit=unit,
        bend=unit,
        linear=True,
        kappa=1.0,
        truth=np.stack(truth[1:]),
        natural=np.stack(natural[1:]),
        parts={"dgamma": slice(0, 1), "dbeta": slice(1, 2)},
    )
