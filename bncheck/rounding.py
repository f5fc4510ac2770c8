"""How far rounding alone can move the gradients of a good implementation, on this batch, in this dtype.

Nothing here is tuned to let layers pass: it is the first-order error analysis of the formulas of batchnorm.py, with

* u, the unit roundoff of the dtype, and eta, its smallest number (what underflow loses);
* c, by which a sum of N terms may exceed one rounding: min(N, 4 sqrt(N)).  N is the worst case
  (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2) and sqrt(N) what rounding
  errors that do not conspire add up to, exceeded 4 times with a probability below 1e-3 a sum
  (Higham & Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019);
* kappa = max|x| / sqrt(var + eps), the condition number of a column: what one rounding of x, or of
  the mean, amounts to in xhat is u kappa;
* delta = c u kappa, the error of xhat that a wrong mean causes: *the same in all rows of a column*, so
  that it multiplies |sum(dout)| in dgamma and is no random wiggle; iota = 4 u kappa, the error that rounding x row
  by row causes, which is one, and adds up like sqrt(N);
* rho = c u + min(1, delta^2) + eta / (var + eps), the relative error of inv: the two-pass variance
  is off by the square of the mean's error and a few roundings (Chan, Golub & LeVeque 1983, section 3).

With g = dout * gamma, r = (rho + c u) what multiplies every term, and m = mean(g * xhat), which is off by

    mu = delta |mean(g)| + iota |g|_2 / N + r mean|g * xhat|,

term by term the gradients are off by

    dbeta    c u sum|dout|
    dgamma   delta |sum(dout)| + iota |dout|_2 + r sum|dout * xhat|
    dx       r * natural scale + inv * ((delta + iota) |m| + (|xhat| + delta) mu)

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


class Allowance(NamedTuple):
    """Both are Gradients of numbers >= 0, in float64."""

    natural_scale: Gradients
    rounding: Gradients


def allowance(call: Call, dout: Array, dtype: np.dtype[Any]) -> Allowance:
    """What a good implementation that computes in ``dtype`` may be off by, entry by entry."""
    x, gamma, dout = (a.astype(np.float64) for a in (call.x, call.gamma, dout))
    info, n = np.finfo(dtype), len(x)
    u, eta = float(info.eps) / 2, float(info.smallest_subnormal)
    c = u * summation(n)
    fixed = call.running if call.settings.mode is Mode.TEST else None
    mean, var = fixed.astype(np.float64) if fixed else batch_statistics(x)
    inv = 1 / np.sqrt(np.maximum(var + call.settings.eps, eta))
    xhat, g = (x - mean) * inv, dout * gamma
    kappa = np.maximum(np.abs(x).max(axis=0), np.abs(mean)) * inv
    delta, iota = c * kappa, 4 * u * kappa
    relative = 2 * c + np.minimum(1, delta**2) + eta * inv**2
    products = np.abs(dout * xhat).sum(axis=0)
    scale = inv * np.abs(g)
    rounding = relative * scale
    if not fixed:
        through = np.abs(gamma) * products / n
        mu = (delta * np.abs(g.sum(axis=0)) + iota * _norm(g)) / n + relative * through
        scale = scale + inv * (np.abs(g).mean(axis=0) + np.abs(xhat) * through)
        rounding = relative * scale + inv * (
            (delta + iota) * np.abs((g * xhat).mean(axis=0)) + (np.abs(xhat) + delta) * mu
        )
    sizes = np.abs(dout).sum(axis=0)
    dgamma = delta * np.abs(dout.sum(axis=0)) + iota * _norm(dout) + relative * products
    lost = n * eta
    return Allowance(Gradients(scale, products, sizes), Gradients(rounding + lost, dgamma + lost, c * sizes + lost))


def forward_allowance(call: Call, dtype: np.dtype[Any]) -> Array:
    """What out of a good implementation that computes in ``dtype`` may be off by, (N, D).

    xhat is off by delta + iota + r |xhat|, in the terms above, and two more roundings make out of it.
    """
    x, gamma, beta = (a.astype(np.float64) for a in (call.x, call.gamma, call.beta))
    info = np.finfo(dtype)
    u, eta = float(info.eps) / 2, float(info.smallest_subnormal)
    c = u * summation(len(x))
    fixed = call.running if call.settings.mode is Mode.TEST else None
    mean, var = fixed.astype(np.float64) if fixed else batch_statistics(x)
    inv = 1 / np.sqrt(np.maximum(var + call.settings.eps, eta))
    kappa = np.maximum(np.abs(x).max(axis=0), np.abs(mean)) * inv
    delta = c * kappa
    relative = 2 * c + np.minimum(1, delta**2) + eta * inv**2
    scaled = np.abs(gamma * (x - mean) * inv)
    return np.asarray(
        np.abs(gamma) * (delta + 4 * u * kappa) + relative * scaled + 4 * u * (scaled + np.abs(beta)) + eta
    )


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
