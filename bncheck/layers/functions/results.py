"""Results that are no arrays: lists of numbers that can be made one, and what the rest is called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.functions.binding import Items


def listed(value: Any) -> Array | None:
    """A list of numbers, or of lists of them, as an array."""
    first = value
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if not isinstance(value, list) or not isinstance(first, float | int | np.floating) or isinstance(first, bool):
        return None
    try:
        made = np.array(value)
    except ValueError:
        return None
    return made if made.dtype.kind == "f" else None


def array_in(value: Any) -> Array | None:
    return value if isinstance(value, np.ndarray) else listed(value)


def over_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for code that knows no arrays: given lists, and what it writes into them is in the arrays after it."""

    @functools.wraps(function)
    def called(*given: Any, **options: Any) -> Any:
        lent: list[tuple[Array, list[Any]]] = []
        result = function(*(_lent(one, lent) for one in given), **{k: _lent(one, lent) for k, one in options.items()})
        for array, numbers in lent:
            if np.shape(numbers) == array.shape:
                array[...] = numbers
        return _arrays(result)

    return called


def _lent(value: Any, lent: list[tuple[Array, list[Any]]]) -> Any:
    if isinstance(value, dict):
        value.update({key: _lent(one, lent) for key, one in value.items() if isinstance(one, np.ndarray)})
    if not isinstance(value, np.ndarray) or not value.ndim:
        return value
    lent.append((value, value.astype(float).tolist()))
    return lent[-1][1]


def _arrays(value: Any) -> Any:
    """A list of numbers as an array, and so for each of several results; what is inside of a cache stays."""
    if (made := listed(value)) is not None:
        return made
    return tuple(one if (made := listed(one)) is None else made for one in value) if type(value) is tuple else value


def told(items: Items) -> str:
    kinds = dict.fromkeys(type(item).__name__ for _, item in items if item is not None)
    return f"no array, but {' and '.join(kinds)}" if kinds else "None"
