"""Results that are no arrays: lists of numbers that can be made one, and what the rest is called."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.functions.binding import Items


def listed(value: Any) -> Array | None:
    """A list of lists of numbers as an array."""
    if not isinstance(value, list) or not value or not isinstance(value[0], list):
        return None
    try:
        made = np.array(value)
    except ValueError:
        return None
    return made if made.dtype.kind == "f" else None


def told(items: Items) -> str:
    kinds = dict.fromkeys(type(item).__name__ for _, item in items if item is not None)
    return f"no array, but {' and '.join(kinds)}" if kinds else "None"
