"""What the source of a user's class says that its objects do not."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bncheck.layers import conventions as names


@dataclass(frozen=True)
class ClassText:
    """What the source of a class says that its objects do not: constants, attributes, returned names."""

    constants: frozenset[str]
    attributes: frozenset[str]
    functions: dict[str, ast.FunctionDef]
    optimizers: frozenset[str] = frozenset()
    """What a step is asked of, as in self.optimizer.update(...)."""
    tested: frozenset[str] = frozenset()
    """Attributes that a condition asks for, as in ``if self.optimizer:``."""
    asked: dict[str, frozenset[str]] = field(default_factory=dict)
    """By variable or attribute, the attributes and keys that are asked of it."""
    called: frozenset[str] = frozenset()
    """Attributes of self that are called, and never used otherwise."""

    def word(self, choices: Iterable[str], default: str) -> str:
        return next((word for word in choices if word in self.constants), default)

    def setters(self, attribute: str) -> list[str]:
        """The methods that assign an attribute."""
        return [
            name
            for name, function in self.functions.items()
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value)
            if node.attr == attribute
        ]

    def asked_of(self, attribute: str, method: str | None) -> set[str]:
        """The methods of an object in an attribute that a method calls."""
        inside = ast.walk(self.functions[method]) if method in self.functions else ()
        called = [node.func for node in inside if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        return {one.attr for one in called if isinstance(one.value, ast.Attribute) and one.value.attr == attribute}

    def returned(self, method: str) -> list[str] | None:
        """The names in the last return of several values; "" for what has none."""
        function = self.functions.get(method)
        tuples = [
            node.value
            for node in (ast.walk(function) if function else ())
            if isinstance(node, ast.Return) and isinstance(node.value, (ast.Tuple, ast.List))
        ]
        return [_name_of(item) for item in _flattened(tuples[-1])] if tuples else None


def _flattened(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, (ast.Tuple, ast.List)):
        return [inner for item in node.elts for inner in _flattened(item)]
    return [node]


def _name_of(node: ast.expr) -> str:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value  # dgamma.reshape(-1)
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def read_text(tree: ast.Module, kind: type) -> ClassText:
    """Of a class and of those of its bases that stand in the same file."""
    wanted = [base.__name__ for base in reversed(kind.__mro__)]
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name in wanted}
    found = {name: _Mangler(name).visit(copy.deepcopy(node)) for name, node in found.items()}
    nodes = [found[name] for name in wanted if name in found]
    inside = [node for top in nodes for node in ast.walk(top)]
    own = [n for n in inside if isinstance(n, ast.Attribute) and _is_self(n.value)]
    functions = {id(n.func) for n in inside if isinstance(n, ast.Call)}
    return ClassText(
        frozenset(n.value for n in inside if isinstance(n, ast.Constant) and isinstance(n.value, str)),
        frozenset(n.attr for n in own),
        {n.name: n for n in inside if isinstance(n, ast.FunctionDef)},
        frozenset(_name_of(n.value) for n in inside if isinstance(n, ast.Attribute) and n.attr in names.STEPS),
        frozenset(
            part.attr
            for n in inside
            if isinstance(n, ast.If | ast.IfExp | ast.While | ast.Assert)
            for part in ast.walk(n.test)
            if isinstance(part, ast.Attribute)
        ),
        _asked(inside),
        frozenset(n.attr for n in own) - {n.attr for n in own if id(n) not in functions},
    )


class _Mangler(ast.NodeTransformer):
    """Private attributes by the names that they have in an object: self.__gamma is self._BatchNorm__gamma."""

    def __init__(self, name: str) -> None:
        self.prefix = f"_{name.lstrip('_')}"

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        private = node.attr.startswith("__") and not node.attr.endswith("__")
        node.attr = self.prefix + node.attr if private else node.attr
        return node


def _asked(nodes: list[ast.AST]) -> dict[str, frozenset[str]]:
    pairs = [(_name_of(n.value), n.attr) for n in nodes if isinstance(n, ast.Attribute)]
    for n in nodes:
        if isinstance(n, ast.Subscript) and isinstance(key := literal(n.slice), str):
            pairs.append((_name_of(n.value), key))
        elif isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "get" and n.args:
            pairs.append((_name_of(n.func.value), str(literal(n.args[0]))))
    return {base: frozenset(key for other, key in pairs if other == base) for base, _ in pairs}


def literal(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
