"""The loop that everybody writes: two forward passes for each entry, a step of 1e-5, a relative error of 1e-4.

That is the rule of the CS231n course: max |a - n| / max(1e-8, |a| + |n|), for dx, dgamma and dbeta.
"""

from __future__ import annotations

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.settings import LayerSettings
from bncheck.timing.checker import Checked, Checker, Counted

_H, _TOLERANCE = 1e-5, 1e-4


def checker(batch: Batch, form: str) -> Checker:
    eps = LayerSettings().eps
    arrays = x, gamma, beta = batch.x.copy(), batch.gamma.copy(), batch.beta.copy()

    def loss() -> float:
        return float(np.sum(batchnorm.forward(x, gamma, beta, eps) * batch.dout))

    def check() -> Checked:
        counted = Counted(loss)
        analytic = batchnorm.backward(batch.dout, batch.x, batch.gamma, eps)
        worst = [_error(a, _numeric(counted, array)) for a, array in zip(analytic, arrays, strict=True)]
        return Checked(max(worst) <= _TOLERANCE, counted.calls)

    return Checker(check, loss, "")


def _numeric(loss: Counted, array: Array) -> Array:
    numeric = np.empty_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + _H
        above = loss()
        array[place] = kept - _H
        numeric[place] = (above - loss()) / (2 * _H)
        array[place] = kept
    return numeric


def _error(a: Array, n: Array) -> float:
    return float(np.max(np.abs(a - n) / np.maximum(1e-8, np.abs(a) + np.abs(n))))
