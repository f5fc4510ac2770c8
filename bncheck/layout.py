"""How a table of rows and columns lies in an array of any number of axes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.errors import BadInput


class Layout(NamedTuple):
    """How the (N, D) of the mathematics lay in the array that was given."""

    shape: tuple[int, ...]
    channel_axis: int

    @classmethod
    def of(cls, array: Array, channel_axis: int | None, name: str = "x") -> Layout:
        """Columns are channels: the last axis of a table, the axis named for anything else."""
        if array.ndim < 2 or (channel_axis is None and array.ndim > 2):
            ways = {1: "give it as (N, 1) or (1, D)", 0: "give a table (N, D)"}.get(
                array.ndim, "name the axis of its channels, --channel-axis 1 for (N, C, H, W)"
            )
            raise BadInput(f"{name} has shape {array.shape}, and (N, D) is needed: {ways}")
        axis = 1 if channel_axis is None else channel_axis
        if not -array.ndim <= axis < array.ndim:
            raise BadInput(f"--channel-axis {axis} does not exist in {name} of shape {array.shape}")
        if 0 in array.shape:
            raise BadInput(f"{name} has shape {array.shape}: there is nothing in it")
        return cls(array.shape, axis % array.ndim)

    def to_table(self, array: Array) -> Array:
        """(N, D) from the layout given; a view where that is possible."""
        return np.moveaxis(array, self.channel_axis, -1).reshape(-1, self.shape[self.channel_axis])

    def from_table(self, table: Array) -> Array:
        """The layout given, from (N, D)."""
        moved = [n for axis, n in enumerate(self.shape) if axis != self.channel_axis]
        return np.moveaxis(table.reshape(*moved, -1), -1, self.channel_axis)

    def place(self, row: int, column: int) -> tuple[int, ...]:
        """Where entry (row, column) of the table stands in the layout given."""
        moved = [n for axis, n in enumerate(self.shape) if axis != self.channel_axis]
        found = [int(i) for i in np.unravel_index(row, moved)]
        found.insert(self.channel_axis, int(column))
        return tuple(found)
