"""Four right layers, written as differently as people write them; the dtype of x is what they compute in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.protocol import Layer
from bncheck.layers.resolve import of


def _staged(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Any]:
    n = len(x)
    mean = x.sum(axis=0) / x.dtype.type(n)
    centred = x - mean
    squared = centred**2
    var = squared.sum(axis=0) / x.dtype.type(n)
    root = np.sqrt(var + x.dtype.type(eps))
    inverse = 1 / root
    xhat = centred * inverse
    return gamma * xhat + beta, (xhat, gamma, centred, inverse, root)


def _staged_back(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    """Node by node, as the graph is taught; contains the term with sum(x - mean), which is zero."""
    xhat, gamma, centred, inverse, root = cache
    n = dout.dtype.type(len(dout))
    dxhat = dout * gamma
    dinverse = (dxhat * centred).sum(axis=0)
    droot = -dinverse / root**2
    dvar = droot / (2 * root)
    dsquared = dvar / n * np.ones_like(dout)
    dcentred = dxhat * inverse + 2 * centred * dsquared
    dmean = -dcentred.sum(axis=0)
    return dcentred + dmean / n, (dout * xhat).sum(axis=0), dout.sum(axis=0)


def _closed_back(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    xhat, gamma, _, inverse, _ = cache
    n = dout.dtype.type(len(dout))
    dgamma, dbeta = (dout * xhat).sum(axis=0), dout.sum(axis=0)
    return gamma * inverse / n * (n * dout - dbeta - xhat * dgamma), dgamma, dbeta


def _einsum_back(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    xhat, gamma, _, inverse, _ = cache
    ones = np.ones(len(dout), dout.dtype)
    n = dout.dtype.type(len(dout))
    dbeta, dgamma = np.einsum("n,nd->d", ones, dout), np.einsum("nd,nd->d", dout, xhat)
    dx = np.einsum("nd,d->nd", dout - (dbeta + xhat * dgamma) / n, gamma * inverse)
    return dx, dgamma, dbeta


def _accumulating(x: Array, gamma: Array, beta: Array, eps: float, wide: np.dtype[Any]) -> tuple[Array, Any]:
    """Sums in at least float32, everything else in the dtype of x."""
    mean = x.mean(axis=0, dtype=wide)
    var = np.square(x - mean, dtype=wide).mean(axis=0)
    inverse = 1 / np.sqrt(var + wide.type(eps))
    xhat = ((x - mean) * inverse).astype(x.dtype)
    return gamma * xhat + beta, (xhat, gamma, inverse, wide)


def _accumulating_back(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
    xhat, gamma, inverse, wide = cache
    g = dout * gamma.astype(wide)
    dx = inverse * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    sums = (dout * xhat.astype(wide)).sum(axis=0), dout.sum(axis=0, dtype=wide)
    return dx.astype(dout.dtype), *(s.astype(dout.dtype) for s in sums)


def _pair(back: Callable[[Array, Any], tuple[Array, Array, Array]]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def batchnorm_forward(x: Array, gamma: Array, beta: Array, bn_param: dict[str, Any]) -> tuple[Array, Any]:
        if back is _accumulating_back:
            wide = np.result_type(x.dtype, np.float32)
            return _accumulating(x, gamma, beta, bn_param.get("eps", 1e-5), wide)
        return _staged(x, gamma, beta, bn_param.get("eps", 1e-5))

    def batchnorm_backward(dout: Array, cache: Any) -> tuple[Array, Array, Array]:
        dx, dgamma, dbeta = back(dout, cache)
        return dx, dgamma, dbeta

    return batchnorm_forward, batchnorm_backward


PAIRS = {
    "staged": _pair(_staged_back),
    "closed form": _pair(_closed_back),
    "einsum": _pair(_einsum_back),
    "float32-accumulating": _pair(_accumulating_back),
}
IMPLEMENTATIONS = tuple(PAIRS)
ACCUMULATING = IMPLEMENTATIONS[-1]
"""The one that does not overflow in float16."""


def layer(name: str) -> Layer:
    return of(PAIRS[name])
