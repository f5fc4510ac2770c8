"""A walk along lines through one point that never leaves the device on which a layer's tensors live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Call, Walk
from bncheck.layers.tensors.arrays import narrowed, spread


def lines_through(layer: Any, call: Call, weights: Array, out_of: Callable[[Call, Any], Any]) -> Walk | None:
    """From x and the weights, (N, M) both; ``out_of`` makes a fresh forward pass in tensors, and keeps nothing of it.

    ``layer`` has a name, a layout and a library.  None where out has not the shape of x.  x, the weights and each
    direction are handed over once; of what is computed of them, the output at x comes back, and sums over the rows.
    """
    library, inner = layer.library, narrowed(call, layer.library)
    dtype, width = inner.x.dtype, inner.x.shape[1]

    def tensor(table: Array) -> Any:
        return library.tensor(spread(table.astype(dtype, copy=False), layer.layout))

    def run(point: Any) -> Any:
        with guarded(layer.name), quiet():
            return library.value(out_of(inner, point), dtype)

    there = spread(inner.x, layer.layout)
    channel = there.ndim - 1 if layer.layout in ("flat", "nhwc") else 1
    rows = tuple(axis for axis in range(there.ndim) if axis != channel)
    with library.precision(dtype):
        x, dout, base = library.root(there), tensor(weights), run(library.handed(there))
    if tuple(base.shape) != there.shape:
        return None

    def along(direction: Array, lengths: Array, multiples: tuple[int, ...]) -> tuple[Array, Array]:
        changes, square = [], None
        with library.precision(dtype):
            change = tensor(direction) * tensor(np.broadcast_to(lengths, (1, width)))
            for multiple in multiples:
                moved = run(x + change * multiple) - base
                changes.append((dout * moved).sum(rows))
                square = (moved * moved).sum(rows) if square is None else square
        back = np.array([library.array(one) for one in (*changes, square)]).astype(call.x.dtype)
        return back[:-1], back[-1]

    out = np.moveaxis(library.array(base), channel, -1).reshape(inner.x.shape)
    return Walk(out.astype(call.x.dtype, copy=False), along)
