"""Results that are no arrays: lists of numbers that can be made one, and what the rest is called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.functions.binding import Items
from bncheck.layers.functions.naming import gradient_of, plain


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


def with_written(result: Any, dicts: list[tuple[dict[str, Any], dict[str, Any]]]) -> Any:
    """What came back, with the gradients that were written into a dict instead; beside each what it held before."""
    if isinstance(result, dict) or (isinstance(result, tuple | list) and len(result) > 1):
        return result
    found = {
        key: value
        for made, old in dicts
        for key, value in _laid(made, old)
        if value is not old.get(key) and gradient_of(str(key))
        # In a dict of other things gamma is gamma, and dgamma its gradient.
        if not old or plain(str(key)).startswith(("d", "grad"))
    }
    new = [(key, value) for made, old in dicts for key, value in made.items() if value is not old.get(key)]
    # As bottom["diff"] beside bottom["data"].
    beside = [value for key, value in new if plain(str(key)) == "diff"]
    found |= {"dx": beside[0]} if len(beside) == 1 and found else {}
    first = result[0] if isinstance(result, tuple | list) and result else result
    return (found if first is None else {**found, "dx": first}) if found else result


def _laid(made: dict[str, Any], old: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries, those of a new dict in it laid beside them: grads[name] = {"gamma": ..., "beta": ...}."""
    for key, value in made.items():
        yield from value.items() if isinstance(value, dict) and not old.get(key) else [(key, value)]


def unstacked(result: Any, made_of: Callable[[int], list[tuple[str, ...]]]) -> Any:
    """With a dict, by name, in place of a result that np.stack has made of several."""
    if not isinstance(result, tuple | list) or listed(result) is not None:
        return result
    pairs = zip(result, made_of(len(result)), strict=False)
    laid = [_by_name(one, said) for one, said in pairs]
    return tuple(laid) if len(laid) == len(result) else result


def _by_name(value: Any, parts: tuple[str, ...]) -> Any:
    is_stack = isinstance(value, np.ndarray) and len(parts) > 1 and len(_rows(value, parts)) == len(parts)
    return dict(zip(_names(parts), _rows(value, parts), strict=True)) if is_stack else value


def _rows(value: Array, parts: tuple[str, ...]) -> Array:
    """Those of what was joined end to end, too."""
    joined = value.ndim == 1 and len(value) % len(parts) == 0
    return value.reshape(len(parts), -1) if joined else value


def _names(parts: tuple[str, ...]) -> tuple[str, ...]:
    return parts if all(parts) and len(set(parts)) == len(parts) else tuple(map(str, range(len(parts))))


def _gradients_in(result: dict[Any, Any]) -> Items:
    """In a dict of gradients w is dw; in one of gradients and other things it is not."""
    marked = {key: value for key, value in result.items() if _is_marked(str(key))}
    result = marked if {"gamma", "beta"} <= {gradient_of(str(key)) for key in marked} else result
    names = [str(key) for key in result]
    names = [name if gradient_of(name) or not gradient_of(f"d{name}") else f"d{name}" for name in names]
    return list(zip(names, result.values(), strict=True))


def _is_marked(key: str) -> bool:
    """dgamma and grad_gamma in a dict that holds gamma too."""
    return bool(gradient_of(key)) and plain(key).startswith(("d", "grad"))


def flat(result: Any, names: Callable[[int], list[str]]) -> Items:
    """The results one by one; dicts of gradients and nested lists are laid flat."""
    if isinstance(result, dict):
        return _gradients_in(result)
    if not isinstance(result, tuple | list) or listed(result) is not None:
        return list(zip(names(1), [result], strict=False))
    if any(isinstance(one, dict) for one in result):
        pairs = zip(names(len(result)), result, strict=True)
        each = (_gradients_in(one) if isinstance(one, dict) else [(name, one)] for name, one in pairs)
        return [item for items in each for item in items]
    laid = list[Any]()
    for one in result:
        laid += one if isinstance(one, tuple | list) and listed(one) is None else [one]
    return list(zip(names(len(laid)), laid, strict=True))
