"""What the user means by ``file.py:name`` or ``package.module:Name``, and where that file stands among its packages."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

from bncheck.errors import BadInput
from bncheck.layers import isolation
from bncheck.layers.loading.importing import ImportFails, failing, locate
from bncheck.layers.loading.source import Source


class Place(NamedTuple):
    """Where a file stands among its packages."""

    file: Path
    name: str
    root: Path

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]


def split(target: str) -> tuple[str, str | None]:
    """The file or module, and the name after the last colon."""
    head, colon, name = target.rpartition(":")
    if not colon or len(head) < 2 or Path(target).exists():
        return target, None
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadInput(f"{target}: {name!r} after the colon is no name of Python's: write {head}:BatchNorm")
    return head, name


# ---- finding ----


def is_file(path: str) -> bool:
    """Whether a file is meant, and not a module."""
    return path.endswith((".py", ".ipynb")) or "/" in path or "\\" in path or Path(path).exists()


def existing(path: str) -> Path:
    """The file, if it can be one with a layer in it."""
    file = Path(path).expanduser()
    if file.is_dir():
        raise BadInput(f"{path} is a folder: name the file in it that holds the layer")
    if not file.exists():
        raise BadInput(f"{path}: no such file")
    if file.suffix == ".ipynb":
        raise BadInput(f"{path} cannot be imported, being a notebook: jupyter nbconvert --to script {path}")
    return file.resolve()


def module_file(name: str) -> Path | None:
    """The user's file that a dotted name leads to; None where that is an installed package's."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadInput(f"{name}: no such file, and no name of a module either")
    here = str(Path.cwd())
    if file := locate(name, [here]):
        return file.resolve() if not isolation.in_library(str(file)) else None
    spec = None
    try:
        with isolation.Workshop([here], [], name).open(), failing():
            spec = importlib.util.find_spec(name)
    except ImportFails as failure:
        absent = failure.cause.name if isinstance(failure.cause, ModuleNotFoundError) else None
        if absent is None or not f"{name}.".startswith(f"{absent}."):
            return None  # it is there, and its own import will say what is wrong with it
    if spec is None:
        stem = name.replace(".", "/")
        raise BadInput(
            f"{name}: no such module: neither {stem}.py nor {stem}/__init__.py in the working directory, "
            "and no installed package of that name"
        )
    if spec.origin and spec.origin.endswith(".py") and not isolation.in_library(spec.origin):
        return Path(spec.origin).resolve()
    return None


def place_of(file: Path, source: Source, depth: int) -> Place:
    """By the __init__.py files above it, and by how far up its relative imports reach without any."""
    reach = [node.level for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom)]
    folder, packages = file.parent, list[str]()
    while (folder / "__init__.py").exists() or len(packages) < max([depth, *reach]):
        if folder == folder.parent:
            break
        given = (folder / "__init__.py").exists() or not _is_taken(folder.name)
        packages.insert(0, folder.name.replace(".", "_") + "_" * (not given))
        folder = folder.parent
    if file.name != "__init__.py":
        taken = not packages and (file.stem in sys.modules or _is_taken(file.stem))
        packages.append(file.stem.replace(".", "_") + "_" * taken)
    return Place(file, ".".join(packages) or file.parent.name, folder)


def _is_taken(name: str) -> bool:
    """Whether that is a library's name, which a mere folder must not hide."""
    return name in sys.stdlib_module_names or (name in sys.modules and not isolation.is_users(sys.modules[name]))
