"""Layers as people write them: each with the verdict and the codes that it must get."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bncheck
from bncheck.arrays import Array
from bncheck.batch import generate
from bncheck.batchnorm import Gradients
from bncheck.checks.api import check
from bncheck.checks.suite import SECTIONS, check_layer
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput
from bncheck.findings.textbook import RIGHT
from bncheck.layers.protocol import Call, Traits
from bncheck.layers.reference import Reference
from bncheck.layers.resolve import resolve
from bncheck.vocabulary import Severity, Verdict
from tests.wrong import DX, PARAMETERS, Mistake, WrongLayer, WrongPass

LAYERS = Path(__file__).parent / "layers"
MANIFEST: list[dict[str, Any]] = json.loads((LAYERS / "manifest.json").read_text())
BATCH = generate(16, 6)


def named(entry: dict[str, Any]) -> str:
    return f"{entry['file']}:{entry['layer']}" if entry["layer"] else str(entry["file"])


@pytest.mark.parametrize("entry", MANIFEST, ids=named)
def test_a_users_layer_gets_its_verdict(entry: dict[str, Any]) -> None:
    if entry["needs"]:
        if find_spec(entry["needs"]) is None:
            pytest.skip(f"{entry['needs']} is not installed")
        pytest.importorskip(entry["needs"])
    target = f"{LAYERS}/{named(entry)}"
    if entry["verdict"] == "unloadable":
        with pytest.raises(BadInput):
            resolve(target)
        return
    reports = [check_layer(layer, BATCH) for layer in resolve(target).layers]
    findings = [f for report in reports for f in report.findings]
    errors = {f.code for f in findings if f.severity is Severity.ERROR}
    notes = {f.code for f in findings if f.severity is Severity.NOTE}
    if entry["verdict"] == "pass":
        assert not errors, findings
        assert {r.verdict for r in reports} == {Verdict.PASS}
        assert set(entry["notes"]) <= notes
    else:
        assert Verdict.FAIL in {r.verdict for r in reports}
        assert set(entry["codes"]) <= errors, findings
    if entry["verdict"] == "raised":
        assert reports[0].raised


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d"])
def test_pytorchs_own_layers_pass_with_their_conventions_named(name: str, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    report = bncheck.check(getattr(torch.nn, name)(6), generate(16, 6, dtype=dtype))
    assert {s.verdict for s in report.sections} == {Verdict.PASS}
    assert [(f.code, f.severity) for f in report.findings] == [("BN407", Severity.NOTE)]
    assert "momentum is the share taken (PyTorch)" in next(s.said for s in report.sections if s.name == "running")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_flaxs_own_layer_passes_where_it_takes_two_passes(dtype: str) -> None:
    pytest.importorskip("jax", reason="JAX is not installed")
    linen = pytest.importorskip("flax.linen", reason="Flax is not installed")
    batch = generate(16, 6, dtype=dtype)
    assert bncheck.check(linen.BatchNorm(momentum=0.9, use_fast_variance=False), batch).verdict is Verdict.PASS
    # Its default is E[x²] - E[x]², and loses digits accordingly.
    default = bncheck.check(linen.BatchNorm(momentum=0.9), batch)
    assert [f.code for f in default.findings] == ["BN501"]


def test_the_reference_passes_every_section() -> None:
    report = check_layer(Reference())
    assert [s.name for s in report.sections] == list(SECTIONS)
    assert {s.verdict for s in report.sections} == {Verdict.PASS}
    assert report.findings == ()


EXPECTED = {
    "variance path lost": "BN101",
    "mean path lost": "BN102",
    "statistics taken as constants": "BN103",
    "half of the variance path": "BN104",
    "N - 1": "BN104",
    "gamma left out": "BN105",
    "eps left out": "BN106",
    "sign": "BN107",
    "a common factor": "BN108",
    "one entry off by 1%": "BN109",
    "one entry NaN": "BN003",
    "dgamma a mean": "BN202",
    "dgamma from x": "BN203",
    "dbeta a mean": "BN202",
    "swapped": "BN204",
}
MISTAKES: dict[str, Mistake] = {**DX, **{name: mistake for name, (_, mistake) in PARAMETERS.items()}}


@pytest.mark.parametrize("name", EXPECTED)
def test_one_mistake_in_the_gradients_is_one_finding(name: str) -> None:
    report = check_layer(WrongLayer(name, MISTAKES[name]), BATCH)
    assert [f.code for f in report.findings] == [EXPECTED[name]]
    assert {s.name for s in report.sections if s.verdict is Verdict.FAIL} <= {"gradients", "contract"}


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("course_01.py", Exit.PASS),
        ("course_31.py", Exit.FAIL),
        ("no_such_file.py", Exit.USAGE),
        ("err_01.py", Exit.RAISED),
    ],
)
def test_the_command_exits_by_the_worst_layer(file: str, code: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(LAYERS / file)]) is code
    shown = capsys.readouterr()
    assert (shown.err.count("\n") == 1) is (code is Exit.USAGE)


def test_a_layer_that_raises_is_told_with_its_own_frames_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["grad", "--impl", f"{LAYERS}/err_01.py"]) is Exit.RAISED
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "x_hat" in shown.err
    assert "Traceback" in shown.err
    assert "bncheck/checks" not in shown.err


def test_a_layer_of_the_users_runs_forward_and_backward(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("forward", "backward"):
        assert run([command, "--impl", f"{LAYERS}/dlfs_02.py", "--format", "json", "--mode", "train"]) is Exit.PASS
        own = json.loads(capsys.readouterr().out)
        run([command, "--format", "json"])
        reference = json.loads(capsys.readouterr().out)
        name = {"forward": "out", "backward": "dbeta"}[command]
        assert np.allclose(own[name], reference[name], rtol=1e-12, atol=1e-12)


def test_several_layers_are_one_valid_output(capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", str(LAYERS / "course_01.py"), "--format", "json"])
    reports = json.loads(capsys.readouterr().out)
    assert len(reports) > 1
    assert set(reports[0]["sections"]) == set(SECTIONS)
    run(["check", f"{LAYERS}/course_01.py:batchnorm_backward_alt", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["implementation"].endswith("batchnorm_backward_alt")


def test_a_gradient_in_another_shape_of_the_same_numbers_is_noted(tmp_path: Path) -> None:
    source = (LAYERS / "readme_layers.py").read_text()
    right = source.replace("(dout * xhat).sum(axis=0)", "(dout * xhat).sum(axis=0, keepdims=True)")
    (tmp_path / "layer.py").write_text(right)
    report = check_layer(resolve(f"{tmp_path}/layer.py:batchnorm_backward_alt").layers[0], BATCH)
    assert report.verdict is Verdict.PASS
    assert [(f.code, f.severity, f.quantity) for f in report.findings] == [("BN002", Severity.NOTE, "dgamma")]


def test_the_glue_that_is_shown_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.py").write_text("def layer(a):\n    return a\n")
    assert run(["check", f"{tmp_path}/odd.py"]) is Exit.USAGE
    shown = capsys.readouterr().err
    glue = "\n".join(line.removeprefix("    ") for line in shown.splitlines()[2:])
    glue = glue.replace("from odd import ...", "import numpy as np").replace(
        "    ...\n    return out, cache",
        "    mean, var = x.mean(0), x.var(0)\n    inv = 1 / np.sqrt(var + bn_param['eps'])\n"
        "    test = bn_param['mode'] == 'test'\n"
        "    if test:\n"
        "        mean, inv = bn_param['running_mean'], 1 / np.sqrt(bn_param['running_var'] + bn_param['eps'])\n"
        "    else:\n"
        "        kept = bn_param['momentum']\n"
        "        bn_param['running_mean'] = kept * bn_param.get('running_mean', 0) + (1 - kept) * mean\n"
        "        bn_param['running_var'] = kept * bn_param.get('running_var', 1) + (1 - kept) * var\n"
        "    xhat = (x - mean) * inv\n    out, cache = gamma * xhat + beta, (xhat, inv, gamma)\n    return out, cache",
    )
    glue = glue.replace(
        "    ...\n    return dx, dgamma, dbeta",
        "    xhat, inv, gamma = cache\n    g = dout * gamma\n"
        "    dx = inv * (g - g.mean(0) - xhat * (g * xhat).mean(0))\n"
        "    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)\n    return dx, dgamma, dbeta",
    )
    (tmp_path / "glue.py").write_text(glue)
    assert run(["check", f"{tmp_path}/glue.py"]) is Exit.PASS, capsys.readouterr().out
    assert run(["grad", "--impl", f"{tmp_path}/glue.py"]) is Exit.PASS


def test_every_format_shows_the_sections(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = f"{LAYERS}/readme_layers.py:batchnorm_forward"
    for name in ("table", "markdown", "csv", "junit", "json"):
        assert run(["check", wrong, "--format", name]) is Exit.FAIL
        shown = capsys.readouterr().out
        assert "BN101" in shown
        assert all(section in shown.replace("test mode", "test_mode") for section in SECTIONS)


def test_a_right_backward_under_a_wrong_forward_is_told_apart() -> None:
    def other(name: str) -> Any:
        return {s.name: s for s in check_layer(Halved(name)).sections}

    right_backward, consistent = other("definition"), other("own")
    assert right_backward["gradients"].said == "those of the textbook, which the forward pass is not"
    assert consistent["gradients"].verdict is Verdict.PASS
    assert "which is not the definition" in consistent["gradients"].said
    assert right_backward["forward"].verdict is consistent["forward"].verdict is Verdict.FAIL


class Halved:
    """out is half of what it should be; the backward is that of the definition, or of this forward."""

    traits = Traits()

    def __init__(self, name: str) -> None:
        self.name = name

    def forward(self, call: Call, state: object = None) -> WrongPass:
        half = 0.5 if self.name == "own" else 1.0
        mistake: Mistake = lambda call, dout, right: Gradients(*(half * g for g in right))  # noqa: E731
        return WrongPass(call, 0.5 * Reference().forward(call).out, mistake, Reference().forward(call).state)


def test_what_a_layer_prints_stays_out_of_the_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = (LAYERS / "course_02.py").read_text()
    chatty = source.replace(
        "def batchnorm_backward(dout, cache):\n", 'def batchnorm_backward(dout, cache):\n    print("hello")\n'
    )
    assert chatty != source
    (tmp_path / "chatty.py").write_text('print("at import")\n' + chatty)
    run(["check", str(tmp_path / "chatty.py"), "--format", "json"])
    shown = capsys.readouterr()
    json.loads(shown.out)
    assert "hello" not in shown.out


@pytest.mark.parametrize("end", ["os._exit(0)", "os._exit(7)", "os.abort()", "sys.exit(0)"])
def test_a_layer_that_ends_the_process_does_not_pass(end: str, tmp_path: Path) -> None:
    (tmp_path / "layer.py").write_text(
        f"import os\nimport sys\n\n\ndef batchnorm_forward(x, gamma, beta, bn_param):\n    {end}\n\n\n"
        "def batchnorm_backward(dout, cache):\n    return dout, dout, dout\n"
    )
    command = [sys.executable, "-m", "bncheck", "check", "layer.py", "--timeout", "60"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == Exit.RAISED, done.stderr


def test_a_hang_ends_with_the_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hang.py").write_text(
        "def batchnorm_forward(x, gamma, beta, bn_param):\n    while True:\n        pass\n\n\n"
        "def batchnorm_backward(dout, cache):\n    return dout, dout, dout\n"
    )
    arguments = ["check", str(tmp_path / "hang.py"), "--timeout", "3"]
    monkeypatch.setattr("sys.argv", ["bncheck", *arguments])
    assert run(arguments) is Exit.RAISED


def test_an_eps_that_the_backward_has_of_its_own_is_found() -> None:
    def with_its_own(g: Array, centred: Array, var: Array) -> Array:
        inv = 1 / np.sqrt(var + 1e-5)
        xhat = centred * inv
        return np.asarray(inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)))

    report = check(RIGHT._replace(dx=with_its_own).pair())
    assert [f.code for f in report.findings] == ["BN106"]
    assert "sqrt(var + 1e-05) stands in place of the forward's root" in report.findings[0].evidence


def with_denominator(denominator: Callable[[Array], Array], copies_first: bool = False) -> type:
    """A class whose eps nobody can set."""

    class BatchNorm:
        def __init__(self, d: int, momentum: float = 0.9) -> None:
            self.gamma, self.beta, self.momentum = np.ones(d), np.zeros(d), momentum
            self.running_mean, self.running_var = np.zeros(d), np.ones(d)

        def forward(self, x: Array, training: bool = True) -> Array:
            mean, var = (x.mean(0), x.var(0)) if training else (self.running_mean, self.running_var)
            if training and copies_first and not self.running_mean.any():
                self.running_mean, self.running_var = mean, var
            elif training:
                self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
                self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            self.std = denominator(var)
            self.xhat = (x - mean) / self.std
            return np.asarray(self.gamma * self.xhat + self.beta)

        def backward(self, dout: Array) -> Array:
            self.dgamma, self.dbeta = (dout * self.xhat).sum(0), dout.sum(0)
            g = dout * self.gamma
            return np.asarray((g - g.mean(0) - self.xhat * (g * self.xhat).mean(0)) / self.std)

    return BatchNorm


@pytest.mark.parametrize("eps", [1e-3, 1e-5, 5e-6, 3e-8, 1e-8, 1e-9, 1e-12, 1e-15, 1e-16, float(np.float32(1e-3))])
def test_an_eps_of_the_layers_own_is_no_mistake(eps: float) -> None:
    report = check(with_denominator(lambda var: np.sqrt(var + eps)))
    assert report.verdict is Verdict.PASS, report.findings


@pytest.mark.parametrize(
    ("denominator", "code"),
    [
        (np.sqrt, "BN303"),
        (lambda var: np.sqrt(var) + 1e-8, "BN302"),
        (lambda var: np.sqrt(var + 1e-5) + 1e-5, "BN304"),
        (lambda var: np.sqrt(var + 2e-5), "BN304"),
        (lambda var: var + 1e-6, "BN307"),
        (lambda var: np.sqrt(np.maximum(var, 1e-5)), "BN308"),
    ],
)
def test_an_eps_in_the_wrong_place_is_one(denominator: Callable[[Array], Array], code: str) -> None:
    report = check(with_denominator(denominator))
    assert code in [f.code for f in report.findings if f.quantity == "out"]


def running_section(update: Callable[..., Any]) -> str:
    report = check(RIGHT._replace(update=update).pair())
    return next(s.said for s in report.sections if s.name == "running")


def test_the_averages_are_told_with_what_they_start_from() -> None:
    assert running_section(RIGHT.update) == (
        "running mean: 0.9 old + 0.1 mean, from 0; running variance: 0.9 old + 0.1 variance, from 1; "
        "momentum is the share kept (CS231n, Keras)"
    )

    report = check(with_denominator(lambda var: np.sqrt(var + 1e-5), copies_first=True))
    assert "the first batch copied" in next(s.said for s in report.sections if s.name == "running")
