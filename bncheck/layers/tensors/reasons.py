"""Why a class or a function over tensors is taken for no layer."""

from __future__ import annotations

import inspect
from typing import Any

from bncheck.errors import LayerRaised
from bncheck.layers.conventions import role_of
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.tensors.signatures import role
from bncheck.layers.tensors.torch_autograd import walk
from bncheck.layers.tensors.torch_objects import maker
from bncheck.layers.tensors.torch_parts import is_network, places_of

WIDTH = 5
_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_OTHERWISE = "what it returns is not normalized column by column"


def reason(thing: Any, library: str) -> str:
    """One clause."""
    if inspect.isclass(thing):
        return _of_class(thing) if library == "torch" else "only functions and modules with gamma and beta are known"
    return _of_function(thing)


def _of_function(function: Any) -> str:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "its arguments cannot be read"
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    known = [role(p.name) for p in needed]
    unknown = [p.name for p, own in zip(needed, known, strict=True) if own is None or known.count(own) > 1]
    return f"what {', '.join(unknown)} stand for cannot be told" if unknown else _OTHERWISE


def _of_class(cls: Any) -> str:
    make, forward = maker(cls), getattr(cls, "forward", None)
    asked = list(inspect.signature(forward).parameters.values())[2:] if inspect.isfunction(forward) else []
    unknown = [p.name for p in asked if p.default is p.empty and p.kind not in _ANY and role(p.name) in (None, "cache")]
    if unknown:
        return f"its forward pass asks for {', '.join(unknown)} beside x"
    if make is None:
        return "its constructor asks for more than a number of columns"
    try:
        with guarded(cls.__name__), quiet():
            made = make(WIDTH, "flat", {})
            places = places_of(made, WIDTH)
    except LayerRaised as error:
        return f"no instance can be made of it: {error}"
    missing = [one for one in ("gamma", "beta") if one not in places]
    known = [(key, value) for _, key, value in walk(made) if (meant := role_of(key)) and meant.role in missing]
    for key, value in known:
        if hasattr(value, "shape"):
            return f"its {key} has the shape {tuple(value.shape)}, and not one number for each of {WIDTH} columns"
    if missing:
        return f"none of what it holds can be told to be {' or '.join(missing)}"
    return "it learns more than one gamma and one beta" if is_network(made, WIDTH, places) else _OTHERWISE
