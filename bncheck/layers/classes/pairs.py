"""Forward and backward functions that stand in a class and need no object of it: static methods, as a rule."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from bncheck.layers.functions.naming import CONTEXTS, plain
from bncheck.layers.functions.pairs import OTHERS, member
from bncheck.layers.titles import speaks_of_layer


class ContextPair(NamedTuple):
    name: str
    """Of the class."""
    passes: dict[str, object]
    tree: ast.Module
    """The class alone: other classes have a forward too."""


def free(names: dict[str, object], tree: ast.Module, wanted: str | None) -> dict[str, object]:
    """By name, those of every class that is not itself the layer; ``wanted`` may be Class or Class.method."""
    owner = (wanted or "").partition(".")[0]
    found: dict[str, object] = {}
    for kind in names.values():
        if isinstance(kind, type) and not speaks_of_layer(kind.__name__, None) and owner in ("", kind.__name__):
            found |= _of(kind, tree)
    return found


def with_context(names: dict[str, object], tree: ast.Module, wanted: str | None) -> Iterator[ContextPair]:
    """The layers that are two static methods with a context: forward(ctx, x, gamma, beta), backward(ctx, dout)."""
    for name, kind in names.items():
        if not isinstance(kind, type) or not speaks_of_layer(name, None) or wanted not in (None, name):
            continue
        tops = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
        methods = {node.name: node for top in tops for node in top.body if isinstance(node, ast.FunctionDef)}
        both = [methods[part] for part in ("forward", "backward") if part in methods]
        if len(both) == 2 and all(_takes_context(method) for method in both):
            passes = {method.name: getattr(kind, method.name) for method in both}
            yield ContextPair(name, passes, ast.Module(list(tops), []))


def _takes_context(method: ast.FunctionDef) -> bool:
    first = [plain(argument.arg) for argument in method.args.args[:1]]
    return _is_static(method) and first[:1] != [] and first[0] in CONTEXTS.split()


def _of(kind: type, tree: ast.Module) -> dict[str, object]:
    tops = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == kind.__name__]
    methods = {node.name: node for top in tops for node in top.body if isinstance(node, ast.FunctionDef)}
    asked = {name for name in map(member, methods) if name.norm and not name.variant & OTHERS}
    if not any(one.part == "backward" for one in asked) or not all(
        _is_free(methods[one.name], methods) for one in asked
    ):
        return {}
    blank: object = object.__new__(kind)
    return {name: getattr(blank, name) for name in methods if name in {one.name for one in asked}}


def _is_free(method: ast.FunctionDef, methods: dict[str, ast.FunctionDef]) -> bool:
    """Whether it asks nothing of the object but other methods."""
    first = [argument.arg for argument in method.args.args[:1]]
    reached = [node.attr for node in ast.walk(method) if isinstance(node, ast.Attribute) and _names(node.value, first)]
    bare = sum(_names(node, first) for node in ast.walk(method) if isinstance(node, ast.Name))
    return _is_static(method) or (bare == len(reached) and all(name in methods for name in reached))


def _is_static(method: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in method.decorator_list)


def _names(node: ast.AST, names: list[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names
