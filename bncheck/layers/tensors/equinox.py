"""Equinox modules that hold gamma and beta and are called with a batch, as functions."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from functools import lru_cache
from typing import Any

from bncheck.layers.conventions import role_of


def unbound(thing: Any) -> Any:
    """The function of x, gamma and beta, and of eps if it is a field, that a module is; None for what is none."""
    library: Any = sys.modules.get("equinox")
    if library is None or not inspect.isclass(thing) or not issubclass(thing, library.Module):
        return None
    cls: Any = thing
    roles = {meant.role: field.name for field in dataclasses.fields(cls) if (meant := role_of(field.name))}
    # What keeps statistics hands them on in ways of its own.
    if not {"gamma", "beta"} <= set(roles) or _needed(cls.__call__)[2:] or {"mean", "var"} & set(roles):
        return None
    make = lru_cache(lambda width: cls(**{name: _argument(name, width) for name in _needed(cls)}))

    def batch_norm(x: Any, gamma: Any, beta: Any, eps: float = 1e-5) -> Any:
        made = make(int(gamma.size))
        new = {roles["gamma"]: gamma, roles["beta"]: beta}
        new = {name: value.reshape(getattr(made, name).shape) for name, value in new.items()}
        new |= {roles["eps"]: eps} if "eps" in roles else {}
        twin = object.__new__(cls)
        for field in dataclasses.fields(cls):
            object.__setattr__(twin, field.name, new.get(field.name, getattr(made, field.name, None)))
        return twin(x)

    if "eps" in roles:
        return batch_norm
    return lambda x, gamma, beta: batch_norm(x, gamma, beta)


def _needed(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _argument(name: str, width: int) -> Any:
    if name in ("key", "rng"):
        return sys.modules["jax"].random.PRNGKey(0)
    meant = role_of(name)
    return width if meant is None or meant.role in ("size", "shape") else 1e-5 if meant.role == "eps" else None
