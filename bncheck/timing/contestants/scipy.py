"""scipy.optimize.check_grad: the 2-norm of the whole difference, or the difference along one random direction.

It takes forward differences, and leaves it to the user what norm is small enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from scipy.optimize import check_grad

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.settings import LayerSettings
from bncheck.timing.checker import Checked, Checker, Counted


def checker(batch: Batch, form: str) -> Checker:
    eps, (n, d) = LayerSettings().eps, batch.x.shape
    start = np.concatenate([batch.x.ravel(), batch.gamma, batch.beta])
    asked: dict[str, Any] = {"direction": form}
    if form == "random":
        asked["rng"] = np.random.default_rng(0)

    def parts(flat: Array) -> tuple[Array, Array, Array]:
        return flat[: n * d].reshape(n, d), flat[n * d : n * d + d], flat[n * d + d :]

    def loss(flat: Array) -> float:
        return float(np.sum(batchnorm.forward(*parts(flat), eps) * batch.dout))

    def gradient(flat: Array) -> Array:
        x, gamma, _ = parts(flat)
        dx, dgamma, dbeta = batchnorm.backward(batch.dout, x, gamma, eps)
        return np.concatenate([dx.ravel(), dgamma, dbeta])

    def check() -> Checked:
        counted = Counted(loss)
        check_grad(counted, gradient, start, **asked)
        return Checked(None, counted.calls)

    return Checker(check, lambda: loss(start), str(scipy.__version__))
