"""What the source of a function over tensors says of its arguments that their names do not."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import namedtuple
from collections.abc import Iterator
from typing import Any, NamedTuple

from bncheck.layers.conventions import role_of
from bncheck.layers.functions.source import Source

_PARTS = {"gamma", "beta", "mean", "var"}
_PAIRS = ({"gamma", "beta"}, {"mean", "var"})
_OPTIONS = ("flag", "inverted", "mode", "eps", "momentum")
_KNOWN = _PARTS | set(_OPTIONS)


def source_of(function: Any) -> tuple[str, Source]:
    """Its name and its source, with those functions of its own file that it calls; empty where it cannot be read."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    nodes = [node for one in _with_helpers(inner) for node in _parsed(one)]
    return getattr(inner, "__name__", ""), Source(ast.Module(nodes, []))


def _with_helpers(function: Any, depth: int = 2) -> Iterator[Any]:
    yield function
    scope, code = getattr(function, "__globals__", {}), getattr(function, "__code__", None)
    called = (inspect.unwrap(scope[name]) for name in getattr(code, "co_names", ()) if callable(scope.get(name)))
    for one in called if depth else ():
        if inspect.isfunction(one) and one.__module__ == function.__module__ and one is not function:
            yield from _with_helpers(one, depth - 1)


def _parsed(function: Any) -> list[ast.stmt]:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return []


class Held(NamedTuple):
    """What a function asks of one of its parameters that is a tuple, a dict or a record."""

    order: tuple[str, ...] = ()
    """The roles of a tuple's parts."""
    keys: tuple[tuple[str, str], ...] = ()
    """Of a dict, or of a record's attributes: each with its role, which is empty where it is for something else."""
    record: Any = None
    """The class of a record."""
    said: frozenset[str] = frozenset()
    """Every role that its names speak of."""

    @property
    def roles(self) -> frozenset[str]:
        return frozenset((*self.order, *(own for _, own in self.keys if own)))

    def filled(self, values: dict[str, Any], spelled: dict[str, Any]) -> Any:
        """With values by role; what is for something else, as a count of batches is, starts at 0."""
        if self.order:
            return tuple(values.get(own) for own in self.order)
        named = {key: values[own] if own else 0 for key, own in self.keys if own in values or not own}
        if self.record is not None:
            return self.record(**named)
        # Rules of the user's own return what they were given, with the keys that they know and no others.
        return named if any(pair <= self.roles for pair in _PAIRS) else spelled | named


def held_in(function: Any, parameters: list[inspect.Parameter]) -> dict[str, Held]:
    """By parameter, as in ``gamma, beta = params``, ``params["gamma"]`` and ``params.gamma``."""
    name, source = source_of(function)
    found: dict[str, Held] = {}
    for parameter in parameters:
        uses, record = source.uses(name, parameter.name), _record_of(function, parameter)
        parts = [role_of(part) for part in uses.parts]
        roles = tuple(meant.role for meant in parts if meant)
        fields = _fields(record) if record else list(uses.dotted)
        if len(roles) == len(parts) > 1 and set(roles) <= _PARTS and len(set(roles)) == len(roles) and not record:
            found[parameter.name] = Held(roles, said=frozenset(roles))
        elif names := fields if record else list(uses.keys) or fields:
            keys = tuple((key, own if (own := _role(key)) in _KNOWN else "") for key in names)
            made = record or (None if uses.keys else _namedtuple(names))
            found[parameter.name] = Held((), keys, made, frozenset(map(_role, names)))
    return found


def _role(name: str) -> str:
    return meant.role if (meant := role_of(name)) else ""


def _record_of(function: Any, parameter: inspect.Parameter) -> Any:
    """The class with named fields that a parameter is said to be."""
    said = parameter.annotation
    if isinstance(said, str):
        said = getattr(inspect.unwrap(function), "__globals__", {}).get(said)
    return said if inspect.isclass(said) and _fields(said) else None


def _fields(record: Any) -> list[str]:
    return [str(name) for name in getattr(record, "_fields", getattr(record, "__dataclass_fields__", ()))]


def _namedtuple(names: list[str]) -> Any:
    """What libraries over tensors take apart and put together again, as no other object."""
    plain = [name for name in names if not name.startswith("_")]
    return namedtuple("Record", plain) if plain else None


def options_of(function: Any, parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """What is asked of **options, as parameters."""
    names = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    name, source = source_of(function) if names else ("", Source(ast.Module([], [])))
    keys = {key: default for one in names for key, default in source.uses(name, one).keys.items()}
    known = {key: default for key, default in keys.items() if (meant := role_of(key)) and meant.role in _OPTIONS}
    return [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default) for key, default in known.items()]
