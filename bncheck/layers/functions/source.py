"""What can be read in the code of a file's functions, without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

RESHAPING = "reshape transpose squeeze ravel flatten astype copy swapaxes asarray array moveaxis T"
STACKING = "stack vstack row_stack array asarray concatenate hstack"

_OF_ARRAYS = {"np", "numpy", "cupy", "cp", "xp", "jnp", "torch", "tf"}


class Uses(NamedTuple):
    """What a function does with one of its parameters."""

    keys: dict[str, Any]
    """The keys it is asked for, as a dict, with the defaults that are written out."""
    parts: tuple[str, ...]
    """The names it is unpacked to."""
    dotted: tuple[str, ...] = ()
    """The attributes it is asked for, methods left out."""
    computed: tuple[str, ...] = ()
    """What is written out of the keys that are made as it is asked for them: "gamma" of params["gamma" + str(l)]."""
    labelled: bool = False
    """Some of its keys are made so, or are arguments."""


class Source:
    """The functions of a file, as they are written."""

    def __init__(self, tree: ast.Module) -> None:
        nodes = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        self.functions = {node.name: node for node in nodes}
        self.is_of_lists = is_of_lists(tree)
        self._made: dict[tuple[str, int], list[tuple[str, ...]]] = {}

    def uses(self, function: str, parameter: str, depth: int = 3) -> Uses:
        """Helpers that the parameter is handed on to are followed."""
        node, keys, parts = self.functions.get(function), dict[str, Any](), tuple[str, ...]()
        inside = list(ast.walk(node)) if node else []
        called = [inner.func for inner in inside if isinstance(inner, ast.Call)]
        dotted = [
            n.attr for n in inside if isinstance(n, ast.Attribute) and _named(n.value, parameter) and n not in called
        ]
        for inner in inside:
            keys.update(_keys(inner, parameter))
            if isinstance(inner, ast.Assign) and _may_be(inner.value, parameter):
                target = inner.targets[0]
                parts = tuple(map(name_of, target.elts)) if isinstance(target, ast.Tuple | ast.List) else parts
            if isinstance(inner, ast.Call) and depth:
                for callee, theirs in self._handed_on(inner, parameter):
                    keys = {**self.uses(callee, theirs, depth - 1).keys, **keys}
        made = list(_made_keys(inside, parameter, self.parameters(function)))
        computed = tuple(dict.fromkeys(text for text, is_read in made if is_read))
        return Uses(keys, parts, tuple(dict.fromkeys(dotted)), computed, bool(made))

    def keyed(self, function: str) -> dict[str, str]:
        """The arguments that keys are made with: joined to a word they are words, else they may be numbers."""
        node, found, own = self.functions.get(function), dict[str, str](), self.parameters(function)
        for inner in ast.walk(node) if node else ():
            key = _key_of(inner)
            if key is None or not (_written(key) or isinstance(key, ast.Name)) or isinstance(key, ast.Constant):
                continue
            sums = [part for part in ast.walk(key) if isinstance(part, ast.BinOp)]
            joined = {id(side) for part in sums for side in (part.left, part.right)}
            for part in ast.walk(key):
                if isinstance(part, ast.Name) and part.id in own:
                    found.setdefault(part.id, "label" if id(part) in joined and _is_sum(key) else "index")
        return found

    def _handed_on(self, call: ast.Call, parameter: str) -> Iterator[tuple[str, str]]:
        callee = self.functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if callee is not None:
            names = [argument.arg for argument in (*callee.args.posonlyargs, *callee.args.args)]
            given = [*zip(names, call.args, strict=False), *((word.arg, word.value) for word in call.keywords)]
            yield from ((callee.name, name) for name, value in given if name and _named(value, parameter))

    def words(self, function: str, depth: int = 2) -> list[str]:
        """The strings that anything is compared with."""
        node, found = self.functions.get(function), list[str]()
        for inner in ast.walk(node) if node else ():
            if isinstance(inner, ast.Compare):
                constants = [n.value for n in ast.walk(inner) if isinstance(n, ast.Constant)]
                found += [constant for constant in constants if isinstance(constant, str)]
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and depth:
                found += self.words(inner.func.id, depth - 1)
        return found

    def has_table_branch(self, function: str) -> bool:
        """Whether it asks if something has two dimensions, and goes on either way."""
        node = self.functions.get(function)
        tests = [inner.test for inner in (ast.walk(node) if node else ()) if isinstance(inner, ast.If | ast.IfExp)]
        compared = [part for test in tests for part in ast.walk(test) if isinstance(part, ast.Compare)]
        return any(_asks_rank(part.left) and any(map(_says_two, part.comparators)) for part in compared)

    def parameters(self, function: str) -> list[str]:
        node = self.functions.get(function)
        return [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)] if node else []

    def returned(self, function: str, count: int, depth: int = 2) -> list[str]:
        """The names of ``count`` results, nested ones laid flat where that makes the count."""
        best = [""] * count
        node = self.functions.get(function)
        for inner in ast.walk(node) if node else ():
            if isinstance(inner, ast.Return) and inner.value is not None:
                names = _whole(inner.value, count) or self._flat(inner.value, node, count, depth)
                if len(names) == count and names.count("") < best.count(""):
                    best = names
        return best

    def made_of(self, function: str, count: int) -> list[tuple[str, ...]]:
        """Of each of ``count`` results the names of its parts: of a tuple that is written out, or a stack."""
        if (function, count) not in self._made:
            self._made[function, count] = self._made_of(function, count)
        return self._made[function, count]

    def _made_of(self, function: str, count: int) -> list[tuple[str, ...]]:
        node = self.functions.get(function)
        best: list[tuple[str, ...]] = [()] * count
        for inner in ast.walk(node) if node else ():
            if isinstance(inner, ast.Return) and inner.value is not None and node is not None:
                value = inner.value if count == 1 else _assigned(inner.value, node)
                items = [value] if count == 1 else value.elts if isinstance(value, ast.Tuple | ast.List) else []
                found = [_parts(_assigned(item, node)) for item in items]
                if len(found) == count and found.count(()) < best.count(()):
                    best = found
        return best

    def _flat(self, value: ast.expr, node: ast.AST | None, count: int, depth: int) -> list[str]:
        if isinstance(value, ast.Tuple | ast.List):
            return [name for element in value.elts for name in self._flat(element, None, 1, 0)]
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and depth and count > 1:
            return self.returned(value.func.id, count, depth - 1)
        if isinstance(value, ast.Name) and node is not None and depth:
            made = [n.value for n in ast.walk(node) if isinstance(n, ast.Assign) and _named(n.targets[0], value.id)]
            if made and isinstance(made[-1], ast.Tuple | ast.List):
                return self._flat(made[-1], None, count, 0)
        return [name_of(value)]


def _key_of(node: ast.AST) -> ast.expr | None:
    """What stands in brackets, or is asked for by get."""
    if isinstance(node, ast.Subscript):
        return node.slice
    is_get = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    return node.args[0] if is_get and node.args else None  # type: ignore[attr-defined]


def _owner_of(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Subscript):
        return node.value
    return node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None


def _written(key: ast.expr) -> str:
    """The words in a key that is made: by +, %, format or an f-string."""
    if not isinstance(key, ast.BinOp | ast.JoinedStr | ast.Call | ast.Constant):
        return ""
    said = [part.value for part in ast.walk(key) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return re.sub(r"%[ds]|{\d*}", "", "".join(said))


def _is_sum(key: ast.expr) -> bool:
    return isinstance(key, ast.BinOp) and isinstance(key.op, ast.Add)


def _made_keys(nodes: list[ast.AST], parameter: str, own: list[str]) -> Iterator[tuple[str, bool]]:
    """The words of each key of a parameter's that is made or is an argument, and whether it is asked for."""
    for node in nodes:
        key, owner = _key_of(node), _owner_of(node)
        if key is None or owner is None:
            continue
        is_read = not isinstance(getattr(node, "ctx", None), ast.Store)
        inner, within = _key_of(owner), _owner_of(owner)
        if _named(owner, parameter) and not isinstance(key, ast.Constant) and (words := _written(key)):
            yield words, is_read
        elif inner is not None and within is not None and _named(within, parameter) and _written(key):
            is_label = isinstance(inner, ast.Name) and inner.id in own
            if is_label or (_written(inner) and not isinstance(inner, ast.Constant)):
                yield _written(key), is_read


def is_of_lists(tree: ast.Module) -> bool:
    """Whether no library of arrays is spoken of."""
    said = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            said |= {one.name.partition(".")[0] for one in node.names}
            said.add((getattr(node, "module", "") or "").partition(".")[0])
    return not _OF_ARRAYS & said


def _whole(value: ast.expr, count: int) -> list[str]:
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == count:
        return list(map(name_of, value.elts))
    return []


def _assigned(value: ast.expr, node: ast.AST) -> ast.expr:
    """What a name was given last."""
    if not isinstance(value, ast.Name):
        return value
    made = [n.value for n in ast.walk(node) if isinstance(n, ast.Assign) and _named(n.targets[0], value.id)]
    kinds = [one for one in made if isinstance(one, ast.Tuple | ast.List | ast.Call)]
    return kinds[-1] if kinds else value


def _parts(value: ast.expr) -> tuple[str, ...]:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name | ast.Attribute) and value.args:
        stacked = getattr(value.func, "attr", getattr(value.func, "id", "")) in STACKING.split()
        value = value.args[0] if stacked else value
    return tuple(map(name_of, value.elts)) if isinstance(value, ast.Tuple | ast.List) else ()


def _asks_rank(node: ast.expr) -> bool:
    """x.ndim, len(x.shape) and the like."""
    is_length = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
    asked = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return "ndim" in asked or (is_length and "shape" in asked)


def _says_two(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Constant) and part.value == 2 for part in ast.walk(node))


def _may_be(value: ast.expr, name: str) -> bool:
    """name, and it for one of two cases."""
    return any(_named(one, name) for one in ([value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]))


def _named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _keys(node: ast.AST, parameter: str) -> Iterator[tuple[str, Any]]:
    """The key that this very node asks of the parameter, and the default beside it."""
    if isinstance(node, ast.Subscript) and _named(node.value, parameter) and isinstance(node.slice, ast.Constant):
        if isinstance(node.slice.value, str) and isinstance(node.ctx, ast.Load | ast.Store):
            yield node.slice.value, None
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _named(node.func.value, parameter):
        constants = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args]
        if node.func.attr in ("get", "setdefault", "pop") and constants and isinstance(constants[0], str):
            yield constants[0], constants[1] if len(constants) > 1 else None


def name_of(node: ast.AST) -> str:
    """The name of a value, through whatever only changes its shape."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    if isinstance(node, ast.Attribute):
        return name_of(node.value) if node.attr == "T" else node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RESHAPING.split():
        inner = node.func.value
        library = isinstance(inner, ast.Name) and inner.id in ("np", "numpy")
        return name_of(node.args[0]) if library and node.args else name_of(inner)
    return ""
