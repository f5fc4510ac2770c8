"""What a forward pass of the user's keeps, as arrays by the name under which it keeps them."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.classes.instances import attributes
from bncheck.layers.functions.binding import Items
from bncheck.layers.functions.kept import Attributes, Held

_CODE = (type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType)
_DEPTH = 4
_MANY = 200  # entries of a container: more than that are data


def arrays_in(value: Any, name: str, names: tuple[str, ...] = ()) -> dict[str, Array]:
    """Every array of real numbers in a value, containers and objects opened; ``names`` are those of a tuple's parts.

    What is held twice is found once.
    """
    found = dict[str, Array]()
    seen = set[int]()
    for place, item in _walk(value, name, names, _DEPTH, seen):
        array = np.asarray(item)
        if array.dtype.kind == "f" and array.size:
            found[place] = array.copy()
    return found


def kept_by_functions(items: Items, held: Held, unpacked: tuple[str, ...]) -> dict[str, Array]:
    """Of what a forward function returned and left in globals; ``unpacked`` is what the backward unpacks a cache to."""
    found = dict[str, Array]()
    for i, (name, item) in enumerate(items):
        found |= arrays_in(item, name or f"result {i}", unpacked)
    for name, value in held.items():
        found |= arrays_in(value.values if isinstance(value, Attributes) else value, name)
    return found


def _walk(value: Any, name: str, names: tuple[str, ...], depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, np.ndarray | np.floating | float):
        if isinstance(value, float) or id(value) not in seen:
            seen.add(id(value))
            yield name, value
        return
    if id(value) in seen or not depth:
        return
    seen.add(id(value))
    for place, item in _parts(value, name, names):
        yield from _walk(item, place, (), depth - 1, seen)


def _parts(value: Any, name: str, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{name}[{key!r}]", item) for key, item in list(value.items())[:_MANY]]
    if isinstance(value, list | tuple):
        known = names if len(names) == len(value) else ("",) * len(value)
        pairs = zip(known, value[:_MANY], strict=False)
        return [(f"{name}[{i}]{f' ({said})' if said else ''}", item) for i, (said, item) in enumerate(pairs)]
    if isinstance(value, _CODE):
        return []
    return [(f"{name}.{key}", item) for key, item in list(attributes(value).items())[:_MANY]]
