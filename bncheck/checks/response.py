"""How a layer's output answers to x, and to gamma and beta, as the functions that differences.py differentiates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.protocol import Call, Layer


class Response(NamedTuple):
    """``layer`` around ``call``, in the dtype of ``call``; complex arguments are passed on as they are."""

    layer: Layer
    call: Call
    rows: Array | None = None
    """Of x, those that ``of_x`` takes, (P,); None: all of them."""

    def of_x(self, x: Array, columns: Array) -> Array:
        """out (N, M) of x (P, M); lane m belongs to column columns[m]."""
        if self.rows is not None:
            whole = self.call.x.take(columns, axis=1).astype(x.dtype, copy=False)
            whole[self.rows] = x
            x = whole
        return self._out(x, self.call.gamma[columns], self.call.beta[columns], columns)

    def of_parameters(self, both: Array, columns: Array) -> Array:
        """out (N, M) of gamma and beta, (2, M)."""
        x = self.call.x.take(columns, axis=1).astype(both.dtype, copy=False)
        return self._out(x, both[0], both[1], columns)

    def _out(self, x: Array, gamma: Array, beta: Array, columns: Array) -> Array:
        running = self.call.running.take(columns) if self.call.running else None
        return self.layer.forward(Call(x, gamma, beta, running, self.call.settings)).out


def parameters_of(call: Call) -> tuple[Array, Array]:
    """gamma and beta, one row each, (2, D), and the unit in which steps in them are told, (D,).

    out is linear in both together, so that any distance would do; that of their own size keeps rounding small.
    """
    both = np.stack([call.gamma, call.beta])
    return both, np.maximum(np.abs(both).max(axis=0), 1)
