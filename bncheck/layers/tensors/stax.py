"""Layers in the manner of stax: what makes a pair of functions, init and apply, or an object that has both."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from bncheck.errors import LayerRaised
from bncheck.layers.conventions import FORWARD, flat, role_of
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.tensors.modules import COLUMNS, arguments
from bncheck.layers.tensors.signatures import Signature
from bncheck.layers.titles import speaks_of_layer

_LEARNT = ("params", "gamma", "beta")


def applied(factory: Any) -> Any:
    """The apply that a factory makes, with the factory's settings as options of its own; None for what is none.

    A factory is a function, or a class whose objects hold no more than settings.  One that asks for a number of
    columns makes another apply for each.
    """
    name, doc = getattr(factory, "__name__", ""), factory.__doc__ if inspect.isclass(factory) else None
    if not (inspect.isfunction(factory) or inspect.isclass(factory)) or not speaks_of_layer(name, doc):
        return None
    if inspect.isfunction(factory) and Signature.of(factory):
        return None
    make = _Maker(factory)
    try:
        with guarded(name), quiet():
            apply = make(COLUMNS, {})
    except LayerRaised:
        return None
    return _joined(make, apply) if apply else None


class _Maker:
    """Makes each apply once: what is compiled belongs to it."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory
        parameters = _parameters(factory)
        self.settings = [p for p in parameters if (meant := role_of(p.name)) and meant.role in ("eps", "momentum")]
        self.known: dict[Any, Any] = {}

    def __call__(self, width: int, own: dict[str, Any]) -> Any:
        key = (width, *sorted(own.items()))
        if key not in self.known:
            given = {name: value for name, value in arguments(self.factory, width, 2, {}).items() if name not in own}
            self.known[key] = _pass_of(self.factory(**given, **own))
        return self.known[key]


def _pass_of(made: Any) -> Callable[..., Any] | None:
    """What takes x and what is learnt; of a pair the later, where its arguments do not tell."""
    parts = list(_parts(made))
    told = (one for one in parts if (known := Signature.of(one)) and known.takes(*_LEARNT))
    is_pair = isinstance(made, tuple) and len(parts) == len(made) > 1
    return next(told, parts[-1] if is_pair else None)


def _parts(made: Any) -> Iterator[Any]:
    if isinstance(made, tuple | dict):
        yield from (one for one in (made.values() if isinstance(made, dict) else made) if inspect.isroutine(one))
        return
    called = [getattr(made, "__call__", None)] if "__call__" in dir(type(made)) else []  # noqa: B004
    named = [getattr(made, name) for name in dir(type(made)) if flat(name) in FORWARD and not name.startswith("__")]
    yield from (one for one in (*called, *named) if inspect.isroutine(one))


def _joined(make: _Maker, apply: Any) -> Any:
    names = [p.name for p in make.settings]
    given, told = _parameters(apply), Signature.of(apply)
    learnt = next((p.name for p, own in told.parts if own in _LEARNT), "") if told else given[0].name
    after = [p for p in given if p.kind is p.VAR_KEYWORD]

    def batch_norm(*values: Any, **options: Any) -> Any:
        own = {key: options.pop(key) for key in names if key in options}
        named = options | dict(zip([p.name for p in given], values, strict=False))
        return make(_width(named[learnt]), own)(*values, **options)

    options = [p.replace(kind=p.KEYWORD_ONLY) for p in make.settings if p.name not in {one.name for one in given}]
    vars(batch_norm)["__signature__"] = inspect.Signature([*(p for p in given if p not in after), *options, *after])
    vars(batch_norm)["__wrapped__"] = apply
    return batch_norm


def _width(learnt: Any) -> int:
    return max(int(getattr(leaf, "size", 1)) for leaf in sys.modules["jax"].tree.leaves(learnt))


def _parameters(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
