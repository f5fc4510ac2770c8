"""A reproduction as a small pytest file that needs NumPy and the layer, and no bncheck."""

from __future__ import annotations

import math
import os
import re
import textwrap
from pathlib import PurePath

from bncheck import __version__
from bncheck.arrays import Array
from bncheck.reproduction import Origin, Reproduction

_WIDTH = 110
_LONGEST = 116
"""Of a line within a function, before it is indented."""
_PLAIN = ("x", "gamma", "beta", "dout", "earlier", "running_mean", "running_var")


def render(found: Reproduction, origin: Origin, folder: str) -> str:
    """``folder`` is where the file will stand; the layer's is told from there."""
    code, title = found.finding.code, found.finding.title
    head = f"Shows {code}, {title}, in {found.implementation}.  Written by bncheck {__version__}."
    imports, loading = _loading(origin, folder)
    if any("SimpleNamespace(" in line for line in found.lines):
        # In the alphabet's order: after pathlib if that is there, before NumPy.
        imports.insert(imports.index(""), "from types import SimpleNamespace")
    comment = [f"# {line}" for line in textwrap.wrap(head, _WIDTH)]
    parts = ["\n".join([*comment, *imports]), "\n".join(loading), "\n".join(_arrays(found))]
    return "\n\n".join(parts) + "\n\n\n" + "\n".join(_run(found)) + "\n\n\n" + "\n".join(_test(found)) + "\n"


# ---- the layer and the batch ----


def _loading(origin: Origin, folder: str) -> tuple[list[str], list[str]]:
    if not origin.file:
        return ["import importlib", "", "import numpy as np"], [f'module = importlib.import_module("{origin.module}")']
    if origin.root:
        where = _relative(origin.root, folder)
        imports = ["import importlib", "import sys", "from pathlib import Path", "", "import numpy as np"]
        return imports, [f"sys.path.insert(0, str({where}))", f'module = importlib.import_module("{origin.module}")']
    lines = [
        f"FILE = {_relative(origin.file, folder)}",
        "sys.path.insert(0, str(FILE.parent))",
        f'spec = importlib.util.spec_from_file_location("{origin.module}", FILE)',
        "module = importlib.util.module_from_spec(spec)",
        "spec.loader.exec_module(module)",
    ]
    return ["import importlib.util", "import sys", "from pathlib import Path", "", "import numpy as np"], lines


def _relative(path: str, folder: str) -> str:
    """From the test file, so that both can be moved together."""
    try:
        inside = PurePath(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return f"Path({path!r})"
    climbs = inside.startswith("../../../")
    return f'Path("{PurePath(path).as_posix()}")' if climbs else f'Path(__file__).resolve().parent / "{inside}"'


def _arrays(found: Reproduction) -> list[str]:
    used = {"x", *(("gamma", "beta") if found.wanted in ("differences", "definition") else ())}
    text = "\n".join(found.lines)
    used |= {name for name in _PLAIN if name in text} | ({"dout"} if found.wanted == "differences" else set())
    if found.wanted in ("definition", "average", "rest", "movement") and (found.test or found.wanted != "definition"):
        used |= {"running_mean", "running_var"}
    return [_assigned(name, found.arrays[name]) for name in _PLAIN if name in used and name in found.arrays]


def _assigned(name: str, array: Array) -> str:
    flat = f"{name} = np.array({array.tolist()})".replace("e-0", "e-")
    if len(flat) <= _WIDTH:
        return flat
    return f"{name} = np.array(\n    [\n" + "".join(f"        {row},\n" for row in array.tolist()) + "    ]\n)"


# ---- its passes ----


def _run(found: Reproduction) -> list[str]:
    differences = found.wanted == "differences"
    said = {
        "differences": f"The layer as it is called: its out, and the {found.quantity} of its backward pass.",
        "copy": "The layer as it is called.",
    }.get(found.wanted, f"The layer as it is called, in {'test' if found.test else 'train'} mode: {_told(found)}.")
    handed = ", ".join(_handed(found))
    last = [f"    return {handed}"] if handed else []
    head = "def run(x, gamma, beta):" if differences else "def run():"
    lines = [short for line in _used(found.lines, handed) for short in _broken(line)]
    return [head, f'    """{said}"""', *(f"    {line}" for line in lines), *last]


def _used(lines: tuple[str, ...], handed: str) -> list[str]:
    """Without names for results that nobody asks for again."""
    kept = []
    for i, line in enumerate(lines):
        name, _, call = line.partition(" = ")
        later = " ".join([*lines[i + 1 :], handed])
        idle = name.isidentifier() and call.endswith(")") and not re.search(rf"\b{name}\b", later)
        kept.append(call if idle else line)
    return kept


def _broken(line: str) -> list[str]:
    """A long call, or a long dict, over several lines."""
    opening = min((line.index(sign) for sign in "({" if sign in line), default=0)
    if len(line) <= _LONGEST or not opening or line[-1] not in ")}":
        return [line]
    inside, last = line[opening + 1 : -1], line[-1]
    items = [f"{item}," for item in inside.split(", ")] if last == "}" else [inside]
    return [line[: opening + 1], *(f"    {item}" for item in items), last]


def _handed(found: Reproduction) -> list[str]:
    if found.wanted == "copy":
        return []
    if found.wanted == "differences":
        return [found.results["out"], found.results[found.quantity]]
    old = [name for name in _old(found) if name in found.results]
    if found.wanted == "movement":
        return [*old[:1], found.results["running_mean"]]
    return [*old, found.results[found.quantity]]


def _old(found: Reproduction) -> list[str]:
    """The statistics before the pass, where they were read from the layer."""
    if found.wanted == "definition":
        return ["old_mean", "old_var"] if found.test else []
    return [f"old_{found.quantity.removeprefix('running_')}"]


def _told(found: Reproduction) -> str:
    after = "" if found.quantity == "out" else " after it"
    before = "running statistics before it, " if len(_handed(found)) > 1 else ""
    return f"{before}{found.quantity}{after}"


# ---- the test ----


def _test(found: Reproduction) -> list[str]:
    build = {
        "differences": _differences,
        "definition": _definition,
        "average": _average,
        "rest": _rest,
        "movement": _movement,
        "copy": _copy,
    }
    return [f"    {line}" if i else line for i, line in enumerate(build[found.wanted](found))]


def _differences(found: Reproduction) -> list[str]:
    name, step = found.quantity, _number(found.step)
    at = name[1:]
    moved = [", ".join(f"{a} {sign} step" if a == at else a for a in ("x", "gamma", "beta")) for sign in "+-"]
    return [
        f"def test_{name}_is_the_derivative_of_out():",
        f"expected = np.zeros_like({at})",
        f"for i in np.ndindex({at}.shape):",
        f"    step = np.zeros_like({at})",
        f"    step[i] = {step}",
        f"    above, _ = run({moved[0]})",
        f"    below, _ = run({moved[1]})",
        f"    expected[i] = np.sum(dout * (above - below)) / {_number(2 * found.step)}",
        f"_, {name} = run(x, gamma, beta)",
        *_shape(found, at),
        *_equal(found, "the differences of out say"),
    ]


def _definition(found: Reproduction) -> list[str]:
    x, gamma, beta = found.arrays["x"], "gamma", "beta"
    test = found.test
    axes = tuple(i for i in range(x.ndim) if i != found.channels)
    aligned = axes == (0,)
    at = "axis=0" if aligned else f"axis={axes if len(axes) > 1 else axes[0]}, keepdims=True"
    shape = ", ".join("-1" if i == found.channels else "1" for i in range(x.ndim))

    def broad(name: str) -> str:
        held = found.arrays.get(name)
        fits = aligned or (held is not None and held.ndim == x.ndim) or found.d == 1
        return name if fits else f"np.reshape({name}, ({shape}))"

    read = "old_mean" in found.results
    mean, var = ("old_mean", "old_var") if read else ("running_mean", "running_var")
    lines = ["def test_out_is_batch_normalization():" if not test else "def test_out_is_by_the_running_statistics():"]
    if test and read:
        lines.append("old_mean, old_var, out = run()")
    lines += [f"mean, var = {broad(mean)}, {broad(var)}"] if test else [f"mean, var = x.mean({at}), x.var({at})"]
    root = f"np.sqrt(var + {_number(found.eps)})"
    lines.append(f"expected = {broad(gamma)} * (x - mean) / {root} + {broad(beta)}")
    lines += [] if test and read else ["out = run()"]
    return [*lines, *_shape(found, "x"), *_equal(found, "the definition says")]


def _average(found: Reproduction) -> list[str]:
    name, axes = found.quantity, tuple(i for i in range(found.arrays["x"].ndim) if i != found.channels)
    axis = axes if len(axes) > 1 else axes[0]
    old = f"old_{name.removeprefix('running_')}"
    batch = f"x.mean(axis={axis})" if name == "running_mean" else f"x.var(axis={axis}{', ddof=1' * found.unbiased})"
    given = old not in found.results
    was = name if given else old
    expected = f"expected = {_number(found.kept)} * np.ravel({was}) + {_number(1 - found.kept)} * {batch}"
    head = f"def test_{name}_is_a_running_average():"
    lines = [head, expected, "after = run()"] if given else [head, f"{old}, after = run()", expected]
    return [*lines, *_equal(found, "the average of what was and of the batch is", "after")]


def _rest(found: Reproduction) -> list[str]:
    name = found.quantity
    old = f"old_{name.removeprefix('running_')}"
    head = f"def test_{name}_stays_as_it_was():"
    if old in found.results:
        return [head, "expected, after = run()", *_equal(found, "before the pass it was", "after")]
    return [head, f"expected = {name}.copy()", "after = run()", *_equal(found, "before the pass it was", "after")]


def _movement(found: Reproduction) -> list[str]:
    read = "old_mean" in found.results
    head = "def test_a_training_step_changes_running_mean():"
    lines = [head, "before, after = run()"] if read else [head, "before = running_mean.copy()", "after = run()"]
    said = _message(found, "running_mean is {np.ravel(after)} as it was before a training step")
    return [*lines, "assert not np.array_equal(np.ravel(before), np.ravel(after)), (", *said, ")"]


def _copy(found: Reproduction) -> list[str]:
    name = found.quantity
    said = _message(found, f"{name} is {{np.ravel({name})}} after the pass and was {{np.ravel(before)}}")
    head = f"def test_{name}_is_left_alone():"
    return [head, f"before = {name}.copy()", "run()", f"assert np.array_equal({name}, before), (", *said, ")"]


def _shape(found: Reproduction, like: str) -> list[str]:
    if found.finding.code not in ("BN002", "BN201"):
        return []
    name = found.quantity
    said = _message(found, f"{name} has shape {{np.shape({name})}} where {like} has {{{like}.shape}}")
    # Gradients of parameters come as (D,) or (1, D), and either will do.
    right = f"np.shape({name}) == x.shape" if like == "x" else f"np.size({name}) == {like}.size"
    return [f"assert {right}, (", *said, ")"]


def _equal(found: Reproduction, says: str, name: str = "") -> list[str]:
    name = name or found.quantity
    what = f"{found.quantity} is {{np.ravel({name})}} where {says} {{np.ravel(expected)}}"
    close = f"np.allclose(np.ravel({name}), np.ravel(expected), rtol=0, atol={_number(found.tolerance)})"
    return [f"assert {close}, (", *_message(found, what), ")"]


def _message(found: Reproduction, what: str) -> list[str]:
    """The finding, the numbers and the mend, one a line."""
    finding = found.finding
    lines = [f"    {_quoted(f'{finding.code} {finding.title}: ')}", f'    f"{what}.  "']
    pieces = textwrap.wrap(f"Mend: {finding.hint}", _WIDTH - 8, drop_whitespace=False)
    return [*lines, *(f"    {_quoted(piece)}" for piece in pieces)]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number(value: float) -> str:
    short = float(f"{value:.12g}")
    return repr(short if math.isclose(short, value, rel_tol=1e-12) else value).replace("e-0", "e-")
