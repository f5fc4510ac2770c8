"""What a batch-normalization layer is, to everything that checks one."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from bncheck.arrays import Array, DTypeLike
from bncheck.batchnorm import Gradients, Statistics
from bncheck.settings import LayerSettings


class Call(NamedTuple):
    """The arguments of one forward pass.

    ``x`` is (N, M), ``gamma``, ``beta`` and the running statistics (M,): all D columns of a batch, or any
    selection of them, repeated ones included.
    """

    x: Array
    gamma: Array
    beta: Array
    running: Statistics | None
    settings: LayerSettings

    def astype(self, dtype: DTypeLike) -> Call:
        """The same numbers in another dtype."""
        return Call(
            self.x.astype(dtype, copy=False),
            self.gamma.astype(dtype, copy=False),
            self.beta.astype(dtype, copy=False),
            self.running.astype(dtype) if self.running else None,
            self.settings,
        )


class Pass(Protocol):
    """A forward pass that has been made, and what can be asked of it."""

    @property
    def out(self) -> Array:
        """(N, M); the caller may overwrite it once nothing else is asked."""

    def running(self) -> Statistics | None:
        """The running statistics after this pass."""

    def backward(self, dout: Array) -> Gradients:
        """The gradients of sum(dout * out)."""


class Layer(Protocol):
    """Anything whose forward pass can be called with arguments of our choosing."""

    @property
    def name(self) -> str:
        """As a report shows it."""

    def forward(self, call: Call) -> Pass:
        """Makes a forward pass in the dtype of ``call.x``, leaving no trace in the arguments."""
