"""How a batch is laid out for a class: (N, D), images, sequences, or features first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from bncheck.arrays import Array

LAYOUTS: Final = ("(N, D)", "(N, C, H, W)", "(N, H, W, C)", "(D, N)", "(N, C, L)", "(N, L, C)")
ROWS, CHANNELS_FIRST, CHANNELS_LAST, COLUMNS, SEQUENCES_FIRST, SEQUENCES_LAST = LAYOUTS

# The axis of the columns, and how many axes of places there are.
_AXES: Final = {
    ROWS: (1, 0),
    CHANNELS_FIRST: (1, 2),
    CHANNELS_LAST: (3, 2),
    COLUMNS: (0, 0),
    SEQUENCES_FIRST: (1, 1),
    SEQUENCES_LAST: (2, 1),
}
SHAPES: Final[dict[str, list[tuple[int | None, ...]]]] = {
    ROWS: [(-1,), (None, -1), (1, -1)],
    CHANNELS_FIRST: [(-1,), (None, -1, None, None), (-1, None, None)],
    CHANNELS_LAST: [(-1,), (None, None, None, -1), (None, None, -1)],
    COLUMNS: [(-1, 1), (-1, None), (-1,)],
    SEQUENCES_FIRST: [(-1,), (None, -1, None), (-1, None)],
    SEQUENCES_LAST: [(-1,), (None, None, -1), (None, -1)],
}
GAMMAS: Final[dict[str, list[tuple[int, ...]]]] = {
    ROWS: [(-1,), (1, -1), (-1, 1)],
    CHANNELS_FIRST: [(1, -1, 1, 1), (-1,), (-1, 1, 1)],
    CHANNELS_LAST: [(-1,), (1, 1, 1, -1), (1, -1)],
    COLUMNS: [(-1, 1), (-1,), (1, -1)],
    SEQUENCES_FIRST: [(1, -1, 1), (-1,), (-1, 1)],
    SEQUENCES_LAST: [(-1,), (1, 1, -1), (1, -1)],
}


def channels_of(layout: str) -> int:
    """The axis of x that has the columns."""
    return _AXES[layout][0]


def places_of(layout: str) -> int:
    """How many axes of an image or a sequence x has."""
    return _AXES[layout][1]


@lru_cache(64)
def spatial(n: int) -> tuple[int, int, int]:
    """(images, H, W) for N rows: more than one pixel an image wherever N allows it, and at least two images."""
    pixels = min(
        (p for p in range(1, n + 1) if n % p == 0 and (n // p > 1 or p == 1)), key=lambda p: abs(p - n ** (2 / 3))
    )
    height = next(h for h in range(1, pixels + 1) if pixels % h == 0 and h * h >= pixels)
    return n // pixels, height, pixels // height


def _rows(n: int, layout: str) -> tuple[int, ...]:
    """The axes over which statistics are taken: (N,), (N, L) or (N, H, W)."""
    images, height, width = spatial(n)
    return ((n,), (images, height * width), (images, height, width))[places_of(layout)]


def to_layer(x: Array, layout: str) -> Array:
    """A copy of (N, M), as the layer takes it."""
    images = x.reshape(*_rows(len(x), layout), x.shape[1])
    return np.moveaxis(images, -1, channels_of(layout)).copy()


def as_array(value: Any) -> Array:
    """A copy; of what is no table of numbers, an array of objects."""
    try:
        return np.array(value)
    except ValueError:
        return np.array([None])


def from_layer(y: Any, layout: str, shape: tuple[int, ...]) -> Array:
    """A copy, (N, M) again; as it is where its shape is another."""
    given = as_array(y)
    n, m = shape
    axis, wanted = channels_of(layout), list(_rows(n, layout))
    wanted.insert(axis, m)
    return np.moveaxis(given, axis, -1).reshape(n, m) if list(given.shape) == wanted else given


def to_columns(value: Any, m: int) -> Array:
    """A gradient or statistic as (M,); anything else is handed on as it is, for the contract check to name."""
    given = as_array(value)
    return given.reshape(m) if given.size == m and (given.ndim == 0 or m in given.shape) else given


def statistic(value: Any, layout: str, m: int) -> Array:
    """A running statistic as (M,): a scalar holds for every column, and the places of a channel are averaged."""
    value = np.asarray(value)
    if value.size == 1:
        return np.full(m, value.reshape(()))
    places = places_of(layout)
    axis = value.ndim - (places + 2 - channels_of(layout))
    if places and value.size > m and axis >= 0 and value.shape[axis] == m:
        return np.asarray(value.mean(axis=tuple(i for i in range(value.ndim) if i != axis)))
    return to_columns(value, m)
