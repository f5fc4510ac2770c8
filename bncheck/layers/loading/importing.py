"""Imports on behalf of the user's file: real ones, siblings whose own import fails, and stand-ins for the rest."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bncheck.layers import isolation
from bncheck.layers.loading import stubs

FAILURES = (Exception, SystemExit)
Lift = Callable[[str, Path], ModuleType]


class ImportFails(Exception):  # noqa: N818, never seen outside
    """What the user's code ended its own import with."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """A Ctrl-C of the person's goes through; everything else that an import ends in is a failed import."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not isolation.raised_by_code(error):
            raise
        raise ImportFails(error) from error
    except FAILURES as error:
        raise ImportFails(error) from error


def why(error: BaseException) -> str:
    """What ended an import, and where, as a clause."""
    place = isolation.where(error)
    if isinstance(error, SystemExit):
        return f"for {place or 'it'} exits"
    return f"for {place}: {isolation.one_line(error)}" if place else f"for {isolation.one_line(error)}"


def locate(name: str, paths: Sequence[str]) -> Path | None:
    """The file of a module of the user's, found without carrying anything out."""
    top, _, rest = name.partition(".")
    package = sys.modules.get(top)
    places = [Path(place) for place in getattr(package, "__path__", ())] if rest else []
    candidates = [place.joinpath(*rest.split(".")) for place in places]
    candidates += [Path(place).joinpath(*name.split(".")) for place in paths]
    for candidate in candidates:
        for file in (candidate.with_name(candidate.name + ".py"), candidate / "__init__.py"):
            if file.is_file():
                return file
    return None


class Importer:
    """Takes the place of ``__import__`` in a module of the user's, also after that module has been loaded."""

    def __init__(self, workshop: isolation.Workshop, lift: Lift | None, everywhere: bool = False) -> None:
        self.workshop, self.lift, self.everywhere = workshop, lift, everywhere
        self.strict = lift is None
        self.missing: dict[str, list[str]] = {}
        self.failed: set[str] = set()
        self.star = False

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if self._is_at_hand(name, level):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        known = None if level or self.workshop.depth else self.workshop.modules.get(name)
        if known is not None and fromlist and all(hasattr(known, one) for one in fromlist):
            return known
        with self.workshop.open():
            full = _absolute(name, globals, level)
            if self.everywhere and full not in sys.modules and locate(full, self.workshop.paths):
                return self._otherwise(full, fromlist or ())
            try:
                found = builtins.__import__(name, globals, locals, fromlist or (), level)
            except FAILURES:
                if self.strict:
                    raise
                self.failed.add(full)
                return self._otherwise(full, fromlist or ())
            return found if self.strict else self._completed(found, fromlist or ())

    def _is_at_hand(self, name: str, level: int) -> bool:
        """A library's module inside a function, which may be called often."""
        return not self.workshop.depth and not level and name in sys.modules and name not in self.workshop.modules

    def package(self, name: str) -> None:
        """Loads a package above the file."""
        if self.everywhere:
            self.module(name)
        else:
            importlib.import_module(name)

    def notes(self) -> list[str]:
        """One sentence for each module that is missing."""
        said = []
        for module, names in self.missing.items():
            found = {name: stubs.member(module, name) for name in names}
            empty = [name for name, value in found.items() if isinstance(value, stubs.Stub)]
            small = [name for name in found if found[name] is stubs.EPS]
            given = [name for name in found if name not in empty + small]
            fates = {"left empty": empty, f"taken as {stubs.EPS}": small, "taken from NumPy or Python": given}
            for fate, which in fates.items():
                if which:
                    said.append(f"{', '.join(which)} of {module} {'are' if which[1:] else 'is'} missing and {fate}")
            if not names and not any(other.startswith(f"{module}.") for other in self.missing):
                said.append(f"{module} is missing and left empty")
        return said

    def _otherwise(self, name: str, fromlist: Sequence[str]) -> Any:
        top, _, rest = name.partition(".")
        leaf: Any = self.module(name)
        self.star = self.star or (isinstance(leaf, stubs.Stub) and "*" in fromlist)
        if fromlist:
            return self._completed(leaf, fromlist)
        if isinstance(whole := self.module(top), ModuleType) and rest and not isinstance(leaf, ModuleType):
            return stubs.Partial(whole, top, lambda member: stubs.Stub(f"{top}.{member}"))
        return whole

    def module(self, name: str) -> Any:
        """A module by its full name: as it is, lifted, or a stand-in."""
        if (known := sys.modules.get(name)) is not None:
            return known
        parent = name.rpartition(".")[0]
        if parent and not isinstance(self.module(parent), ModuleType):
            return self._absent(name)
        if not self.everywhere and name not in self.failed:
            with contextlib.suppress(*FAILURES):
                return importlib.import_module(name)
        self.failed.add(name)
        file = locate(name, self.workshop.paths)
        if file is None and self.everywhere:
            with contextlib.suppress(*FAILURES):
                return importlib.import_module(name)
        if file is not None and self.lift:
            with contextlib.suppress(*FAILURES):
                return self.lift(name, file)
            sys.modules.pop(name, None)
        return self._absent(name)

    def _absent(self, name: str) -> Any:
        if name in stubs.NUMPY_ALIKE:
            return np
        self.missing.setdefault(name, [])
        return stubs.Stub(name)

    def _completed(self, module: Any, names: Sequence[str]) -> Any:
        """The module with stand-ins for those of the names that it lacks."""
        if isinstance(module, stubs.Stub):
            self.missing.setdefault(module._name, []).extend(name for name in names if name != "*")
            return module
        absent = [name for name in names if name != "*" and not hasattr(module, name)]
        if not absent:
            return module
        name = str(getattr(module, "__name__", "?"))
        return stubs.Partial(module, name, lambda member: self._submodule(name, member))

    def _submodule(self, name: str, member: str) -> Any:
        found = self.module(f"{name}.{member}")
        if isinstance(found, stubs.Stub):
            self.missing.pop(f"{name}.{member}", None)
            self.missing.setdefault(name, []).append(member)
            return stubs.member(name, member)
        return found


class Siblings(PathFinder):
    """Gives each of the user's modules an ``__import__`` that still knows where they stand once the file is loaded."""

    def __init__(self, workshop: isolation.Workshop) -> None:
        self.importer = Importer(workshop, None)

    def find_spec(  # type: ignore[override]
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        if not isolation.is_users_file(str(spec.origin)):
            return None
        spec.loader = _Loader(name, spec.loader.path, self.importer)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, importer: Importer) -> None:
        super().__init__(name, path)
        self.importer = importer

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self.importer}
        super().exec_module(module)


def _absolute(name: str, namespace: Mapping[str, Any] | None, level: int) -> str:
    if not level:
        return name
    package = str((namespace or {}).get("__package__") or "")
    try:
        return importlib.util.resolve_name("." * level + name, package)
    except ImportError:
        return "." * level + name
