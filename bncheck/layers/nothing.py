"""What stands for a base class that is missing: it keeps parameters, as all of them do, and does nothing else."""

from __future__ import annotations

import dis
import re
import sys
from functools import lru_cache
from types import FrameType, FunctionType
from typing import Any, Final

import numpy as np

_HOLDERS: Final = {
    "params",
    "param",
    "parameters",
    "weights",
    "grads",
    "gradients",
    "grad",
    "param_grads",
    "trainable_params",
} | {"trainable_weights", "trainable_variables", "variables", "cache", "caches", "buffers", "state", "states"}
_KEEPER: Final = re.compile(
    r"_*(add|register|create|make|new|set)_*(trainable_*)?(param|parameter|weight|variable|var|buffer)s?"
)
_ONES: Final = re.compile(r"one|gamma|scale|var|std|sigma")


class Holder(dict[Any, Any]):
    """Whether the missing base keeps its parameters in a dict or a list, its heirs say."""

    def append(self, *items: Any) -> None:
        """Under the next number."""
        self.extend(items)

    def extend(self, items: Any) -> None:
        for item in items:
            self[len(self)] = item

    def __iadd__(self, items: Any) -> Holder:
        self.extend(items)
        return self


class Nothing:
    """The base class that is missing."""

    def __init__(self, *arguments: object, **options: object) -> None:
        """Takes what the missing one would have taken."""

    def build(self, *arguments: Any, **options: Any) -> None:
        """Keeps the shape that it is told."""
        shapes = [value for value in (*arguments, *options.values()) if isinstance(value, tuple)]
        if shapes:
            self.input_shape = shapes[0]
        self.built = True

    def __getattr__(self, name: str) -> Any:
        plain = name.lstrip("_")
        if plain in _HOLDERS and not name.startswith("__") and name not in stored(type(self)):
            vars(self)[name] = Holder()
            return vars(self)[name]
        if _KEEPER.fullmatch(name):
            return _Keeper(self)
        said = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(said, name=name, obj=self)


def stored(kind: Any) -> frozenset[str]:
    """The attributes that the methods of a class assign."""
    return _stored(kind)


@lru_cache(64)
def _stored(kind: Any) -> frozenset[str]:
    functions = [inner for part in kind.__mro__ for inner in vars(part).values() if isinstance(inner, FunctionType)]
    steps = [step for function in functions for step in dis.get_instructions(function)]
    return frozenset(str(step.argval) for step in steps if step.opname == "STORE_ATTR")


class _Keeper:
    """add_weight(shape=..., initializer=..., name=...), register_parameter("gamma", array) and their like."""

    def __init__(self, owner: Nothing) -> None:
        self.owner = owner

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        given = [*arguments, *options.values()]
        name = str(options.get("name") or next((one for one in given if isinstance(one, str)), ""))
        value = next((one for one in given if isinstance(one, np.ndarray | float)), None)
        value = _started(name, options, given) if value is None else value
        if name.isidentifier() and (value is not None or any(one is None for one in given)):
            setattr(self.owner, name, value)
        pair = _is_taken_apart(sys._getframe(1))
        return (value, None if value is None else np.zeros_like(value)) if pair else value


def _started(name: str, options: dict[str, Any], given: list[Any]) -> Any:
    """By a shape and an initializer; by what the parameter is called where nothing says how it starts."""
    shapes = [options["shape"]] if "shape" in options else [one for one in given if isinstance(one, tuple | list | int)]
    if not shapes:
        return None
    start = options.get("initializer") or options.get("init")
    if start in (np.ones, np.zeros):
        return start(shapes[0])
    words = [str(start), *(one for one in given if isinstance(one, str))] if isinstance(start, str) else [name]
    return np.ones(shapes[0]) if _ONES.search(words[0].lower()) else np.zeros(shapes[0])


def _is_taken_apart(frame: FrameType) -> bool:
    """Whether the caller writes ``value, gradient = self.add_parameter(...)``."""
    after = [one for one in dis.get_instructions(frame.f_code) if one.offset > frame.f_lasti]
    return bool(after) and after[0].opname == "UNPACK_SEQUENCE" and after[0].argval == 2
