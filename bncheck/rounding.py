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

A layer may divide by something else than the root, inv = f(var), and have the right gradients all the same.  With
bend = -2 f'(var), which is inv³ in the definition, its third path is bend (x - mean) mean(g (x - mean)): bend / inv³
times what stands above, for its own xhat and inv.  kappa, delta and iota are in proportion to inv.  What is a relative
error of inv in the definition is one of bend (var + eps) / inv times that here; in the definition that factor is 1.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

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


class Forward(Protocol):
    """What a layer multiplies x - mean by, as a function of the variance; (D,) each."""

    @property
    def inv(self) -> Array:
        """f(var)."""

    @property
    def bend(self) -> Array:
        """-2 f'(var)."""

    @property
    def gamma(self) -> Array:
        """As far as it is applied."""


def allowance(call: Call, dout: Array, dtype: np.dtype[Any], own: Forward | None = None) -> Allowance:
    """What a good implementation that computes in ``dtype`` may be off by, entry by entry.

    ``own`` is what its forward pass computes, where that is not the definition.
    """
    wide, dout = call.astype(np.float64), dout.astype(np.float64, copy=False)
    column, n = Column.of(wide, dtype, own), len(dout)
    c, delta, iota, inv, relative, eta = column[:6]
    gamma, bent, xhat = np.abs(column.gamma), column.bent, column.xhat(wide.x)
    # What is summed over g is summed over dout, since gamma is the same in all rows; tables are reused.
    products = dout * xhat
    signed, repeated = np.abs(products.sum(axis=0)), column.alike(products)
    sizes = np.abs(products, out=products).sum(axis=0)
    lengths = np.abs(dout, out=products)
    total, xhat = lengths.sum(axis=0), np.abs(xhat, out=xhat)
    of_mean = delta * np.abs(dout.sum(axis=0)) + iota * _norm(dout) + repeated
    dbeta, dgamma = c * total + column.alike(dout), of_mean + relative * sizes
    scale = np.multiply(lengths, inv * gamma, out=lengths)
    if column.of_batch:
        through = gamma * sizes / n
        mu = gamma * of_mean / n + relative * through + eta * inv
        scale += inv * gamma * total / n
        scale += xhat * (inv * bent * through)
        # The gradient of the variance, node by node a number of its own, may underflow: by eta |x - mean|.
        xhat *= inv * bent * mu + np.divide(2 * eta, inv, out=np.zeros_like(inv), where=inv > 0)
        of_variance = (delta + iota) * gamma * signed / n + delta * mu
        xhat += inv * (gamma * column.alike(dout) / n + bent * of_variance)
        rounding = np.add(xhat, relative * scale, out=xhat)
    else:
        rounding = np.multiply(scale, relative, out=xhat)
    lost = n * eta
    rounding += lost
    return Allowance(Gradients(scale, sizes, total), Gradients(rounding, dgamma + lost, dbeta + lost))


def forward_allowance(call: Call, dtype: np.dtype[Any]) -> Array:
    """What out of a good implementation that computes in ``dtype`` may be off by, (N, D).

    xhat is off by delta + iota + r |xhat|, in the terms above, and two more roundings make out of it.
    """
    wide = call.astype(np.float64)
    column = Column.of(wide, dtype)
    gamma, allowed = np.abs(wide.gamma), column.xhat(wide.x)
    np.abs(allowed, out=allowed)
    allowed *= gamma * (column.relative + 4 * column.u)
    allowed += gamma * (column.delta + column.iota) + 4 * column.u * np.abs(wide.beta) + column.eta
    return allowed


def variance_allowance(call: Call, dtype: np.dtype[Any]) -> Array:
    """The relative error, (D,), that the variance of ``call.x`` may have from ``dtype``.

    Two passes leave twice what they leave in inv.  Updating mean and variance row by row is as good an algorithm for
    anybody who has one pass, and leaves up to N u kappa (Chan, Golub & LeVeque 1983, table 1).
    """
    column = Column.of(call.astype(np.float64), dtype)
    return np.asarray(2 * column.relative + column.delta)


def value_allowance(call: Call, dtype: np.dtype[Any]) -> dict[str, Array]:
    """What each intermediate value may be off by in an implementation that computes in ``dtype``; names as in graph.py.

    In the terms above: the mean is off by delta / inv, x - mean by (delta + iota) / inv =: e and its square by
    2 |x - mean| e + e^2; the relative error r of the variance is that of its root and of inv, at most.
    """
    wide = call.astype(np.float64)
    column = Column.of(wide, dtype)
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


class Scatter(NamedTuple):
    """What the columns of x are like, in any arithmetic; (D,) each."""

    mean: Array
    var: Array
    of_batch: bool
    """Whether these are the batch's own; otherwise they are those that test mode normalizes by."""
    largest: Array
    """max|x|"""
    total: Array
    """|sum(x)|"""
    repeated: Array
    """The share of the values that repeat another, by a sample of the rows."""
    rows: int

    @classmethod
    def of(cls, call: Call) -> Scatter:
        x, fixed = call.x, call.running if call.settings.mode is Mode.TEST else None
        mean, var = fixed or batch_statistics(x)
        sample = np.sort(x[:: max(1, len(x) // _SAMPLE)], axis=0)
        repeated = np.mean(np.diff(sample, axis=0) == 0, axis=0) if len(sample) > 1 else np.ones(x.shape[1])
        largest = np.maximum(x.max(axis=0), -x.min(axis=0))
        return cls(mean, var, fixed is None, largest, np.abs(len(x) * mean), repeated, len(x))

    def alike(self, u: float) -> Array:
        """w(x), as far as x is of the kind that needs it."""
        # w for the values that repeat alone is at most 2 w times as many.
        close = np.sqrt(self.var) <= 4 * u * self.total
        return np.where(close, 1, np.minimum(1, 2 * self.repeated)) * (u * self.rows / 2 * self.total)


class Column(NamedTuple):
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
    gamma: Array
    bent: Array | float = 1.0
    """bend / inv³."""

    @classmethod
    def of(cls, wide: Call, dtype: np.dtype[Any], own: Forward | None = None) -> Column:
        return cls.like(Scatter.of(wide), wide, dtype, own)

    @classmethod
    def like(cls, x: Scatter, wide: Call, dtype: np.dtype[Any], own: Forward | None = None) -> Column:
        """Of a batch whose columns are known already."""
        info, n, eps = np.finfo(dtype), len(wide.x), wide.settings.eps
        u, eta = float(info.eps) / 2, float(info.smallest_subnormal)
        c = u * summation(n)
        inv = 1 / np.sqrt(np.maximum(x.var + eps, eta))
        kappa = np.maximum(x.largest, np.abs(x.mean)) * inv
        alike = x.alike(u) / n if x.of_batch else 0
        delta, iota = c * kappa + (eta + alike) * inv, 4 * u * kappa + eta * inv
        relative = 2 * c + np.minimum(1, delta**2) + eta * inv**2
        if own is None:
            return cls(c, delta, iota, inv, relative, eta, u, x.mean, x.of_batch, wide.gamma)
        growth, steeper = own.inv / inv, np.maximum(1, own.bend * (x.var + eps) / own.inv)
        bent, delta, iota, relative = own.bend / own.inv**3, growth * delta, growth * iota, steeper * relative
        return cls(c, delta, iota, own.inv, relative, eta, u, x.mean, x.of_batch, own.gamma, bent)

    def xhat(self, x: Array) -> Array:
        xhat = x - self.mean
        xhat *= self.inv
        return xhat

    def alike(self, terms: Array) -> Array:
        return _alike(terms, self.u)


def _alike(terms: Array, u: float) -> Array:
    """w, for a sum over the rows."""
    return np.asarray(u * len(terms) / 2 * np.abs(terms.sum(axis=0)))


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
