"""How far rounding alone can move the gradients of a good implementation, on this batch, in this dtype.

Nothing here is tuned to let layers pass: it is the first-order error analysis of the formulas of batchnorm.py, with

* u, the unit roundoff of the dtype, and eta, its smallest number (what underflow loses);
* c, by which a sum of N terms may exceed one rounding: min(N, 4 sqrt(N)).  N is the worst case
  (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2) and sqrt(N) what rounding
  errors that do not conspire add up to, exceeded 4 times with a probability below 1e-3 a sum
  (Higham & Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019);
* w(t) = u N |sum(t)| / 2, what a sum of terms t may be off by beyond that where they are alike: then every addition
  rounds in the same direction, and adding row by row is off by up to u (|t| + 2 |t| + ... + N |t|) (the float32 mean
  of 4096 rows around 1e4 may be off by 1).  Where they are not alike |sum(t)| is small, and so is w(t); but for
  the mean of x, in which w(x) counts as far as the values of x repeat, and wholly where they are closer to each
  other than the sum is rounded by;
* kappa = max|x| / sqrt(var + eps), the condition number of a column: what one rounding of x, or of
  the mean, amounts to in xhat is u kappa;
* delta = c u kappa + (eta + w(x) / N) inv, the error of xhat that a wrong mean causes: *the same in all rows of a
  column*, so that it multiplies |sum(dout)| in dgamma and is no random wiggle; iota = 4 u kappa + eta inv, the
  error that rounding x row by row causes, which is one, and adds up like sqrt(N);
* rho = c u + min(1, delta^2) + eta / (var + eps), the relative error of inv: the two-pass variance
  is off by the square of the mean's error and a few roundings (Chan, Golub & LeVeque 1983, section 3).

With g = dout * gamma, r = (rho + c u) what multiplies every term, and m = mean(g * xhat), which is off by

    mu = delta |mean(g)| + iota |g|_2 / N + r mean|g * xhat| + w(g * xhat) / N + eta inv,

term by term the gradients are off by

    dbeta    c u sum|dout| + w(dout)
    dgamma   delta |sum(dout)| + iota |dout|_2 + r sum|dout * xhat| + w(dout * xhat)
    dx       r * natural scale + inv * (w(g) / N + (delta + iota) |m| + (|xhat| + delta) mu) + 2 eta |x - mean|

where the natural scale of a gradient is the size of its terms before they cancel: a gradient that is
exactly zero on paper is not to be judged by its own size.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics, batch_statistics
from bncheck.layers.protocol import Call
from bncheck.vocabulary import Mode

_SAMPLE = 64  # rows of a column that tell whether its values repeat


class Allowance(NamedTuple):
    """Both are Gradients of numbers >= 0, in float64."""

    natural_scale: Gradients
    rounding: Gradients


def allowance(call: Call, dout: Array, dtype: np.dtype[Any]) -> Allowance:
    """What a good implementation that computes in ``dtype`` may be off by, entry by entry."""
    wide, dout = call.astype(np.float64), dout.astype(np.float64)
    column, n = _Column.of(wide, dtype), len(dout)
    c, delta, iota, inv, relative, eta = column[:6]
    xhat, g = column.xhat(wide.x), dout * wide.gamma
    products = dout * xhat
    sizes = np.abs(products).sum(axis=0)
    scale = inv * np.abs(g)
    rounding = relative * scale
    if column.of_batch:
        through = np.abs(wide.gamma) * sizes / n
        mu = (delta * np.abs(g.sum(axis=0)) + iota * _norm(g) + column.alike(g * xhat)) / n + relative * through
        mu = mu + eta * inv
        scale = scale + inv * (np.abs(g).mean(axis=0) + np.abs(xhat) * through)
        rounding = relative * scale + inv * (
            column.alike(g) / n + (delta + iota) * np.abs((g * xhat).mean(axis=0)) + (np.abs(xhat) + delta) * mu
        )
        # The gradient of the variance, node by node a number of its own, may underflow.
        rounding = rounding + 2 * eta * np.abs(wide.x - column.mean)
    dbeta = c * np.abs(dout).sum(axis=0) + column.alike(dout)
    dgamma = delta * np.abs(dout.sum(axis=0)) + iota * _norm(dout) + relative * sizes + column.alike(products)
    lost = n * eta
    return Allowance(
        Gradients(scale, sizes, np.abs(dout).sum(axis=0)), Gradients(rounding + lost, dgamma + lost, dbeta + lost)
    )


def forward_allowance(call: Call, dtype: np.dtype[Any]) -> Array:
    """What out of a good implementation that computes in ``dtype`` may be off by, (N, D).

    xhat is off by delta + iota + r |xhat|, in the terms above, and two more roundings make out of it.
    """
    wide = call.astype(np.float64)
    column = _Column.of(wide, dtype)
    scaled = np.abs(wide.gamma * column.xhat(wide.x))
    last = 4 * column.u * (scaled + np.abs(wide.beta))
    return np.asarray(np.abs(wide.gamma) * (column.delta + column.iota) + column.relative * scaled + last + column.eta)


def value_allowance(call: Call, dtype: np.dtype[Any]) -> dict[str, Array]:
    """What each intermediate value may be off by in an implementation that computes in ``dtype``; names as in graph.py.

    In the terms above: the mean is off by delta / inv, x - mean by (delta + iota) / inv =: e and its square by
    2 |x - mean| e + e^2; the relative error r of the variance is that of its root and of inv, at most.
    """
    wide = call.astype(np.float64)
    column = _Column.of(wide, dtype)
    inv, r, eta = column.inv, column.relative, column.eta
    centred, xhat = wide.x - column.mean, column.xhat(wide.x)
    off = (column.delta + column.iota) / inv
    of_xhat = column.delta + column.iota + r * np.abs(xhat)
    found = {
        "mean": column.delta / inv,
        "centred": off,
        "square": 2 * np.abs(centred) * off + off**2 + r * centred**2,
        "var": r / inv**2,
        "var_eps": r / inv**2,
        "std": r / inv,
        "inv": r * inv,
        "xhat": of_xhat,
        "scaled": np.abs(wide.gamma) * (of_xhat + 2 * column.u * np.abs(xhat)),
        "out": forward_allowance(call, dtype),
    }
    return {name: np.asarray(error + eta) for name, error in found.items()}


class _Column(NamedTuple):
    """What is known of the columns of a batch and of arithmetic on them, in the terms above; (D,) each."""

    c: float
    """With u in it."""
    delta: Array
    iota: Array
    inv: Array
    relative: Array
    """r = rho + c u."""
    eta: float
    u: float
    mean: Array
    of_batch: bool
    """Whether the statistics are the batch's own."""

    @classmethod
    def of(cls, wide: Call, dtype: np.dtype[Any]) -> _Column:
        info, x = np.finfo(dtype), wide.x
        u, eta = float(info.eps) / 2, float(info.smallest_subnormal)
        c = u * summation(len(x))
        fixed = wide.running if wide.settings.mode is Mode.TEST else None
        mean, var = fixed or batch_statistics(x)
        inv = 1 / np.sqrt(np.maximum(var + wide.settings.eps, eta))
        kappa = np.maximum(np.abs(x).max(axis=0), np.abs(mean)) * inv
        alike = 0 if fixed else _of_mean(x, u) / len(x)
        delta, iota = c * kappa + (eta + alike) * inv, 4 * u * kappa + eta * inv
        relative = 2 * c + np.minimum(1, delta**2) + eta * inv**2
        return cls(c, delta, iota, inv, relative, eta, u, mean, not fixed)

    def xhat(self, x: Array) -> Array:
        return (x - self.mean) * self.inv

    def alike(self, terms: Array) -> Array:
        return _alike(terms, self.u)


def _alike(terms: Array, u: float) -> Array:
    """w, for a sum over the rows."""
    return np.asarray(u * len(terms) / 2 * np.abs(terms.sum(axis=0)))


def _of_mean(x: Array, u: float) -> Array:
    """w(x), where x is of the kind that needs it."""
    # How many of the values are repetitions, by a sample of the rows: w for these alone is at most 2 w times as many.
    sample = np.sort(x[:: max(1, len(x) // _SAMPLE)], axis=0)
    repeated = np.mean(np.diff(sample, axis=0) == 0, axis=0) if len(sample) > 1 else np.ones(x.shape[1])
    close = x.std(axis=0) <= 4 * u * np.abs(x.sum(axis=0))
    return np.where(close, 1, np.minimum(1, 2 * repeated)) * _alike(x, u)


def _norm(table: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("nd,nd->d", table, table)))


def summation(n: int) -> float:
    """What a sum of n terms is off by, in units of its dtype's roundoff and of the sum of their sizes."""
    return 4 + min(n, 4 * math.sqrt(n))


def bending_scale(call: Call) -> Array:
    """sqrt(var + eps) of each column, (D,): the distance over which the layer's response to x bends.

    Where that is zero (a constant column and eps = 0) the column's own size, or 1, stands in for it.
    """
    fixed = call.running if call.settings.mode is Mode.TEST else None
    statistics: Statistics = fixed or batch_statistics(call.x)
    scale = np.sqrt(statistics.var + statistics.var.dtype.type(call.settings.eps))
    size = np.abs(call.x).max(axis=0)
    return np.where(scale > 0, scale, np.where(size > 0, size, 1)).astype(call.x.dtype)
