"""Loads the file or module that holds a user's layer, whatever else it does."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from bncheck.errors import BadInput
from bncheck.layers import isolation
from bncheck.layers.loading import lifting, lost, stubs
from bncheck.layers.loading.importing import FAILURES, Importer, ImportFails, Siblings, failing, why
from bncheck.layers.loading.source import NAMED_SO, Source, definitions, read
from bncheck.layers.loading.targets import Place, existing, is_file, module_file, place_of, split

# How far up imports are looked for that start at a folder above the file's.
ANCESTORS = 3
LISTED = 12
LOST = stubs.Stub("")


class Loaded(NamedTuple):
    """What a file defines."""

    names: dict[str, object]
    """Its functions and classes in the order of the file, without those that it imported."""
    wanted: str | None
    """The one that was asked for."""
    path: str
    """As the user gave it."""
    tree: ast.Module
    notes: tuple[str, ...]
    """One sentence for each thing that was lifted or stubbed."""
    lost: dict[str, str]
    """By definition, one clause about what is missing that it is made of."""


def load(target: str, isolate: bool = False) -> Loaded:
    """The definitions of ``file.py``, ``file.py:name``, ``package.module`` or ``package.module:Name``.

    They are lifted out of the file where it cannot be imported as it stands, and where ``isolate`` asks for it.
    """
    path, wanted = split(target)
    depth = 0
    if is_file(path):
        file = existing(path)
    else:
        found = module_file(path)
        if found is None:
            return _from_library(path, wanted)
        file, depth = found, path.count(".")
    source = _read(file, path)
    place = place_of(file, source, depth)
    notes: list[str] = []
    missing: dict[str, str] = {}
    reason = ""
    if isolate or source.mended:
        reason = "as asked" if isolate else f"for it is not written for Python 3 ({source.mended})"
    else:
        try:
            space = _plain(place, source, notes)
        except ImportFails as failure:
            reason = why(failure.cause)
    if reason:
        try:
            with failing():
                space, missing = _lifted(place, source, wanted, notes, reason, isolate)
        except ImportFails as failure:
            last = failure.cause if isinstance(failure.cause, BadInput) else isolation.one_line(failure.cause)
            raise BadInput(f"{path} cannot be imported, {reason}; and {last}") from failure.cause
    return _loaded(space, source.tree, path, wanted, notes)._replace(lost=missing)


# ---- finding ----


def _from_library(path: str, wanted: str | None) -> Loaded:
    try:
        with isolation.Workshop([], [], path).open(), failing():
            module = importlib.import_module(path)
    except ImportFails as failure:
        raise BadInput(f"{path} cannot be imported, {why(failure.cause)}") from failure.cause
    file = getattr(module, "__file__", None) or ""
    tree = ast.Module([], [])
    if file.endswith(".py"):
        tree = _read(Path(file), path).tree
    return _loaded(vars(module), tree, path, wanted, [])


def _read(file: Path, path: str) -> Source:
    try:
        with isolation.quiet():
            return read(file)
    except SyntaxError as error:
        raise BadInput(f"{path} cannot be imported: line {error.lineno}: {error.msg}{_shown(error)}") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _shown(error: SyntaxError) -> str:
    return f": {error.text.strip()[:60]}" if error.text and error.text.strip() else ""


# ---- importing ----


def _workshop(place: Place) -> isolation.Workshop:
    above = [folder for folder in list(place.file.parents)[: ANCESTORS + 1] if folder != folder.parent]
    last = [str(folder) for folder in (*above, Path.cwd()) if folder != place.root]
    made = isolation.Workshop([str(place.root)], last, str(place.file))
    made.finders.append(Siblings(made))
    return made


def _fresh(place: Place, importer: Importer) -> ModuleType:
    """An empty module in its place among the loaded ones."""
    packaged = place.file.name == "__init__.py"
    folders = [str(place.file.parent)] if packaged else None
    spec = importlib.util.spec_from_file_location(place.name, place.file, submodule_search_locations=folders)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["__builtins__"] = {**vars(builtins), "__import__": importer}
    sys.modules[place.name] = module
    parent, _, last = place.name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], last, module)
    return module


def _packages(place: Place, importer: Importer, notes: list[str]) -> None:
    """Loads the packages above a file; one that fails or that is a mere folder is an empty package."""
    names = place.package.split(".") if place.package else []
    if names:
        isolation.hide(names[0])
    if place.file.name == "__init__.py":
        names.pop()
    for depth in range(len(names)):
        name = ".".join(names[: depth + 1])
        folder = place.root.joinpath(*place.file.relative_to(place.root).parts[: depth + 1])
        if name in sys.modules:
            continue
        if (folder / "__init__.py").exists():
            try:
                importer.package(name)
                continue
            except FAILURES as error:
                notes.append(f"the package {name} was passed over, {why(error)}")
        module = ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module


def _plain(place: Place, source: Source, notes: list[str]) -> dict[str, Any]:
    workshop = _workshop(place)
    importer = Importer(workshop, None)
    passed: list[str] = []
    with workshop.open(), failing():
        _packages(place, importer, passed)
        module = sys.modules.get(place.name) if place.package else None
        if module is None:
            module = _fresh(place, importer)
            exec(compile(source.text, source.path, "exec", dont_inherit=True), vars(module))
    notes += passed
    lifting.supply(vars(module), source, notes)
    return vars(module)


def _lifted(
    place: Place, source: Source, wanted: str | None, notes: list[str], reason: str, isolate: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    workshop = _workshop(place)

    def sibling(name: str, file: Path) -> ModuleType:
        module = _fresh(Place(file, name, place.root), importer)
        if file == place.file:
            lifting.lift(module, source, importer, notes, {(wanted or "").partition(".")[0]})
            return module
        lifting.lift(module, read(file), importer, [], None)
        if not isolate:
            notes.append(f"{file.name} beside it was lifted likewise")
        return module

    importer = Importer(workshop, sibling, everywhere=isolate)
    notes.append(f"the definitions of {place.file.name} were lifted out and the rest of it was left, {reason}")
    with workshop.open():
        _packages(place, importer, [])
        module = sys.modules.get(place.name) if place.package else None
        module = module or sibling(place.name, place.file)
    space = vars(module)
    reasons = lost.reasons(source.tree, space, wanted)
    if reasons and all(reasons.values()):
        raise BadInput(str(next(iter(reasons.values()))))
    notes += importer.notes()
    names = definitions(source.tree)
    if names and not any(name in space for name in names):
        raise BadInput("none of its definitions can be lifted out")
    return space, {name: reason for name, reason in reasons.items() if reason}


# ---- what is in it ----


def _loaded(space: dict[str, Any], tree: ast.Module, path: str, wanted: str | None, notes: list[str]) -> Loaded:
    names = {name: space[name] for name in definitions(tree) if not isinstance(space.get(name, LOST), stubs.Stub)}
    names |= {name: value for name, value in space.items() if name not in names and _made_here(value, space, names)}
    if not tree.body:
        module = space.get("__name__")
        names |= {n: v for n, v in space.items() if callable(v) and getattr(v, "__module__", None) == module}
    if wanted is not None:
        first = wanted.partition(".")[0]
        value: Any = space.get(first, space)
        for part in wanted.split(".")[1:]:
            value = getattr(value, part, space)
        if value is space or isinstance(space[first], stubs.Stub):
            left = [note for note in notes if f": {first} was left out" in note]
            raise BadInput(left[0] if left else f"{path} has no {wanted}: {_listing(names)}")
        names.setdefault(first, space[first])
    if not names:
        others = [name for name, value in space.items() if name[0] != "_" and isinstance(value, type | FunctionType)]
        hint = f"; to take what it imports, write {path}:{sorted(others, key=_unlikely)[0]}" if others else ""
        raise BadInput(f"{path} defines nothing: there is no function and no class in it{hint}")
    return Loaded(names, wanted, path, tree, tuple(dict.fromkeys(notes)), {})


def _made_here(value: Any, space: dict[str, Any], names: dict[str, object]) -> bool:
    """A function that was assigned instead of defined, or that a call was wrapped around; no second name of one."""
    if any(value is other for other in names.values()) or isinstance(value, type | stubs.Stub | stubs.Partial):
        return False
    inner = vars(value).get("__wrapped__", value) if hasattr(value, "__dict__") else value
    code = getattr(inner, "__code__", None)
    return callable(value) and code is not None and code.co_filename == space.get("__file__")


def _listing(names: dict[str, object]) -> str:
    if not names:
        return "it defines no function and no class"
    shown = ", ".join(list(names)[:LISTED])
    return f"it defines {shown}" + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _unlikely(name: str) -> bool:
    return not NAMED_SO.search(name)
