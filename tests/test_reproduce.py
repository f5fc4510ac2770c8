"""--reproduce: the file that is written fails on the layer it was written for, and on no layer that is right."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from bncheck.batchnorm import Statistics
from bncheck.checks.reproduction import errors, reproduce
from bncheck.checks.suite import check_layer
from bncheck.cli import run
from bncheck.errors import LayerRaised, Unspelled
from bncheck.layers.isolation import quiet
from bncheck.layers.protocol import Call
from bncheck.layers.reference import Reference
from bncheck.layers.resolve import resolve
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

LAYERS = Path(__file__).parent / "layers"
RIGHT = "course_02"
"""A right layer in the convention of the other course solutions."""


class Case(NamedTuple):
    layer: str
    code: str
    mend: tuple[tuple[str, str], ...] = ()
    """What is right in place of what; nothing: the whole file of ``RIGHT`` in place of this one."""
    scaled: bool = False
    """No batch of integers shows it."""


_TRAINED = "        m, v = (self.mean, self.var) if training else (self.running_mean, self.running_var)\n"
CASES = (
    Case("course_03", "BN101"),
    Case("course_07", "BN105"),
    Case("course_08", "BN106"),
    Case("course_23", "BN109"),
    Case("course_09", "BN201"),
    Case("course_22", "BN203"),
    Case("course_18", "BN301"),
    Case("course_19", "BN302"),
    Case("course_17", "BN304"),
    Case("course_11", "BN401"),
    Case("course_12", "BN402"),
    Case("course_30", "BN403"),
    Case("course_13", "BN404"),
    Case("course_14", "BN405"),
    Case("course_15", "BN406"),
    Case("course_16", "BN408"),
    Case("course_20", "BN004"),
    Case("fn_06", "BN106", (("eps=1e-3", "eps=1e-5"),)),
    Case("fn_14", "BN303", (("np.std(x, axis=0)", "np.sqrt(x.var(axis=0) + 1e-5)"),), scaled=True),
    Case("fn_19", "BN101", (("g.sum(axis=0) / m", "g.sum(axis=0) / m - norm * (g * norm).mean(axis=0)"),)),
    Case("fn_20", "BN002", (("return dx,", "return dx.T,"),)),
    Case(
        "fn_28",
        "BN406",
        (("(1 - momentum) * bn", "momentum * bn"), ("+ momentum * bn_forward", "+ (1 - momentum) * bn_forward")),
    ),
    Case("fn_30", "BN202", (("(dout * xhat).mean", "(dout * xhat).sum"),)),
    Case("cls_grads_02", "BN201", (("dout * self.xhat", "(dout * self.xhat).sum(0)"),)),
    Case("cls_under_02", "BN102", (("(dy - self.xh", "(dy - dy.mean(0) - self.xh"),)),
    Case("cls_swap_01", "BN107", (("return -(", "return ("),)),
    Case("cls_conv_03", "BN104", (("N = dout.shape[0]", "N = dout[..., 0].size"),)),
    Case("cls_conv_02", "BN306", (("(x, axis=0)", "(x, axis=(0, 2, 3), keepdims=True)[0]"),)),
    Case("cls_std_01", "BN302", (("(np.sqrt(self.var) + self.epsilon)", "np.sqrt(self.var + self.epsilon)"),)),
    Case(
        "cls_last_01",
        "BN401",
        (
            ("X - self.mean) / np.sqrt(self.var", "X - m) / np.sqrt(v"),
            ("        self.X_norm = (X - m", _TRAINED + "        self.X_norm = (X - m"),
        ),
    ),
    Case(
        "cls_mode_01",
        "BN402",
        (
            (
                "        self.running_mean = self.momentum",
                "        old = self.running_mean, self.running_var\n        self.running_mean = self.momentum",
            ),
            ("        else:\n", "        else:\n            self.running_mean, self.running_var = old\n"),
        ),
    ),
    Case("cls_mode_02", "BN403", (("return out + self.beta", "return self.gamma * out + self.beta"),)),
    Case("cls_two_01", "BN404", (("np.sqrt(var)", "np.sqrt(var + self.eps)"),)),
    Case("cls_learn_02", "BN408", ((" avg_mean =", " self.avg_mean ="), (" avg_var =", " self.avg_var ="))),
    Case("cmu_02", "BN409", (("            BZ = ", "            self.BZ = "),)),
    Case("cmu_04", "BN410", (("(1 - self.alpha) * spread", "(1 - self.alpha) * spread ** 2"),)),
)


def pytested(place: Path) -> subprocess.CompletedProcess[str]:
    """A file, or all those of a folder, in a process that does not have this folder's bncheck."""
    folder, names = (place, []) if place.is_dir() else (place.parent, [place.name])
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    options = ["-q", "-p", "no:bncheck", "-p", "no:cacheprovider", "-ra"]
    environment = {**os.environ, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-I", "-B", "-m", "pytest", *options, *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def numbers(text: str) -> dict[str, np.ndarray]:
    """The batch, as it stands in the file."""
    found = re.findall(r"^(\w+) = np\.array\((.*?)\)$", text, re.MULTILINE | re.DOTALL)
    return {name: np.array(ast.literal_eval(value.strip())) for name, value in found}


def written(tmp_path: Path, name: str, *options: str) -> Path:
    shutil.copy(LAYERS / f"{name}.py", tmp_path / "layers.py")
    file = tmp_path / "test_shown.py"
    assert run(["check", str(tmp_path / "layers.py"), "-q", "--reproduce", str(file), *options]) == 1
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layer of CASES, and the file that was written for it."""
    made = tmp_path_factory.mktemp("shown")
    for case in CASES:
        layer = made / f"{case.layer}.py"
        shutil.copy(LAYERS / layer.name, layer)
        run(["check", str(layer), "-q", "--reproduce", str(made / f"test_{case.layer}.py")])
    return made


@pytest.fixture(scope="module")
def wrong(folder: Path) -> str:
    """What pytest says of them all."""
    return pytested(folder).stdout


@pytest.fixture(scope="module")
def right(folder: Path, wrong: str) -> str:
    """What it says when the layers are mended."""
    assert wrong
    for case in CASES:
        layer = folder / f"{case.layer}.py"
        text = layer.read_text() if case.mend else (LAYERS / f"{RIGHT}.py").read_text()
        for old, new in case.mend:
            assert old in text, case
            text = text.replace(old, new)
        layer.write_text(text)
    return pytested(folder).stdout


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer}-{case.code}")
def test_the_file_fails_until_the_layer_is_mended(case: Case, wrong: str, right: str) -> None:
    assert re.search(rf"FAILED test_{case.layer}.py::\w+ - AssertionError: {case.code} \w", wrong), wrong
    assert not re.search(rf"(FAILED|ERROR) test_{case.layer}.py", right), right


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer}-{case.code}")
def test_the_batch_is_small_and_of_integers_if_they_suffice(case: Case, folder: Path) -> None:
    text = (folder / f"test_{case.layer}.py").read_text()
    assert len(text.splitlines()) <= 60
    batch = numbers(text)
    assert batch["x"].size <= 4
    whole = all(np.array_equal(array, np.round(array)) for array in batch.values())
    assert whole is not case.scaled


def test_the_file_is_plain_and_says_what_it_shows(tmp_path: Path) -> None:
    text = written(tmp_path, "course_03").read_text()
    first = text.split("\n", 1)[0]
    assert first.startswith("# Shows BN101, the path through the variance is missing, in layers.py:batchnorm_forward.")
    assert "Written by bncheck" in " ".join(text.split("import")[0].replace("# ", "").split())
    imported = {name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    assert {alias.name for alias in imported} == {"importlib.util", "sys", "numpy"}
    assert 'Path(__file__).resolve().parent / "layers.py"' in text
    assert "Mend: dx also needs" in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("name", ["course_03", "fn_04", "fn_06", "fn_09", "cls_conv_02", "cls_grads_02", "cmu_02"])
def test_the_file_is_formatted(name: str, tmp_path: Path) -> None:
    file = written(tmp_path, name)
    for command in (["format", "--diff"], ["check", "--select", "E,W,F,I"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120", file.name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_grad_writes_it_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(LAYERS / "course_04.py", tmp_path / "layers.py")
    file = tmp_path / "test_shown.py"
    assert run(["grad", "--impl", str(tmp_path / "layers.py"), "--reproduce", str(file)]) == 1
    assert "BN102 of layers.py:batchnorm_forward (dx) is shown by a batch of 2 by 1" in capfd.readouterr().err
    assert "BN102" in pytested(file).stdout
    assert run(["grad", "--reproduce", str(file)]) == 2
    assert "name it with --impl" in capfd.readouterr().err


@pytest.mark.parametrize(
    "options", [["--mode", "test"], ["--eps", "0.001", "--momentum", "0.8"], ["--dtype", "float32"]]
)
def test_it_is_written_whatever_else_is_asked_for(options: list[str], tmp_path: Path) -> None:
    assert "BN102" in pytested(written(tmp_path, "course_04", *options)).stdout


def test_a_layer_inside_a_package_is_imported_from_it(tmp_path: Path) -> None:
    package = tmp_path / "nets" / "layers"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    shutil.copy(LAYERS / "course_03.py", package / "norm.py")
    file = tmp_path / "test_shown.py"
    assert run(["check", str(package / "norm.py"), "-q", "--reproduce", str(file)]) == 1
    assert 'module = importlib.import_module("nets.layers.norm")' in file.read_text()
    assert "BN101" in pytested(file).stdout


def test_of_a_right_layer_nothing_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "test_shown.py"
    assert run(["check", str(LAYERS / f"{RIGHT}.py"), "--reproduce", str(file)]) == 0
    assert "nothing is wrong, so there is nothing to reproduce" in capfd.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("imp_05", "BN104", "its file cannot be imported as it stands: SystemExit: 0"),
        ("scratch_02", "BN203", "it works with an optimizer, or another object of the network around it"),
        ("course_21", "BN501", "it is no wrong number that a small batch could show"),
        ("fn_24", "BN007", "it is no wrong number that a small batch could show"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(
    name: str, code: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "test_shown.py"
    file.write_text("# mine\n")
    assert run(["check", str(LAYERS / f"{name}.py"), "--reproduce", str(file)]) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if code in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"was not written to {file}: {said}")
    assert file.read_text() == "# mine\n"


def test_the_layers_own_file_is_spared(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "layers.py"
    shutil.copy(LAYERS / "course_03.py", file)
    assert run(["check", str(file), "-q", "--reproduce", str(file)]) == 2
    assert "is the file that the layer is in: name another" in capfd.readouterr().err
    assert file.read_text() == (LAYERS / "course_03.py").read_text()


def test_a_layer_that_nobody_can_spell_is_refused() -> None:
    report = check_layer(resolve(f"{LAYERS}/course_03.py").layers[0])
    with pytest.raises(Unspelled, match="PyTorch and JAX"):
        reproduce(Reference(), report, errors(report)[0])


def test_the_first_error_that_can_be_shown_is_the_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of several findings, and of several layers in a file."""
    wrong, other = ((LAYERS / f"{name}.py").read_text() for name in ("course_21", "cls_swap_01"))
    (tmp_path / "layers.py").write_text(f"{wrong}\n\n{other}")
    file = tmp_path / "test_shown.py"
    assert run(["check", str(tmp_path / "layers.py"), "--reproduce", str(file)]) == 1
    said = [line for line in capfd.readouterr().err.splitlines() if str(file) in line]
    assert [re.findall(r"BN\d+|not written|is shown", line) for line in said] == [
        ["BN501", "not written"],
        ["BN107", "is shown"],
    ]
    assert pytested(file).returncode == 1


def test_help_shows_the_option(capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "grad"):
        assert run([command, "--help"]) == 0
        assert "--reproduce FILE.py" in capfd.readouterr().out


# ---- the text of a layer's passes ----

MANIFEST: list[dict[str, Any]] = json.loads((LAYERS / "manifest.json").read_text())
NUMPYS = [e["file"] for e in MANIFEST if not e["needs"] and not e["layer"] and e["verdict"] != "unloadable"]
RANDOM = "fn_25.py"
X = np.array([[1.0, 4, 0], [5, 2, 6], [3, 9, 2], [0, 3, 5]])
DOUT = np.array([[2.0, 1, -1], [1, 0, 3], [-1, 2, 2], [3, -2, 1]])


class Module:
    """The globals of the functions of a layer, as a module is to those who import it."""

    def __init__(self, layer: Any) -> None:
        kind = layer.plan.recipe.kind if hasattr(layer, "plan") and hasattr(layer.plan, "recipe") else None
        inside = vars(kind).values() if kind else [layer.pair.forward]
        functions = [getattr(one, "__func__", one) for one in map(inspect.unwrap, inside)]
        vars(self)["space"] = next(one.__globals__ for one in functions if hasattr(one, "__globals__"))

    def __getattr__(self, name: str) -> Any:
        return vars(self)["space"][name]

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)["space"][name] = value


REFUSED = {
    "optimizer",
    "laid out",
    "are wrapped in others",
    "each of its instances",
    "take no arrays",
    "are asked of",
    "means over all batches",
    "takes a context",
    "the forward pass returns",
    "makes the keys",
    "are applied to",
    "is several functions",
    "cannot be traced",
}


def passed(layer: Any, mode: Mode) -> tuple[Call, np.ndarray | None, dict[str, np.ndarray]]:
    """A pass in either mode, and what it gives."""
    starts = layer.traits.starts_anywhere and layer.traits.keeps_statistics
    running = Statistics(np.array([2.0, 3, 1]), np.array([9.0, 4, 6])) if starts else None
    call = Call(X, np.array([2.0, 3, 2]), np.array([1.0, 0, 1]), running, LayerSettings(mode, 0.5, 0.8))
    dout = DOUT if mode is Mode.TRAIN and layer.traits.has_backward else None
    made = layer.forward(call)
    found = {"out": made.out} | ({} if dout is None else made.backward(dout)._asdict())
    return call, dout, found


@pytest.mark.parametrize("file", [file for file in NUMPYS if file != RANDOM])
def test_what_is_written_down_is_what_is_done(file: str) -> None:
    for layer, mode in itertools.product(resolve(f"{LAYERS}/{file}").layers, Mode):
        try:
            call, dout, wanted = passed(layer, mode)
        except LayerRaised:
            continue
        try:
            spelled = layer.spelled((call,), dout)  # type: ignore[attr-defined]
        except Unspelled as why:
            assert any(word in str(why) for word in REFUSED)  # noqa: PT017, the reason is the point
            continue
        arrays = {name: array.copy() for name, array in spelled.arrays.items()}
        space = {"np": np, "module": Module(layer), "SimpleNamespace": SimpleNamespace, **arrays}
        with quiet():
            exec("\n".join(spelled.lines), space)
        for name, value in wanted.items():
            found = np.ravel(eval(spelled.results[name], space))
            # The layouts of images order the same numbers in another way.
            np.testing.assert_allclose(np.sort(found), np.sort(np.ravel(value)), err_msg=f"{name} in {mode}")
