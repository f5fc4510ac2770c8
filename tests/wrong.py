"""Layers that are wrong in one known way each: a checker that was never seen failing proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.layers.protocol import Call, Traits
from bncheck.layers.reference import Reference

Mistake = Callable[[Call, Array, Gradients], Gradients]


@dataclass(frozen=True)
class WrongPass:
    call: Call
    out: Array
    mistake: Mistake
    state: object = None

    def running(self) -> Statistics | None:
        return Reference().forward(self.call).running()

    def backward(self, dout: Array) -> Gradients:
        right = Reference().forward(self.call).backward(dout)
        return self.mistake(self.call, dout, right)


_TRAITS = Traits()


@dataclass(frozen=True)
class WrongLayer:
    """The reference forward, and a backward that a mistake has been made in."""

    name: str
    mistake: Mistake
    traits: Traits = _TRAITS

    def forward(self, call: Call, state: object = None) -> WrongPass:
        return WrongPass(call, Reference().forward(call).out, self.mistake)


def paths(call: Call, dout: Array, direct: float, mean: float, variance: float) -> Array:
    """dx with a factor of its own on each of the three paths by which x reaches out."""
    centred, inv = batchnorm.centre(call.x, call.settings.eps)
    xhat, g = centred * inv, dout * call.gamma
    through_variance = xhat * (g * xhat).mean(axis=0)
    dx = inv * (direct * g - mean * g.mean(axis=0) - variance * through_variance)
    return np.asarray(dx.astype(call.x.dtype))


def with_paths(direct: float, mean: float, variance: float) -> Mistake:
    return lambda call, dout, right: right._replace(dx=paths(call, dout, direct, mean, variance))


def with_entry(factor: float) -> Mistake:
    def mistake(call: Call, dout: Array, right: Gradients) -> Gradients:
        dx = right.dx.copy()
        dx[len(dx) // 2, 1] *= factor
        return right._replace(dx=dx)

    return mistake


def with_other_eps(call: Call, dout: Array, right: Gradients) -> Gradients:
    other = call._replace(settings=replace(call.settings, eps=0.0))
    return right._replace(dx=Reference().forward(other).backward(dout).dx)


def without_gamma(call: Call, dout: Array, right: Gradients) -> Gradients:
    return right._replace(dx=Reference().forward(call._replace(gamma=np.ones_like(call.gamma))).backward(dout).dx)


def with_unbiased_variance(call: Call, dout: Array, right: Gradients) -> Gradients:
    n = len(call.x)
    return with_paths(1, 1, n / (n - 1))(call, dout, right)


DX: dict[str, Mistake] = {
    "variance path lost": with_paths(1, 1, 0),
    "mean path lost": with_paths(1, 0, 1),
    "statistics taken as constants": with_paths(1, 0, 0),
    "half of the variance path": with_paths(1, 1, 0.5),
    "N - 1": with_unbiased_variance,
    "gamma left out": without_gamma,
    "eps left out": with_other_eps,
    "sign": lambda call, dout, right: right._replace(dx=-right.dx),
    "a common factor": lambda call, dout, right: right._replace(dx=right.dx * call.x.dtype.type(1.001)),
    "zeros": lambda call, dout, right: right._replace(dx=np.zeros_like(right.dx)),
    "one entry off by 1%": with_entry(1.01),
    "one entry NaN": with_entry(np.nan),
    "one entry infinite": with_entry(np.inf),
}
PARAMETERS: dict[str, tuple[str, Mistake]] = {
    "dgamma a mean": ("dgamma", lambda call, dout, right: right._replace(dgamma=right.dgamma / len(dout))),
    "dgamma from x": ("dgamma", lambda call, dout, right: right._replace(dgamma=(dout * call.x).sum(axis=0))),
    "dgamma off by 0.1%": ("dgamma", lambda call, dout, right: right._replace(dgamma=right.dgamma * np.float32(1.001))),
    "dgamma NaN": ("dgamma", lambda call, dout, right: right._replace(dgamma=right.dgamma * np.nan)),
    "dbeta a mean": ("dbeta", lambda call, dout, right: right._replace(dbeta=right.dbeta / len(dout))),
    "dbeta one column": ("dbeta", lambda call, dout, right: right._replace(dbeta=right.dbeta * _but_first(call))),
    "swapped": ("dgamma", lambda call, dout, right: Gradients(right.dx, right.dbeta, right.dgamma)),
}


def _but_first(call: Call) -> Array:
    factor = np.ones_like(call.gamma)
    factor[0] = 0
    return factor
