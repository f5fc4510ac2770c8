"""Lifts the definitions out of a file that cannot be imported, and leaves its demos behind."""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
from types import ModuleType
from typing import Any

from bncheck.layers import isolation
from bncheck.layers.loading import stubs
from bncheck.layers.loading.importing import FAILURES, Importer
from bncheck.layers.loading.source import Definition, Source, free_names, loads, statements

# Not to be called for the value of a constant.
DEMANDING = {"open", "input", "exec", "eval", "print", "exit", "quit", "raw_input"}
# An own derivative is attached to a function by a statement of its own.
ATTACHING = {"defvjp", "defjvp", "defjvps", "def_vmap"}


def lift(module: ModuleType, source: Source, importer: Importer, notes: list[str], wanted: set[str] | None) -> None:
    """Fills a module with the imports and definitions of its file, and with the constants that they need.

    The names wanted beyond those are lifted as well; None stands for all there are.
    """
    Lifter(module, source, importer, notes, wanted).run(source.tree.body)
    supply(vars(module), source, notes, everything=importer.star)


def supply(namespace: dict[str, Any], source: Source, notes: list[str], everything: bool = False) -> None:
    """Adds what functions look up in vain: NumPy where nobody imported it; all else after a lost ``import *``."""
    absent = sorted(free_names(source) - namespace.keys() - vars(builtins).keys())
    if not everything and _has_framework(source.tree):
        absent = [name for name in absent if name not in stubs.SUPPLIED]
    given = [name for name in absent if name in stubs.SUPPLIED]
    shown = _of_demos(source.tree)
    if set_there := [name for name in absent if name in shown and name not in given]:
        notes.append(f"{', '.join(set_there)}: taken from what {source.name} does when it is run")
    for name in absent:
        if name in stubs.SUPPLIED or name in stubs.PYTHON_2:
            namespace[name] = stubs.SUPPLIED.get(name, stubs.PYTHON_2.get(name))
        elif name in shown:
            namespace[name] = shown[name]
        elif everything:
            found = stubs.EPS if name.lower() in stubs.SMALL else stubs.numpys(name)
            namespace[name] = stubs.Stub(name) if found is None else found
    if given and not everything:
        notes.append(f"{source.name} uses {', '.join(given)} without importing it: it is supplied")


def _has_framework(tree: ast.Module) -> bool:
    """A file with imports of its own is no cell of a notebook: what it forgot to import will be missing for anyone."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name.partition(".")[0] in stubs.FRAMEWORKS for name in names)


def _of_demos(tree: ast.Module) -> dict[str, Any]:
    """Numbers and words that only ``if __name__ == "__main__"`` sets, and that a function may count on."""
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and "__name__" in loads(node.test)]
    found: dict[str, Any] = {}
    for node in [part for body in blocks for part in body if isinstance(part, ast.Assign)]:
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, TypeError):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, value)
    return found


class Lifter:
    """Carries out those statements of one file that define something."""

    def __init__(
        self, module: ModuleType, source: Source, importer: Importer, notes: list[str], wanted: set[str] | None
    ) -> None:
        self.space, self.source, self.importer, self.notes = vars(module), source, importer, notes
        self.demos = 0
        every = list(statements(source.tree.body))
        self.functions = {node.name for node in every if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        self.classes = {node.name for node in every if isinstance(node, ast.ClassDef)}
        self.imported = {
            name for node in every if isinstance(node, ast.Import | ast.ImportFrom) for name in bound(node)
        }
        self.everything = wanted is None
        self.needed = self._closure(every, free_names(source) | self.functions | self.classes | (wanted or set()))
        self.flags = 0
        for node in every:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    feature = getattr(importlib.import_module("__future__"), alias.name, None)
                    self.flags |= feature.compiler_flag if feature else 0

    def _closure(self, every: list[ast.stmt], needed: set[str]) -> set[str]:
        """The names needed, and those that their values are made of."""
        assignments = [node for node in every if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)]
        while True:
            more = {
                name
                for node in assignments
                if targets(node) & needed and node.value is not None
                for name in loads(node.value)
            }
            if more <= needed:
                return needed
            needed = needed | more

    def run(self, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._attempt(node)
            elif isinstance(node, Definition):
                self._define(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                if self._wanted(node):
                    self._attempt(node)
            elif isinstance(node, ast.If):
                self._branch(node)
            elif isinstance(node, ast.Try):
                self._try(node)
            elif isinstance(node, ast.Expr) and self._attaches(node.value):
                self._attempt(node)
            elif isinstance(node, ast.With | ast.AsyncWith):
                self.run([part for part in node.body if isinstance(part, Definition | ast.Import | ast.ImportFrom)])

    # ---- statements ----

    def _carry_out(self, node: ast.stmt) -> None:
        tree = ast.Module([node], [])
        exec(compile(tree, self.source.path, "exec", flags=self.flags, dont_inherit=True), self.space)

    def _attempt(self, node: ast.stmt) -> bool:
        try:
            self._carry_out(node)
        except FAILURES:
            return False
        return True

    def _define(self, node: Definition) -> None:
        for _ in range(20):
            try:
                self._carry_out(node)
                return
            except NameError as error:
                if not error.name or error.name in self.space:
                    break
                self.space[error.name] = self._stand_in(error.name)
                self.notes.append(f"{self.source.name}:{node.lineno}: {error.name} is not defined and was stubbed")
            except FAILURES as error:
                if not node.decorator_list:
                    self.notes.append(
                        f"{self.source.name}:{node.lineno}: {node.name} was left out: {isolation.one_line(error)}"
                    )
                    return
                self.notes.append(
                    f"{self.source.name}:{node.lineno}: the decorators of {node.name} fail and were left out"
                )
                node = copy.copy(node)
                node.decorator_list = []
        self.notes.append(f"{self.source.name}:{node.lineno}: {node.name} was left out")

    def _stand_in(self, name: str) -> object:
        for known in (stubs.SUPPLIED, stubs.PYTHON_2):
            if name in known:
                return known[name]
        found = stubs.numpys(name) if self.importer.star else None
        return stubs.Stub(name) if found is None else found

    def _wanted(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> bool:
        if node.value is None or not self._harmless(node.value):
            return False
        own = self.functions | self.classes
        wraps = isinstance(node.value, ast.Call) and any(
            isinstance(part, ast.Name) and part.id in own for part in node.value.args
        )
        return wraps or isinstance(node.value, ast.Lambda) or self.everything or bool(targets(node) & self.needed)

    def _branch(self, node: ast.If) -> None:
        if "__name__" in loads(node.test):
            return
        try:
            if not self._harmless(node.test):
                raise LookupError
            tree = ast.Expression(node.test)
            holds = bool(eval(compile(tree, self.source.path, "eval"), self.space))
        except FAILURES:
            self.run(node.orelse)
            self.run(node.body)
        else:
            self.run(node.body if holds else node.orelse)

    def _try(self, node: ast.Try) -> None:
        imports = [part for part in node.body if isinstance(part, ast.Import | ast.ImportFrom)]
        before, self.importer.strict = self.importer.strict, bool(node.handlers)
        fine = all(self._attempt(part) for part in imports)
        self.importer.strict = before
        self.run([part for part in node.body if part not in imports] if fine else node.handlers[0].body)
        for part in imports:
            if not bound(part) <= self.space.keys():
                self._attempt(part)
        self.run([*(node.orelse if fine else ()), *node.finalbody])

    # ---- what may be carried out ----

    def _attaches(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        root = chain(node.func)
        return node.func.attr in ATTACHING or root[:2] == ["sys", "path"]

    def _harmless(self, node: ast.expr) -> bool:
        """Whether a value can be had without running a function of the file, or anything that a demo made."""
        todo: list[ast.AST] = [node]
        while todo:
            part = todo.pop()
            if isinstance(part, ast.Lambda):
                continue
            if isinstance(part, ast.Call) and not self._callable(part.func):
                return False
            if isinstance(part, ast.Await | ast.Yield | ast.YieldFrom):
                return False
            todo += ast.iter_child_nodes(part)
        return True

    def _callable(self, node: ast.expr) -> bool:
        names = chain(node)
        if not names or names[0] in DEMANDING or names[0] in self.functions:
            return False
        if len(names) == 1:
            return names[0] in self.imported | self.classes or hasattr(builtins, names[0])
        return names[0] in self.imported | {"np", "numpy", "math"}


def chain(node: ast.expr) -> list[str]:
    """``a.b.c`` as its three names; empty where something other than names is in it."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> set[str]:
    """The names whose meaning an assignment changes: for ``a.b = c`` it is a."""
    parts = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {leaf.id for part in parts for leaf in ast.walk(part) if isinstance(leaf, ast.Name)}


def bound(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names that an import binds."""
    whole = isinstance(node, ast.Import)
    names = {alias.asname or (alias.name.partition(".")[0] if whole else alias.name) for alias in node.names}
    return names - {"*"}
