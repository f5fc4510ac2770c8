"""How a layer's output answers to x, and to gamma and beta, as the functions that differences.py differentiates."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.protocol import Call, Layer, Walk


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
        x = self.call.x
        if len(columns) == x.shape[1] and np.array_equal(columns, np.arange(len(columns))):
            return self._out(x.astype(both.dtype, copy=False), both[0], both[1], columns)
        # In the memory order of x: of many rows and few columns, the other one is slow to walk along.
        x = x.T.take(columns, axis=0).T if x.flags.fnc else x.take(columns, axis=1)
        return self._out(x.astype(both.dtype, copy=False), both[0], both[1], columns)

    def walk(self, x: Array, dout: Array, columns: Array) -> Walk | None:
        """out along lines through x, for a layer that walks them itself."""
        walk: Callable[[Call, Array], Walk | None] | None = getattr(self.layer, "walk", None)
        call = self._call(x, self.call.gamma[columns], self.call.beta[columns], columns)
        return walk(call, dout) if walk else None

    def _out(self, x: Array, gamma: Array, beta: Array, columns: Array) -> Array:
        return self.layer.forward(self._call(x, gamma, beta, columns)).out

    def _call(self, x: Array, gamma: Array, beta: Array, columns: Array) -> Call:
        running = self.call.running.take(columns) if self.call.running else None
        return Call(x, gamma, beta, running, self.call.settings)


def parameters_of(call: Call) -> tuple[Array, Array]:
    """gamma and beta, one row each, (2, D), and the unit in which steps in them are told, (D,).

    out is linear in both together, so that any distance would do; that of their own size keeps rounding small.
    """
    both = np.stack([call.gamma, call.beta])
    return both, np.maximum(np.abs(both).max(axis=0), 1)
