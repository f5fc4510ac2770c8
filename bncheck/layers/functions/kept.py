"""What functions keep outside of their arguments: in globals, in a dict of the module, in attributes of their own."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from copy import deepcopy
from types import ModuleType
from typing import Any, NamedTuple

from bncheck.layers.functions.source import Source

_WRITING = ("update", "setdefault", "append", "pop", "clear", "extend")
_METHODS = (property, staticmethod, classmethod)


class Attributes(NamedTuple):
    """Those of a function, a class or another object."""

    owner: Any
    values: dict[str, Any]


Held = dict[str, Any]
"""By global name: a copy of the value, or its attributes."""


class Home(NamedTuple):
    """Where one value is kept: a global, or an entry of one."""

    name: str
    key: str | int | tuple[Any, str] | None
    """Of a list with one entry a layer, the first; two of a dict with one dict a layer."""

    @property
    def said(self) -> str:
        last = self.key[1] if isinstance(self.key, tuple) else self.key
        return last if isinstance(last, str) else self.name


class Keeper:
    """The globals that a layer's functions write into, what they enclose, and what both held before the first call."""

    def __init__(self, source: Source, functions: dict[str, Any]) -> None:
        found = [inspect.unwrap(one) for one in functions.values() if one is not None]
        self.space: dict[str, Any] = next((one.__globals__ for one in found if hasattr(one, "__globals__")), {})
        self.cells = {name: cell for one in found if _is_theirs(one) for name, cell in _enclosed(one)}
        names = set[str]().union(*(written(source, name) for name in functions))
        names = {name for name in names if not isinstance(self.space.get(name), ModuleType)}
        self.names = sorted(names - self.cells.keys())
        self.start = self.held()

    def held(self) -> Held:
        """What it holds now, as a copy."""
        ours = {name: _copied(self.space[name]) for name in self.names if name in self.space}
        return ours | {name: _deep(cell.cell_contents) for name, cell in self.cells.items()}

    def restore(self, held: Held) -> None:
        for name, cell in self.cells.items():
            cell.cell_contents = _deep(held[name])
        for name in self.names:
            value = held.get(name)
            if name not in held:
                self.space.pop(name, None)
            elif isinstance(value, Attributes):
                for key in _data(value.owner).keys() - value.values.keys():
                    delattr(value.owner, key)
                for key, one in value.values.items():
                    setattr(value.owner, key, _deep(one))
            else:
                self.space[name] = _deep(value)


def _is_theirs(function: Any) -> bool:
    return hasattr(function, "__code__") and not str(function.__module__).startswith("bncheck.")


def _enclosed(function: Any) -> Iterator[tuple[str, Any]]:
    """The variables of the function around it that hold data, of whatever has a value already."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            value = cell.cell_contents
        except ValueError:  # it gets its value later
            continue
        if not callable(value) and not isinstance(value, ModuleType):
            yield name, cell


def written(source: Source, function: str, depth: int = 2) -> set[str]:
    """The globals that a function changes, by itself or through others."""
    node = source.functions.get(function)
    if node is None:
        return set()
    inside = list(ast.walk(node))
    found = {name for part in inside if isinstance(part, ast.Global) for name in part.names}
    own = {part.arg for part in inside if isinstance(part, ast.arg)}
    own |= {part.id for part in inside if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)} - found
    for part in inside:
        if isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store):
            found |= {_root(part)} - own
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _WRITING:
            found |= {_root(part.func)} - own
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and depth:
            found |= written(source, part.func.id, depth - 1)
    return found - {""}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def places(held: Held) -> Iterator[tuple[Home, Any]]:
    for name, value in held.items():
        inner = value.values if isinstance(value, Attributes) else value
        if isinstance(inner, dict):
            yield from ((Home(name, key), one) for key, one in inner.items() if isinstance(key, str))
            deeper = [(key, one) for key, one in inner.items() if isinstance(one, dict)]
            yield from ((Home(name, (key, k)), v) for key, one in deeper for k, v in one.items() if isinstance(k, str))
        elif isinstance(inner, list) and inner:
            yield Home(name, 0), inner[0]
        else:
            yield Home(name, None), value


def placed(held: Held, home: Home, value: Any) -> Held:
    """The same with one value changed."""
    name, key = home
    old = held.get(name)
    if key is None:
        return {**held, name: value}
    if isinstance(key, int):
        return {**held, name: [value, *(old or [])[1:]]}
    if isinstance(key, tuple):
        outer, inner = key
        whole = old.values if isinstance(old, Attributes) else old or {}
        changed = {**whole, outer: {**whole.get(outer, {}), inner: value}}
        return {**held, name: old._replace(values=changed) if isinstance(old, Attributes) else changed}
    if isinstance(old, Attributes):
        return {**held, name: old._replace(values={**old.values, key: value})}
    return {**held, name: {**(old or {}), key: value}}


def _copied(value: Any) -> Any:
    return Attributes(value, _deep(_data(value))) if hasattr(value, "__dict__") else _deep(value)


def _data(owner: Any) -> dict[str, Any]:
    return {
        key: value
        for key, value in vars(owner).items()
        if not key.startswith("__") and not callable(value) and not isinstance(value, _METHODS)
    }


def _deep(value: Any) -> Any:
    try:
        return deepcopy(value)
    except Exception:  # a lock or a file is shared: no statistic is in it
        return value
