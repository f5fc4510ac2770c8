"""autograd.test_util.check_grads, of the layer in autograd.numpy: reverse mode, first order."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import autograd.numpy as anp
from autograd.test_util import check_grads

from bncheck.batch import Batch
from bncheck.settings import LayerSettings
from bncheck.timing.checker import Checked, Checker, Counted


def checker(batch: Batch, form: str) -> Checker:
    eps = LayerSettings().eps
    inputs = (batch.x, batch.gamma, batch.beta)

    def loss(x: Any, gamma: Any, beta: Any) -> Any:
        centred = x - anp.mean(x, axis=0)
        xhat = centred / anp.sqrt(anp.mean(centred**2, axis=0) + eps)
        return anp.sum((gamma * xhat + beta) * batch.dout)

    def check() -> Checked:
        counted = Counted(loss)
        try:
            check_grads(counted, (0, 1, 2), modes=["rev"], order=1)(*inputs)
        except AssertionError:
            return Checked(False, counted.calls)
        return Checked(True, counted.calls)

    return Checker(check, lambda: loss(*inputs), version("autograd"))
