"""Functions that make a layer: they return its forward and its backward function, which share what they enclose."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

from bncheck.errors import LayerRaised
from bncheck.layers.functions.naming import role_of
from bncheck.layers.functions.pairs import OTHERS, member
from bncheck.layers.isolation import guarded, quiet
from bncheck.settings import LayerSettings

_PARTS = {"x", "gamma", "beta"}


class Made(NamedTuple):
    name: str
    """Of the function that made them."""
    passes: dict[str, object]
    tree: ast.Module
    """That function alone: others may enclose a forward too."""


def makers(names: dict[str, object], tree: ast.Module, wanted: str | None) -> Iterator[Made]:
    """One for each function that speaks of the layer and returns a forward pass of x, gamma and beta."""
    tops = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name, node in tops.items():
        inner = [part.name for part in ast.walk(node) if isinstance(part, ast.FunctionDef) and part is not node]
        said = member(name)
        if name in names and wanted in (None, name) and said.norm and not said.variant & (OTHERS - _MAKING) and inner:
            passes: dict[str, Any] = {one.__name__: one for one in _returned(names[name], name)}
            if _is_forward(passes, inner):
                yield Made(name, passes, ast.Module([node], []))


_MAKING = frozenset({"make", "create", "build", "get", "init", "initialize", "layer"})


def _is_forward(passes: dict[str, Any], inner: list[str]) -> bool:
    """Whether what it returns are functions of its own, with a forward pass of the three among them."""
    taken = [set(map(role_of, inspect.signature(one).parameters)) for one in passes.values()]
    return len(passes) > 1 and all(name in inner for name in passes) and any(roles >= _PARTS for roles in taken)


def _returned(maker: Any, name: str) -> list[FunctionType]:
    """Called with what settings mean to it; empty where it asks for more."""
    settings = LayerSettings()
    known = {"eps": settings.eps, "momentum": settings.momentum}
    try:
        needed = [p for p in inspect.signature(maker).parameters.values() if p.default is p.empty]
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or role_of(p.name) not in known for p in needed):
            return []
        with quiet(), guarded(name):
            made = maker(**{p.name: known[role_of(p.name)] for p in needed})
    except (LayerRaised, TypeError, ValueError):
        return []
    if isinstance(made, SimpleNamespace):
        made = vars(made)
    found = list(made.values()) if isinstance(made, dict) else list(made) if isinstance(made, tuple | list) else []
    return found if all(isinstance(one, FunctionType) for one in found) else []
