"""Layers in the manner of stax: a function that makes a pair of functions, init_fun and apply_fun."""

from __future__ import annotations

import inspect
from typing import Any

from bncheck.errors import LayerRaised
from bncheck.layers.conventions import role_of
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.titles import speaks_of_layer


def applied(factory: Any) -> Any:
    """The apply_fun that a factory makes, with the factory's settings as options of its own; None for what is none."""
    name = getattr(factory, "__name__", "")
    parameters = _parameters(factory)
    if not inspect.isfunction(factory) or not speaks_of_layer(name, None) or any(_needed(p) for p in parameters):
        return None
    try:
        with guarded(name), quiet():
            made = factory()
    except LayerRaised:
        return None
    if not isinstance(made, tuple) or len(made) < 2 or not all(map(inspect.isfunction, made)):
        return None
    return _joined(factory, made[-1], parameters)


def _joined(factory: Any, apply: Any, parameters: list[inspect.Parameter]) -> Any:
    settings = [p for p in parameters if (meant := role_of(p.name)) and meant.role in ("eps", "momentum")]
    names = [p.name for p in settings]

    def batch_norm(*arguments: Any, **options: Any) -> Any:
        own = {key: options.pop(key) for key in names if key in options}
        return factory(**own)[-1](*arguments, **options)

    given = _parameters(apply)
    options = [p.replace(kind=p.KEYWORD_ONLY) for p in settings]
    after = [p for p in given if p.kind is p.VAR_KEYWORD]
    vars(batch_norm)["__signature__"] = inspect.Signature([*(p for p in given if p not in after), *options, *after])
    vars(batch_norm)["__wrapped__"] = apply
    return batch_norm


def _parameters(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
