"""What of dx is looked at: its entries, or its projections on random directions."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients


class View(Protocol):
    def of(self, table: Array) -> Array:
        """What is looked at of an (N, D) table of values."""

    def bound(self, table: Array) -> Array:
        """What that may be off by where the entries may be off by ``table``, (N, D)."""

    def rounding(self, table: Array) -> Array:
        """What the looking itself may be off by."""


class Entries:
    """Every entry, as it is."""

    def of(self, table: Array) -> Array:
        return table

    def bound(self, table: Array) -> Array:
        return table

    def rounding(self, table: Array) -> Array:
        return np.zeros(table.shape[1:])


class Flat:
    """All columns as a single one, for a layer in which they meet."""

    def __init__(self, view: View) -> None:
        self.view = view

    def of(self, table: Array) -> Array:
        return self.view.of(table.reshape(-1, 1))

    def bound(self, table: Array) -> Array:
        return self.view.bound(table.reshape(-1, 1))

    def rounding(self, table: Array) -> Array:
        return self.view.rounding(table.reshape(-1, 1))


ENTRIES = Entries()


def seen(values: Gradients, view: View) -> Gradients:
    """The gradients, dx as it is looked at."""
    return values._replace(dx=view.of(values.dx))


def bounds(limits: Gradients, view: View) -> Gradients:
    """What the gradients as they are looked at may be off by."""
    return limits._replace(dx=view.bound(limits.dx))
