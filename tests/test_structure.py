"""The house keeps its order: imports run downwards, the library is silent, start-up loads no more than it must."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import bncheck

PACKAGE = Path(bncheck.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# From the ground up.  What stands in one line does not import one another, and a package counts as one.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("arrays", "errors", "vocabulary"),
    ("stencils", "stream"),
    ("batchnorm", "executors", "journal", "layout", "memory", "report", "settings"),
    ("storage",),
    ("batch", "benchmark", "curves", "explanation", "graph", "grid", "reproduction", "tracing", "views"),
    ("differences", "large", "layers", "reading", "writing"),
    ("findings", "projections", "rounding"),
    ("along", "passes"),
    ("checks", "render"),
    ("timing",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
FLOOR = {unit: level for level, units in enumerate(FLOORS) for unit in units}
# These know of nothing else, whatever stands below them.
ALONE = {
    "batchnorm": {"arrays"},
    "differences": {"arrays", "stencils", "stream"},
    "stencils": set(),
    "projections": {"arrays", "differences", "stream"},
    "stream": {"arrays"},
    "executors": {"errors"},
    "journal": {"errors"},
    "render": {"arrays", "vocabulary", "writing"}
    | {"benchmark", "curves", "explanation", "findings", "grid", "report", "reproduction", "tracing"},
}
# Files are the business of whoever talks to the user.
FILE_ACCESS, MAY_USE_FILES = {"journal", "reading", "writing"}, {"cli", "render", "pytest_plugin"}
SPEAKING = {"cli", "render", "__main__"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
INSIDE = {name: tree for name, tree in MODULES.items() if name != "bncheck"}


def unit(module: str) -> str:
    return module.split(".")[1]


def imports(tree: ast.AST) -> set[str]:
    """The modules that are imported anywhere in a file, within functions and for the type checker included."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides where it leads"
            for alias in node.names:
                member = f"{node.module}.{alias.name}"
                found.add(member if member in MODULES else str(node.module))
    return found


def without_functions(tree: ast.Module) -> ast.Module:
    """What is carried out when the module is loaded."""
    return ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])


def own(tree: ast.AST) -> set[str]:
    return {name for name in imports(tree) if name.startswith("bncheck.")}


def calls(tree: ast.AST, name: str) -> list[int]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [node.lineno for node in nodes if isinstance(node.func, ast.Name) and node.func.id == name]


def test_imports_are_found_wherever_they_stand() -> None:
    tree = ast.parse(
        "import numpy.linalg\n"
        "from bncheck import memory, __version__\n"
        "if TYPE_CHECKING:\n"
        "    from bncheck.batch import Batch\n"
        "def f():\n"
        "    from bncheck.layers import protocol\n"
        "    import rich\n"
        "    print(1)\n"
    )
    at_once = {"numpy.linalg", "bncheck", "bncheck.memory", "bncheck.batch"}
    assert imports(tree) == at_once | {"bncheck.layers.protocol", "rich"}
    assert imports(without_functions(tree)) == at_once
    assert calls(tree, "print") == [8]


@pytest.mark.parametrize("module", INSIDE)
def test_every_module_has_its_floor(module: str) -> None:
    assert unit(module) in FLOOR, "give it a place in FLOORS"


@pytest.mark.parametrize("module", INSIDE)
def test_imports_run_downwards(module: str) -> None:
    for name in own(INSIDE[module]):
        below = FLOOR[unit(name)] < FLOOR[unit(module)]
        assert below or unit(name) == unit(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", INSIDE)
def test_what_stands_alone_knows_of_nothing_else(module: str) -> None:
    used = {unit(name) for name in own(INSIDE[module])} - {unit(module)}
    assert used <= ALONE.get(unit(module), used)
    if unit(module) not in MAY_USE_FILES:
        assert not used & FILE_ACCESS


def test_loading_makes_no_circle() -> None:
    graph = {module: own(without_functions(tree)) - {module} for module, tree in INSIDE.items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", INSIDE)
def test_the_front_door_is_for_guests(module: str) -> None:
    """Inside, modules are imported from where they are, and only the version from ``bncheck`` itself."""
    for node in ast.walk(INSIDE[module]):
        if isinstance(node, ast.ImportFrom) and node.module == "bncheck":
            names = {alias.name for alias in node.names if f"bncheck.{alias.name}" not in MODULES}
            assert names <= {"__version__"}


@pytest.mark.parametrize("module", MODULES)
def test_the_library_needs_numpy_alone_and_never_speaks(module: str) -> None:
    tree, speaks = MODULES[module], module != "bncheck" and unit(module) in SPEAKING
    roots = {name.split(".")[0] for name in imports(tree)} - sys.stdlib_module_names - {"bncheck"}
    adapters = {"pytest_plugin": "pytest", "layers.tensors.torch": "torch", "executors": "distributed"}
    adapters |= {f"timing.contestants.{name}": name for name in ("scipy", "torch", "jax", "autograd")}
    adapters |= {"render.as_picture": "matplotlib"}
    allowed = {adapters.get(module.removeprefix("bncheck."), "numpy")}
    assert roots <= allowed | ({"numpy", "click", "rich"} if speaks else {"numpy"})
    if not speaks:
        assert not calls(tree, "print")
        assert not any(isinstance(n, ast.Attribute) and n.attr in ("stdout", "stderr") for n in ast.walk(tree))


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_stay_readable(module: str) -> None:
    path = next(path for path in FILES if module_name(path) == module)
    assert len(path.read_text(encoding="utf-8").splitlines()) < 320
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno + 1 < 45, f"{module}.{node.name}"


# ---- start-up ----

SMALL = ("grad", "--n", "64", "--d", "10")


def loaded(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter holds after running ``code``."""
    report = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", report, *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return set(done.stderr.decode().split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    modules = loaded("import bncheck")
    assert "bncheck" in modules
    assert not modules & {"numpy", "click", "rich", "dataclasses", "bncheck.batch"}


def test_the_package_loads_what_is_asked_of_it() -> None:
    modules = loaded("import bncheck\nbncheck.check_gradients, bncheck.generate")
    assert {"numpy", "bncheck.checks.gradients"} <= modules
    assert not modules & {"click", "rich"}
    assert {name for name in bncheck.__all__ if not hasattr(bncheck, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bncheck.nothing


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("--help", {"numpy", "rich"}),
        ("grad --help", {"numpy", "rich"}),
        ("bench --help", {"numpy", "rich", "subprocess"}),
        ("stress --help", {"numpy", "rich", "concurrent.futures", "multiprocessing"}),
        ("stress --dtype float64 --n 2 --d 1 --format csv", {"rich", "distributed"}),
        ("--version", {"numpy", "rich"}),
        ("grad", {"rich", "numpy.ma", "pathlib", "matplotlib", "bncheck.curves", "bncheck.render.chart"}),
        ("grad", {"bncheck.checks.folding", "bncheck.checks.probes", "bncheck.findings.catalogue"}),
        ("grad --format json", {"rich"}),
        ("grad --format csv", {"rich"}),
        ("forward", {"rich"}),
        ("generate", {"rich"}),
        ("sweep --help", {"numpy", "rich", "matplotlib"}),
        ("sweep --n 4 --d 1", {"rich", "matplotlib"}),
        ("trace --n 4 --d 2", {"rich"}),
    ],
)
def test_commands_load_only_what_they_use(command: str, absent: set[str]) -> None:
    modules = loaded("from bncheck.cli import run\nassert run(sys.argv[1:]) == 0", *command.split())
    assert "click" in modules
    assert not modules & absent


def test_a_small_check_adds_little_to_numpy_and_click() -> None:
    added = loaded("from bncheck.cli import run\nassert run(sys.argv[1:]) == 0", *SMALL) - loaded("import numpy, click")
    own = {name for name in added if name.partition(".")[0] == "bncheck"}
    assert len(own) <= 53
    # Click's messages ask for the locale, and the settings of a check are data classes.
    assert added - own - set(sys.builtin_module_names) <= {"__future__", "copy", "dataclasses", "locale"}


def told(code: str, *arguments: str) -> list[int]:
    """The numbers that a fresh interpreter prints on standard error after running ``code``."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [int(word) for word in done.stderr.split()]


def test_a_small_check_is_not_held_up_by_the_collector() -> None:
    count = "print(*(kind['collections'] for kind in gc.get_stats()), int(gc.isenabled()), file=sys.stderr)"
    check = "from bncheck.cli import run\nassert run(sys.argv[1:]) == 0"
    young, older, oldest, on = told(f"import gc, sys\n{check}\n{count}", *SMALL)
    assert young < told(f"import gc, sys, numpy\n{count}")[0]
    assert older + oldest <= 2
    assert on


def test_the_last_collection_has_little_to_look_through() -> None:
    code = """
import atexit, gc, sys
atexit.register(lambda: print(len(gc.get_objects()), gc.get_freeze_count(), file=sys.stderr))
from bncheck.cli import main
main()
"""
    loose, frozen = told(code, *SMALL)
    assert loose < frozen / 100
