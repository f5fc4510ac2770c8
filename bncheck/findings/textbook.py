"""Batch normalization in steps, and what it becomes when one of them is done wrong.

Each step is a plain function of the quantities that it names in its parameters, so that the code which the
catalogue shows is the code that runs.  A mutant is the right layer with some steps replaced; two mutants of
different steps are one layer with both mistakes.  The mathematics is that of batchnorm.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array

Quantities = dict[str, Any]
"""x, gamma, beta, dout, eps, momentum, n, mean, var, inv, centred, xhat, out, g, running_mean, running_var: as far
as they are known when the step is made.  n is the number of rows, g = dout * gamma."""


def wide(x: Array) -> Array:
    return x.astype(np.promote_types(x.dtype, np.float32), copy=False)


def statistics(x: Array) -> tuple[Array, Array]:
    mean = x.mean(axis=0)
    return mean, ((x - mean) ** 2).mean(axis=0)


def centred(x: Array, mean: Array) -> Array:
    return x - mean


def inv(var: Array, eps: float) -> Array:
    return 1 / np.sqrt(var + eps)


def affine(xhat: Array, gamma: Array, beta: Array) -> Array:
    return gamma * xhat + beta


def update(running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float) -> tuple[Array, Array]:
    running_mean = momentum * running_mean + (1 - momentum) * mean
    running_var = momentum * running_var + (1 - momentum) * var
    return running_mean, running_var


def fixed(running_mean: Array, running_var: Array) -> tuple[Array, Array]:
    return running_mean, running_var


def keep(running_mean: Array, running_var: Array) -> tuple[Array, Array]:
    return running_mean, running_var


def dx(g: Array, xhat: Array, inv: Array) -> Array:
    return inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))


def dx_in_test_mode(g: Array, inv: Array) -> Array:
    return inv * g


def dgamma(dout: Array, xhat: Array) -> Array:
    return (dout * xhat).sum(axis=0)


def dbeta(dout: Array) -> Array:
    return dout.sum(axis=0)


class Steps(NamedTuple):
    """The layer, step by step."""

    wide: Callable[..., Any] = wide
    """x in the dtype that is computed in: half precision is a format to store in."""
    statistics: Callable[..., Any] = statistics
    """The mean and variance that training normalizes by."""
    centred: Callable[..., Any] = centred
    inv: Callable[..., Any] = inv
    affine: Callable[..., Any] = affine
    update: Callable[..., Any] = update
    """The running statistics after a training pass."""
    fixed: Callable[..., Any] = fixed
    """The mean and variance that test mode normalizes by."""
    inv_in_test_mode: Callable[..., Any] = inv
    affine_in_test_mode: Callable[..., Any] = affine
    keep: Callable[..., Any] = keep
    """The running statistics after a test pass."""
    dx: Callable[..., Any] = dx
    dx_in_test_mode: Callable[..., Any] = dx_in_test_mode
    dgamma: Callable[..., Any] = dgamma
    dbeta: Callable[..., Any] = dbeta

    def pair(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The layer as people write it: batchnorm_forward and batchnorm_backward."""

        def batchnorm_forward(x: Array, gamma: Array, beta: Array, bn_param: Quantities) -> tuple[Any, Quantities]:
            train = {"train": True, "test": False}[bn_param["mode"]]
            zeros = np.zeros(x.shape[1], x.dtype)
            known: Quantities = {"x": x, "gamma": gamma, "beta": beta, "n": len(x)}
            known |= {"eps": bn_param.get("eps", 1e-5), "momentum": bn_param.get("momentum", 0.9)}
            known["running_mean"] = bn_param.get("running_mean", zeros)
            known["running_var"] = bn_param.get("running_var", zeros + 1)
            normalize(self, known, train)
            after = made(self.update if train else self.keep, known)
            bn_param["running_mean"], bn_param["running_var"] = after
            return known["out"].astype(x.dtype, copy=False), {**known, "train": train}

        def batchnorm_backward(dout: Array, cache: Quantities) -> tuple[Array, Array, Array]:
            known = {**cache, "dout": dout, "g": dout * cache["gamma"]}
            dx, dgamma, dbeta = gradients(self, known, cache["train"])
            return dx, dgamma, dbeta

        return batchnorm_forward, batchnorm_backward


RIGHT = Steps()


def normalize(steps: Steps, known: Quantities, train: bool) -> None:
    """The forward pass: adds mean, var, inv, centred, xhat and out to what is known."""
    known["x"] = made(steps.wide, known)
    known["mean"], known["var"] = made(steps.statistics if train else steps.fixed, known)
    known["centred"] = made(steps.centred, known)
    known["inv"] = made(steps.inv if train else steps.inv_in_test_mode, known)
    known["xhat"] = known["centred"] * known["inv"]
    known["out"] = made(steps.affine if train else steps.affine_in_test_mode, known)


def gradients(steps: Steps, known: Quantities, train: bool) -> tuple[Array, Array, Array]:
    """The backward pass: dx, dgamma, dbeta."""
    through = steps.dx if train else steps.dx_in_test_mode
    return made(through, known), made(steps.dgamma, known), made(steps.dbeta, known)


def made(step: Callable[..., Any], known: Quantities) -> Any:
    """The step, given the quantities that its parameters name."""
    code = step.__code__
    return step(*(known[name] for name in code.co_varnames[: code.co_argcount]))
