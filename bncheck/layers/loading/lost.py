"""Tells a layer that can be lifted out of its file from one whose own arithmetic is in what is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from bncheck.layers.loading import stubs
from bncheck.layers.loading.lifting import chain
from bncheck.layers.loading.source import NAMED_SO, Definition, statements

EXTRAS = {"torch": "torch", "jax": "jax", "flax": "jax"}
BACKWARD = re.compile(r"back|grad|bprop", re.IGNORECASE)
# What only prepares, and is often done by a helper of the framework's.
PREPARING = re.compile(r"__init__|init|build|param", re.IGNORECASE)


def reasons(tree: ast.Module, space: dict[str, Any], wanted: str | None) -> dict[str, str | None]:
    """By definition that may be a layer, one clause about what it cannot do without and is missing."""
    own = {node.name: node for node in statements(tree.body) if isinstance(node, Definition) and node.name in space}
    asked = [own[name] for name in [(wanted or "").partition(".")[0]] if name in own]
    asked = asked or [node for name, node in own.items() if NAMED_SO.search(name)]
    # A backward function alone is no layer.
    asked = [node for node in asked if isinstance(node, ast.ClassDef) or not BACKWARD.search(node.name)] or asked
    return {node.name: _reason(node, own, space, set()) for node in asked}


def _reason(node: Definition, own: dict[str, Definition], space: dict[str, Any], seen: set[str]) -> str | None:
    seen.add(node.name)
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(stub := space.get(part.id), stubs.Stub):
            framework = stub._name.partition(".")[0]
            if framework in stubs.FRAMEWORKS:
                extra = EXTRAS.get(framework)
                return f"{node.name} needs {framework}" + (f": pip install 'bncheck[{extra}]'" if extra else "")
    # The functions and classes of the file that it is made of.
    bases = [base.id for base in getattr(node, "bases", []) if isinstance(base, ast.Name)]
    parts = [own[name] for name in bases if name in own and NAMED_SO.search(name)]
    local = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    for call in _computing(node):
        names = chain(call.func)
        missing = space.get(names[0]) if names and names[0] not in local else None
        if isinstance(missing, stubs.Stub) and names[-1][:1].islower():
            return f"{node.name} computes with {'.'.join(names)}, which is missing ({missing._name})"
        parts += [own[names[0]]] if names and names[0] in own else []
    for other in parts:
        if other.name not in seen and (reason := _reason(other, own, space, seen)):
            return reason
    return None


def _computing(node: Definition) -> Iterator[ast.Call]:
    """The calls whose result is used, outside of what only prepares."""
    todo: list[ast.AST] = list(node.body)
    while todo:
        part = todo.pop(0)
        if isinstance(part, ast.FunctionDef) and PREPARING.search(part.name):
            continue
        if isinstance(part, ast.FunctionDef):
            todo += part.body
            continue
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            todo += part.value.args
            continue
        if isinstance(part, ast.Call):
            yield part
        todo += ast.iter_child_nodes(part)
