"""The layer of batchnorm.py, behind the protocol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.layers.protocol import Call, Traits
from bncheck.vocabulary import Mode


@dataclass(frozen=True)
class ReferencePass:
    """A pass of the textbook layer."""

    call: Call
    out: Array

    @property
    def state(self) -> Statistics | None:
        return self.running()

    def inv(self) -> Array:
        """1 / sqrt(var + eps) of each column, (M,), in the dtype computed in."""
        call = _computed(self.call)
        return batchnorm.centre(call.x, call.settings.eps, _fixed(call))[1]

    def running(self) -> Statistics | None:
        call = self.call
        if call.running is None or call.settings.mode is Mode.TEST:
            return call.running
        inner = _computed(call)
        assert inner.running is not None
        batch = batchnorm.batch_statistics(inner.x)
        return batchnorm.update_running(inner.running, batch, call.settings.momentum).astype(call.x.dtype)

    def backward(self, dout: Array) -> Gradients:
        call, dtype = _computed(self.call), self.call.x.dtype
        wide = dout.astype(call.x.dtype, copy=False)
        made = batchnorm.backward(wide, call.x, call.gamma, call.settings.eps, _fixed(call))
        return Gradients(*(gradient.astype(dtype, copy=False) for gradient in made))


class Reference:
    """Textbook batch normalization; the layer that is checked when none is named."""

    name = "reference"
    traits = Traits("the textbook layer of bncheck itself", apart=True)

    def forward(self, call: Call, state: object = None) -> ReferencePass:
        if call.running is None and isinstance(state, Statistics):
            call = call._replace(running=state)
        inner = _computed(call)
        out = batchnorm.forward(inner.x, inner.gamma, inner.beta, inner.settings.eps, _fixed(inner))
        return ReferencePass(call, out.astype(call.x.dtype, copy=False))


def _computed(call: Call) -> Call:
    """Half precision is a format to store in: like every framework, compute in single, round at the end."""
    return call.astype(np.float32) if call.x.dtype == np.float16 else call


def _fixed(call: Call) -> Statistics | None:
    """The statistics that test mode normalizes by; None lets the batch supply them."""
    return call.running if call.settings.mode is Mode.TEST else None
