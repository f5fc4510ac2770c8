"""What calls itself a batch normalization and was not recognised as one, and why: nothing is left out in silence."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Collection
from typing import Any

from bncheck.layers.classes.passes import forward_of
from bncheck.layers.functions.naming import role_of
from bncheck.layers.functions.pairs import OTHERS, member
from bncheck.layers.loading.files import Loaded
from bncheck.layers.protocol import Layer
from bncheck.layers.titles import is_variant, says_batch, speaks_of_layer

_PARTS = {"x", "gamma", "beta"}


def unrecognised(loaded: Loaded, layers: Collection[Layer]) -> dict[str, str]:
    """By name, one clause each; what is a part of a layer that was found is left out of it by right."""
    first = (loaded.wanted or "").partition(".")[0]
    if first:
        return {} if layers or first not in loaded.names else {first: why(loaded.names[first])}
    homes = {place.rpartition(":")[2].partition(".")[0] for layer in layers for place in layer.traits.source}
    homes |= {layer.name.rpartition(":")[2] for layer in layers}
    used = homes | _named_in(loaded.tree, homes)
    kinds = [thing for thing in loaded.names.values() if isinstance(thing, type)]
    rules = {id(getattr(thing, part, None)) for thing in loaded.names.values() for part in ("fwd", "bwd")}
    others = {name: thing for name, thing in loaded.names.items() if id(thing) not in rules}
    left = {name: thing for name, thing in others.items() if name not in used and not name.startswith("_")}
    return {name: why(thing) for name, thing in left.items() if _claims(name, thing, kinds)}


def _named_in(tree: ast.Module, homes: set[str]) -> set[str]:
    tops = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in homes]
    return {part.id for top in tops for part in ast.walk(top) if isinstance(part, ast.Name)}


def _claims(name: str, thing: Any, kinds: list[type]) -> bool:
    if isinstance(thing, type):
        derived = any(other is not thing and issubclass(other, thing) for other in kinds)
        speaks = speaks_of_layer(name, None) or is_variant(name)
        return speaks and forward_of(thing) is not None and not derived
    said = member(name)
    whole = said.norm and said.part in ("", "forward") and not said.variant & OTHERS
    return whole and set(map(role_of, _parameters(thing))) >= _PARTS


def _parameters(thing: Any) -> list[str]:
    try:
        return list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return []


def why(thing: Any) -> str:
    """One clause."""
    for library in ("torch", "jax"):
        if library in sys.modules:
            from bncheck.layers.tensors.reasons import reason
            from bncheck.layers.tensors.trials import speaks

            if callable(thing) and speaks(thing, library):
                return reason(thing, library)
    if isinstance(thing, type) and is_variant(thing.__name__):
        return "by its name it is a variant, to which the rules of a plain batch normalization do not apply"
    if isinstance(thing, type) and not says_batch(thing.__name__) and forward_of(thing) is not None:
        return "it was not seen to normalize over the batch, and nothing in its name says that it should"
    if isinstance(thing, type) and forward_of(thing) is None:
        return "it has no method that can be told to be the forward pass"
    return "no way of calling it that is known here makes it normalize a batch"
