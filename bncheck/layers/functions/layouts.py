"""How a table of columns looks to functions of the user's: as it is, features first, or as images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array


class Layout(NamedTuple):
    """How (N, M) and (M,) look to the user's functions."""

    name: str
    inwards: Callable[[Array], Array]
    """A copy, always."""
    outwards: Callable[[Array, int], Array]
    parameter: Callable[[Array], Array]


@functools.lru_cache(maxsize=256)
def image(n: int) -> tuple[int, int, int]:
    """n as a product of three, all above 1 if that can be, and as equal as can be."""
    sides = [d for d in range(1, n + 1) if n % d == 0]
    thirds = [(n // (h * w), h, w) for h in sides for w in sides if h <= w and n % (h * w) == 0]
    return max(thirds, key=lambda s: (s[1] > 1 and s[2] > 1, s[0] > 1, -max(s)))


def _channels(x: Array, place: int) -> Array:
    made = x.reshape(*image(len(x)), x.shape[1])
    return np.array(np.moveaxis(made, -1, place), order="C")


def _from_channels(a: Array, n: int, place: int) -> Array:
    return np.moveaxis(a, place, -1).reshape(n, -1)


def _copy(a: Array) -> Array:
    return a.copy()


def _row(a: Array) -> Array:
    return a.reshape(1, -1).copy()


ROWS = Layout("", _copy, lambda a, _: a, _copy)
NCHW = Layout("(N, C, H, W)", lambda x: _channels(x, 1), lambda a, n: _from_channels(a, n, 1), _copy)
NCL = Layout(
    "(N, C, L)",
    lambda x: _channels(x, 1).reshape(image(len(x))[0], x.shape[1], -1),
    lambda a, n: _from_channels(a, n, 1),
    _copy,
)
NHWC = Layout("(N, H, W, C)", lambda x: _channels(x, 3), lambda a, n: _from_channels(a, n, 3), _copy)
FIRST = Layout("features first", lambda x: x.T.copy(), lambda a, _: a.T, lambda v: v.reshape(-1, 1).copy())
FLAT = (ROWS, ROWS._replace(parameter=_row), FIRST, FIRST._replace(parameter=_copy))
IMAGES = (
    # (C,) first: it broadcasts against the wrong axis in no layout, as (1, C, 1, 1) does.
    NCHW,
    NHWC,
    NCL,
    NCHW._replace(parameter=lambda v: v.reshape(1, -1, 1, 1).copy()),
    NHWC._replace(parameter=lambda v: v.reshape(1, 1, 1, -1).copy()),
)
