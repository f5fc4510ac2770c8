"""jax.test_util.check_grads, of the layer in jax.numpy, compiled: reverse mode, first order."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.test_util import check_grads

from bncheck.batch import Batch
from bncheck.settings import LayerSettings
from bncheck.timing.checker import Checked, Checker, Counted


def checker(batch: Batch, form: str) -> Checker:
    jax.config.update("jax_enable_x64", True)
    eps = LayerSettings().eps
    inputs = tuple(jnp.asarray(array) for array in (batch.x, batch.gamma, batch.beta))
    dout = jnp.asarray(batch.dout)

    def loss(x: Any, gamma: Any, beta: Any, dout: Any) -> Any:
        centred = x - x.mean(axis=0)
        xhat = centred / jnp.sqrt((centred**2).mean(axis=0) + eps)
        return jnp.sum((gamma * xhat + beta) * dout)

    # As an argument dout is no constant, which the compiler would fold for a long time.
    compiled = jax.jit(loss)

    def check() -> Checked:
        counted = Counted(lambda *arrays: compiled(*arrays, dout))
        try:
            check_grads(counted, inputs, order=1, modes=["rev"])
        except AssertionError:
            return Checked(False, counted.calls)
        return Checked(True, counted.calls)

    return Checker(check, lambda: compiled(*inputs, dout).block_until_ready(), str(jax.__version__))
