"""How far rounding alone can move the gradients of a good implementation, on this batch, in this dtype.

Nothing here is tuned to let layers pass: it is the first-order error analysis of the formulas of batchnorm.py, with

* u, the unit roundoff of the dtype, and eta, its smallest number (what underflow loses);
* c, by which a sum of N terms may exceed one rounding: min(N, 4 sqrt(N)).  N is the worst case
  (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2) and sqrt(N) what rounding
  errors that do not conspire add up to, exceeded 4 times with a probability below 1e-3 a sum
  (Higham & Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019);
* delta, the error of xhat that a wrong mean causes.  The mean is off by up to c u max|x|, hence
  xhat by delta = c u max|x| / sqrt(var + eps), *all rows of a column alike*, so that it adds up in
  dgamma and is no random wiggle.  In units of u this is the condition number kappa of section 4;
* rho, the relative error of inv.  The two-pass variance is off by the square of the mean's error
  and a few roundings (Chan, Golub & LeVeque 1983, section 3): rho = c u + min(1, delta²) + eta / (var + eps).

Then xhat is off by xi = delta + (rho + u) |xhat|, and term by term, with g = dout * gamma,

    dbeta    c u sum|dout|
    dgamma   sum(|dout| xi) + c u sum|dout * xhat|
    dx       (rho + c u) * natural scale + inv * (xi |mean(g xhat)| + (|xhat| + xi) mean(|g| xi))

where the natural scale of a gradient is the size of its terms before they cancel: a gradient that is
exactly zero on paper is not to be judged by its own size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncheck.batchnorm import Gradients, Statistics, batch_statistics
from bncheck.layers.protocol import Call
from bncheck.settings import Mode


@dataclass(frozen=True)
class Allowance:
    """Both are Gradients of numbers >= 0, in float64."""

    natural_scale: Gradients
    rounding: Gradients


def allowance(call: Call, dout: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> Allowance:
    """What a good implementation that computes in ``dtype`` may be off by, entry by entry."""
    x, gamma, dout = (a.astype(np.float64) for a in (call.x, call.gamma, dout))
    info = np.finfo(dtype)
    u, eta = float(info.eps) / 2, float(info.smallest_subnormal)
    c = u * summation(len(x))
    fixed = call.running if call.settings.mode is Mode.TEST else None
    mean, var = (s.astype(np.float64) for s in fixed) if fixed else batch_statistics(x)
    inv = 1 / np.sqrt(np.maximum(var + call.settings.eps, eta))
    xhat, g = np.abs(x - mean) * inv, np.abs(dout * gamma)
    delta = c * np.maximum(np.abs(x).max(axis=0), np.abs(mean)) * inv
    rho = c + np.minimum(1, delta**2) + eta * inv**2
    xi = delta + (rho + u) * xhat
    if fixed:
        scale = inv * g
        rounding = (rho + c) * scale
    else:
        signed = np.abs((dout * gamma * (x - mean) * inv).mean(axis=0))
        scale = inv * (g + g.mean(axis=0) + xhat * (g * xhat).mean(axis=0))
        rounding = (rho + c) * scale + inv * (xi * signed + (xhat + xi) * (g * xi).mean(axis=0))
    size = np.abs(dout)
    natural = Gradients(scale, (size * xhat).sum(axis=0), size.sum(axis=0))
    return Allowance(
        natural,
        Gradients(
            rounding + len(x) * eta,
            (size * xi).sum(axis=0) + c * natural.dgamma + len(x) * eta,
            c * natural.dbeta + len(x) * eta,
        ),
    )


def summation(n: int) -> float:
    """What a sum of n terms is off by, in units of its dtype's roundoff and of the sum of their sizes."""
    return 4 + min(n, 4 * math.sqrt(n))


def bending_scale(call: Call) -> np.ndarray[Any, Any]:
    """sqrt(var + eps) of each column, (D,): the distance over which the layer's response to x bends.

    Where that is zero (a constant column and eps = 0) the column's own size, or 1, stands in for it.
    """
    fixed = call.running if call.settings.mode is Mode.TEST else None
    statistics: Statistics = fixed or batch_statistics(call.x)
    scale = np.sqrt(statistics.var + statistics.var.dtype.type(call.settings.eps))
    size = np.abs(call.x).max(axis=0)
    return np.where(scale > 0, scale, np.where(size > 0, size, 1)).astype(call.x.dtype)
