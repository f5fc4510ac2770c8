"""The house holds: imports run downwards, the library never prints, and start-up loads only what it uses."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "bncheck"
FILES = sorted(ROOT.rglob("*.py"))
# Floors from the ground up; a room may import from its own floor and from those below.
FLOORS = (
    {"arrays", "errors", "vocabulary"},
    {"settings", "memory", "batchnorm"},
    {"batch", "report"},
    {"differences", "layers", "findings", "rounding", "reading", "writing"},
    {"passes"},
    {"checks", "render"},
    {"cli"},
)
LONGEST_ROOM, LONGEST_FUNCTION = 320, 45


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # "from bncheck import x" names a room only if there is one of that name.
            rooms = [a.name for a in node.names if (ROOT / f"{a.name}.py").exists() or (ROOT / a.name).is_dir()]
            found += [f"bncheck.{r}" for r in rooms] if node.module == "bncheck" else [node.module]
    return found


def home(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [p for p in FILES if not home(p).startswith("__")], ids=lambda p: p.name)
def test_imports_run_downwards(path: Path) -> None:
    for name in imports(path):
        if name.startswith("bncheck.") and room(name) != home(path):
            assert floor(room(name)) <= floor(home(path)), f"{home(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_knows_no_screen(path: Path) -> None:
    if home(path) in ("cli", "render"):
        return
    assert not {"click", "rich"} & {name.split(".")[0] for name in imports(path)}
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert "print" not in [f.id for f in calls if isinstance(f, ast.Name)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_can_be_read_in_a_sitting(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_ROOM
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION or node.name == "batch_options", (node.name, lines)


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (None, {"numpy", "click", "rich"}),
        (["--help"], {"numpy", "rich"}),
        (["grad", "--help"], {"numpy", "rich"}),
        (["grad"], {"rich", "numpy.ma", "pathlib"}),
        (["grad", "--format", "json"], {"rich"}),
        (["grad", "--format", "csv"], {"rich"}),
        (["forward"], {"rich"}),
    ],
)
def test_start_up_loads_only_what_it_uses(arguments: list[str] | None, absent: set[str]) -> None:
    work = "import bncheck" if arguments is None else f"from bncheck.cli import run; run({arguments!r})"
    code = f"import sys; {work}; print(*(set({sorted(absent)!r}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
