"""What the source of a function over tensors says of its arguments that their names do not."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from bncheck.layers.conventions import role_of
from bncheck.layers.functions.source import Source

_OPTIONS = ("flag", "inverted", "mode", "eps", "momentum")


def source_of(function: Any) -> tuple[str, Source]:
    """Its name and its source; an empty one where it cannot be read."""
    inner = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inner)))
    except (OSError, TypeError, SyntaxError, ValueError):
        tree = ast.Module([], [])
    return getattr(inner, "__name__", ""), Source(tree)


def tuples_of(function: Any, parameters: list[inspect.Parameter]) -> dict[str, tuple[str, ...]]:
    """By parameter that is unpacked, the roles of its parts, as in ``gamma, beta = params``."""
    name, source = source_of(function)
    found: dict[str, tuple[str, ...]] = {}
    for parameter in parameters:
        parts = [role_of(part) for part in source.uses(name, parameter.name).parts]
        roles = tuple(meant.role for meant in parts if meant)
        if len(roles) == len(parts) and set(roles) in ({"gamma", "beta"}, {"mean", "var"}):
            found[parameter.name] = roles
    return found


def options_of(function: Any, parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """What is asked of **options, as parameters."""
    names = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    name, source = source_of(function) if names else ("", Source(ast.Module([], [])))
    keys = {key: default for one in names for key, default in source.uses(name, one).keys.items()}
    known = {key: default for key, default in keys.items() if (meant := role_of(key)) and meant.role in _OPTIONS}
    return [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default) for key, default in known.items()]
