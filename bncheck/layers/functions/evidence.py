"""What an argument is for by what the code does with it, where its name says nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from bncheck.layers.functions.source import Source

_TAKING = {"mean", "var", "std", "nanmean", "nanvar", "average", "moments", "einsum", "sum"}
_ROOTS = {0.5, -0.5, 1.5, -1.5}


class Switch(NamedTuple):
    """The two values of an argument that tells training from test."""

    train: Any
    test: Any


def role_by_use(source: Source, function: str, parameter: str) -> str:
    """momentum: p * old + (1 - p) * new; eps: sqrt(var + p); none: never spoken of.  "" where it is something else."""
    node = source.functions.get(function)
    if node is None:
        return ""
    inside = [part for statement in node.body for part in ast.walk(statement)]
    if not any(_is(part, parameter) for part in inside):
        return "none"
    if any(_is_share(part, parameter) for part in inside):
        return "momentum"
    return "eps" if any(_is_added_under_root(part, parameter) for part in inside) else ""


def _is_share(node: ast.AST, parameter: str) -> bool:
    """(1 - p) * new"""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    rests = [side for side in (node.left, node.right) if isinstance(side, ast.BinOp) and isinstance(side.op, ast.Sub)]
    return any(isinstance(r.left, ast.Constant) and r.left.value == 1 and _is(r.right, parameter) for r in rests)


def _is_added_under_root(node: ast.AST, parameter: str) -> bool:
    if isinstance(node, ast.Call):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        under: ast.AST | None = node.args[0] if called in ("sqrt", "rsqrt") and node.args else None
    else:
        is_root = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _number(node.right) in _ROOTS
        under = node.left if is_root and isinstance(node, ast.BinOp) else None
    sums = [part for part in ast.walk(under) if isinstance(part, ast.BinOp)] if under else []
    return any(isinstance(s.op, ast.Add) and (_is(s.left, parameter) or _is(s.right, parameter)) for s in sums)


def _number(node: ast.AST) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def drops(source: Source, function: str, parameter: str) -> bool:
    """Whether it makes ``p = share * p + other share * new`` of an argument, and nothing of that afterwards."""
    node = source.functions.get(function)
    inside = list(ast.walk(node)) if node else []
    assigned = [part for part in inside if isinstance(part, ast.Assign)]
    ours = [one for one in assigned if any(_is(target, parameter) for target in one.targets)]
    averaged = [one for one in ours if _is_average(one.value, parameter)]
    used = [part for part in inside if _is(part, parameter) and isinstance(getattr(part, "ctx", None), ast.Load)]
    return bool(averaged) and not any(_comes_after(part, one, inside) for part in used for one in averaged)


def _is_average(value: ast.expr, parameter: str) -> bool:
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add):
        return False
    shares = [isinstance(side, ast.BinOp) and isinstance(side.op, ast.Mult) for side in (value.left, value.right)]
    return all(shares) and any(_is(part, parameter) for part in ast.walk(value))


def _comes_after(part: ast.AST, assignment: ast.Assign, inside: list[ast.AST]) -> bool:
    """Further down, and not in the other branch of an if."""
    if getattr(part, "lineno", 0) <= (assignment.end_lineno or assignment.lineno):
        return False
    for branch in (one for one in inside if isinstance(one, ast.If)):
        sides = [list(_walk(branch.body)), list(_walk(branch.orelse))]
        if any(assignment in one and part in other for one, other in (sides, sides[::-1])):
            return False
    return True


def switch_of(source: Source, function: str, parameter: str, space: dict[str, Any], key: str = "") -> Switch | None:
    """By which branch takes the batch's statistics; None where that is a matter of true and false, or is not told.

    With a ``key``, of what the argument holds under it.
    """
    node = source.functions.get(function)
    inside = list(ast.walk(node)) if node else []
    given = [pair for part in inside if isinstance(part, ast.Assign) for pair in _given(part)]
    names = {name for name, value in given if _holds(value, parameter, key)} if key else {parameter}
    branches = [inner for inner in inside if isinstance(inner, ast.If | ast.IfExp)]

    def is_it(side: ast.expr) -> bool:
        return (isinstance(side, ast.Name) and side.id in names) or bool(key and _holds(side, parameter, key))

    named = [(_compared(branch.test, is_it, space), branch) for branch in branches]
    found = [(one, _takes(branch.body), _takes(branch.orelse)) for one, branch in named if one is not None]
    values = [one[0] for one, _, _ in found]
    for (value, equal), within, without in found:
        if within == without or isinstance(value, bool):
            continue
        other = next((one for one in values if one != value), _other(value))
        # if mode == A: statistics of the batch, else others; or the other way round.
        return Switch(value, other) if equal == (within > without) else Switch(other, value)
    return None


def _given(assignment: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that it gives, each with its value: a, b = 1, 2 gives two."""
    for target in assignment.targets:
        sides = (target, assignment.value)
        if all(isinstance(side, ast.Tuple | ast.List) for side in sides):
            pairs = list(zip(*(side.elts for side in sides), strict=False))  # type: ignore[attr-defined]
        else:
            pairs = [sides]
        yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


def _holds(node: ast.expr, parameter: str, key: str) -> bool:
    """parameter["key"], parameter.get("key", ...) and parameter.key"""
    if isinstance(node, ast.Attribute):
        return _is(node.value, parameter) and node.attr == key
    owner, asked = (node.value, node.slice) if isinstance(node, ast.Subscript) else (None, None)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        owner, asked = node.func.value, node.args[0]
    return owner is not None and _is(owner, parameter) and isinstance(asked, ast.Constant) and asked.value == key


def _other(value: Any) -> Any:
    if isinstance(value, Enum):
        return next((one for one in type(value) if one is not value), value)
    return int(not value) if isinstance(value, int) else "test"


def _compared(test: ast.expr, is_it: Callable[[ast.expr], bool], space: dict[str, Any]) -> tuple[Any, bool] | None:
    """What it is compared with, and whether for being equal."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq | ast.NotEq):
        return None
    sides = [test.left, test.comparators[0]]
    if not any(map(is_it, sides)):
        return None
    value = _value(sides[1] if is_it(sides[0]) else sides[0], space)
    return (value, isinstance(test.ops[0], ast.Eq)) if isinstance(value, str | int | Enum) else None


def _value(node: ast.expr, space: dict[str, Any]) -> Any:
    """Of a constant, or of a global that stands for one: 0, TRAIN, Mode.TRAIN."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return space.get(node.id)
    return getattr(_value(node.value, space), node.attr, None) if isinstance(node, ast.Attribute) else None


def _takes(branch: Any) -> int:
    """How often it computes statistics, or averages them."""
    inside = list(_walk(branch))
    shares = [p for p in inside if isinstance(p, ast.BinOp) and isinstance(p.op, ast.Sub) and _number(p.left) == 1]
    return len(shares) + sum(isinstance(part, ast.Call) and _name(part.func) in _TAKING for part in inside)


def _walk(branch: Any) -> Iterator[ast.AST]:
    for statement in branch if isinstance(branch, list) else [branch]:
        yield from ast.walk(statement)


def _name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _is(node: ast.AST, parameter: str) -> bool:
    return isinstance(node, ast.Name) and node.id == parameter
