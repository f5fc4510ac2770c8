"""Values and calls as Python text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import numpy as np

from bncheck.errors import Unspelled
from bncheck.layers.conventions import Path
from bncheck.layers.dotted import Settings


class Text(str):
    """An expression, to stand in a call for its value."""

    __slots__ = ()


def literal(value: Any) -> str:
    """Raises Unspelled for what has no literal."""
    if isinstance(value, Text | Enum):
        return str(value) if isinstance(value, Text) else f"module.{type(value).__name__}.{value.name}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool | int | None):
        return repr(value)
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, Settings):
        return call("SimpleNamespace", (), value.items())
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if type(value) in (tuple, list):
        inside = ", ".join(map(literal, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, np.ndarray) and value.size and np.all(value == value.flat[0]) and value.flat[0] in (0, 1):
        return f"np.{'ones' if value.flat[0] else 'zeros'}({literal(value.shape)})"
    if value is np.zeros or value is np.ones:
        return "np.zeros" if value is np.zeros else "np.ones"
    raise Unspelled(f"it is given a {type(value).__name__}, which has no plain text")


def number(value: float) -> str:
    """1e-5, as people write it, and 0.1 for 0.09999999999999998."""
    short = f"{value:.12g}"
    text = repr(float(short) if abs(float(short) - value) <= 1e-15 * abs(value) else value)
    return text.replace("e-0", "e-").replace("e+0", "e")


def call(function: str, positional: Iterable[Any], named: Iterable[tuple[str, Any]]) -> str:
    given = [*map(literal, positional), *(f"{name}={literal(value)}" for name, value in named)]
    return f"{function}({', '.join(given)})"


def steps(path: Path, owner: Any = None) -> str:
    """.params["gamma"], or .params.gamma where that is an object of settings inside ``owner``."""
    text = ""
    for kind, step in path:
        dotted = kind == "." or isinstance(owner, Settings)
        text += f".{step}" if dotted else f"[{literal(step)}]"
        owner = getattr(owner, str(step), None) if kind == "." else owner[step] if owner is not None else None
    return text


def places(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Everything in nested dicts, lists and tuples, each with the expression that leads to it."""
    yield name, value
    if isinstance(value, dict):
        for key, item in value.items():
            where = f".{key}" if isinstance(value, Settings) else f"[{literal(key)}]" if isinstance(key, str) else ""
            yield from places(item, f"{name}{where}") if where else ()
    elif hasattr(value, "_asdict"):
        for key, item in value._asdict().items():
            yield from places(item, f"{name}.{key}")
    elif isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from places(item, f"{name}[{i}]")


def place_of(value: Any, known: Iterable[tuple[str, Any]]) -> str | None:
    """The expression of this very object."""
    return None if value is None else next((name for name, item in known if item is value), None)
