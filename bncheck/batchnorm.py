"""Batch normalization: the layer, its gradients, and where each term comes from.

Everything here is the mathematics of one paper, Ioffe & Szegedy, "Batch Normalization:
Accelerating Deep Network Training by Reducing Internal Covariate Shift" (2015), section 3
(Algorithm 1 is the forward pass; the backward pass follows it there by the chain rule).

Shapes: ``x``, ``dout``, ``out``, ``dx`` are (N, D); ``gamma``, ``beta``, ``dgamma``, ``dbeta``,
``mean``, ``var`` are (D,).  Statistics run over axis 0, so the columns never meet.  All functions
work in the dtype they are given, complex included: nothing below takes a modulus, which is what
makes the complex step exact (``np.var`` of complex numbers is the variance of |x - mean|, and a
derivative through it loses exactly the path through the variance).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array, DTypeLike


class Statistics(NamedTuple):
    """Mean and (biased) variance of every column, each (D,)."""

    mean: Array
    var: Array

    def astype(self, dtype: DTypeLike) -> Statistics:
        return Statistics(self.mean.astype(dtype), self.var.astype(dtype))

    def take(self, columns: Array) -> Statistics:
        return Statistics(self.mean[columns], self.var[columns])


class Gradients(NamedTuple):
    """What a backward pass returns: dx (N, D), dgamma (D,), dbeta (D,)."""

    dx: Array
    dgamma: Array
    dbeta: Array


def batch_statistics(x: Array) -> Statistics:
    """Mean and biased variance (divided by N) of each column of ``x``.

    Two passes: the squares are taken after the mean has been subtracted.  E[x²] - E[x]² is the same
    number on paper and loses 2·log10(|mean| / std) digits in floating point (Chan, Golub & LeVeque,
    "Algorithms for Computing the Sample Variance", The American Statistician 37, 1983).
    """
    mean = x.mean(axis=0)
    return Statistics(mean, _mean_square(x - mean))


def centre(x: Array, eps: float, running: Statistics | None = None) -> tuple[Array, Array]:
    """x - mean, (N, D), and inv = 1 / sqrt(var + eps), (D,); their product is xhat.

    ``running`` None takes the statistics of this batch (training); given, those (inference,
    Algorithm 2 of the paper).  eps stands inside the root.
    """
    centred = x - (x.mean(axis=0) if running is None else running.mean)
    var = _mean_square(centred) if running is None else running.var
    return centred, 1 / np.sqrt(var + var.dtype.type(eps))


def forward(x: Array, gamma: Array, beta: Array, eps: float, running: Statistics | None = None) -> Array:
    """out = gamma * xhat + beta, (N, D); ``running`` as for ``centre``."""
    out, inv = centre(x, eps, running)
    out *= gamma * inv
    out += beta
    return out


def backward(dout: Array, x: Array, gamma: Array, eps: float, running: Statistics | None = None) -> Gradients:
    """Gradients of sum(dout * out) with respect to x, gamma and beta.

    beta and gamma are broadcast over the rows going forward, so their gradients are sums over the
    rows going back::

        dbeta  = sum(dout)
        dgamma = sum(dout * xhat)

    With g = dout * gamma, the gradient with respect to xhat, and inv = 1 / sqrt(var + eps), x
    reaches xhat = (x - mean) * inv by three paths:

    * directly: d xhat_k / d x_i = inv if k = i, which contributes inv * g;
    * through the mean: d mean / d x_i = 1/N, and every row of xhat moves by -inv / N.  A sum going
      forward is a broadcast of ones going back: -inv * mean(g);
    * through the variance: d var / d x_i = 2 (x_i - mean) / N (the mean's own share in it vanishes,
      for sum(x - mean) = 0) and d inv / d var = -inv³ / 2, so that row k of xhat moves by
      (x_k - mean) * (-inv³ / 2) * 2 (x_i - mean) / N = -inv * xhat_k * xhat_i / N:
      -inv * xhat * mean(g * xhat).

    Their sum is dx.  With ``running`` given the statistics are constants and only the direct path is left.
    """
    centred, inv = centre(x, eps, running)
    # In place where a table is not needed again: of a large batch, every new one costs as much as its arithmetic.
    xhat = np.multiply(centred, inv, out=centred)
    product = dout * xhat
    dgamma = product.sum(axis=0)
    g = np.multiply(dout, gamma, out=product)
    dx = g
    if running is None:
        # g is formed twice, which costs less than a third table would.
        through_variance = np.multiply(g, xhat, out=g).mean(axis=0)
        through_statistics = np.multiply(xhat, through_variance, out=xhat)
        g = np.multiply(dout, gamma, out=product)
        through_statistics += g.mean(axis=0)
        dx = np.subtract(g, through_statistics, out=g)
    dx *= inv
    return Gradients(dx, dgamma, dbeta=dout.sum(axis=0))


def update_running(running: Statistics, batch: Statistics, momentum: float) -> Statistics:
    """running = momentum * running + (1 - momentum) * batch; ``momentum`` is the share that is kept.

    The batch variance goes in as it is, biased (CS231n and Keras; PyTorch takes the share taken for
    its momentum and puts in the unbiased variance).
    """
    kept = running.mean.dtype.type(momentum)
    return Statistics(
        mean=kept * running.mean + (1 - kept) * batch.mean,
        var=kept * running.var + (1 - kept) * batch.var,
    )


def _mean_square(centred: Array) -> Array:
    # einsum neither conjugates nor makes a temporary.
    return np.asarray(np.einsum("nd,nd->d", centred, centred) / len(centred))
