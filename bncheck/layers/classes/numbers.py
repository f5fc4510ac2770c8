"""Classes over an object for each number, which goes back by itself: lists of lists of them in, and out."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.classes.instances import clone
from bncheck.layers.classes.methods import data_of
from bncheck.layers.isolation import guarded, quiet

_WAY = "bncheck_way_back"
_DEEP = 20_000
"""Frames that a walk of the user's over the graph of one batch may need."""


def number_in(space: dict[str, Any]) -> Any:
    """The class whose objects hold a number in .data, its gradient in .grad, and have a way back."""
    return next((one for one in space.values() if isinstance(one, type) and _is_number(one)), None)


def _is_number(kind: type) -> bool:
    if not callable(getattr(kind, "backward", None)) or not hasattr(kind, "__mul__"):
        return False
    try:
        with quiet(), guarded(kind.__name__):
            made: Any = kind(1.5)
            return bool(made.data == 1.5 and hasattr(made, "grad"))
    except Exception:  # a class that wants something else is no number
        return False


def over_numbers(kind: Any, name: str, number: Any) -> type:
    """Between its passes its parameters are arrays, and their gradients beside them, as dgamma of gamma."""

    def make(self: Any, *given: Any, **options: Any) -> None:
        kind.__init__(self, *given, **options)
        self.bncheck_boxed = [key for key, value in vars(self).items() if _is_boxed(value, number)]
        _unpack(self, number)

    def run(self: Any, x: Array, options: dict[str, Any]) -> tuple[Any, Any]:
        for key in self.bncheck_boxed:
            vars(self)[key] = _boxed(vars(self)[key], number)
        rows = _boxed(x, number)
        return getattr(kind, name)(self, **{main: rows}, **options), rows

    main = data_of(getattr(kind, name))

    @functools.wraps(getattr(kind, name))
    def forward(*given: Any, **options: Any) -> Any:
        bound = inspect.signature(getattr(kind, name)).bind(*given, **options)
        self, x = given[0], bound.arguments.pop(main)
        options = {key: value for key, value in bound.arguments.items() if value is not self}
        before = clone(vars(self), {})
        out, _ = run(self, x, options)
        _unpack(self, number)

        def back(again: Any, dout: Array) -> Any:
            vars(again).update(clone(before, {}))
            fresh, rows = run(again, x, options)
            with _deep():
                _sum(_weighted(fresh, dout, number)).backward()
            for key in again.bncheck_boxed:
                vars(again)[f"d{key}"] = _each(vars(again)[key], lambda one: one.grad)
            _unpack(again, number)
            return _each(rows, lambda one: one.grad)

        vars(self)[_WAY] = back
        return _each(out, lambda one: one.data if isinstance(one, number) else one)

    def backward(self: Any, dout: Array) -> Any:
        return vars(self)[_WAY](self, dout)

    functools.update_wrapper(make, kind.__init__)
    told = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**told, "__init__": make, name: forward, "backward": backward})


def _is_boxed(value: Any, number: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, number) for one in value)


def _unpack(layer: Any, number: Any) -> None:
    for key in layer.bncheck_boxed:
        if _is_boxed(vars(layer)[key], number):
            vars(layer)[key] = _each(vars(layer)[key], lambda one: one.data)


def _boxed(value: Any, number: Any) -> Any:
    return [_boxed(one, number) for one in value] if np.ndim(value) else number(float(value))


def _each(value: Any, of: Any) -> Array:
    return np.array([_each(one, of) if isinstance(one, list) else of(one) for one in value], dtype=float)


def _weighted(out: Any, dout: Any, number: Any) -> list[Any]:
    """The terms of sum(out * dout)."""
    if isinstance(out, list | tuple):
        return [term for one, weight in zip(out, dout, strict=True) for term in _weighted(one, weight, number)]
    return [out * float(dout)] if isinstance(out, number) else []


def _sum(terms: list[Any]) -> Any:
    """By halves, so that no walk over it is deep."""
    half = len(terms) // 2
    return terms[0] if len(terms) == 1 else _sum(terms[:half]) + _sum(terms[half:])


@contextlib.contextmanager
def _deep() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
