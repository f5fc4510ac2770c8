"""What is surmised of a user's functions: never blamed for what we guessed, and what was not checked is said."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from bncheck.batch import generate
from bncheck.checks.suite import check_layer
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput
from bncheck.layers.functions.evidence import Switch, drops, role_by_use, switch_of
from bncheck.layers.functions.pairs import member
from bncheck.layers.functions.source import Source
from bncheck.layers.functions.split import part_of
from bncheck.layers.resolve import resolve
from bncheck.report import Report
from bncheck.vocabulary import Severity, Verdict

BATCH = generate(16, 6)
FORWARD = """
import numpy as np


def batchnorm(x, gamma, beta, eps=1e-5):
    std = np.sqrt(x.var(axis=0) + eps)
    xhat = (x - x.mean(axis=0)) / std
    return gamma * xhat + beta, (xhat, gamma, std)

"""


def reports(folder: Path, text: str) -> list[Report]:
    (folder / "layers.py").write_text(text)
    return [check_layer(layer, BATCH) for layer in resolve(str(folder / "layers.py")).layers]


def only(folder: Path, text: str) -> Report:
    (report,) = reports(folder, text)
    return report


def codes(report: Report) -> list[str]:
    return sorted({f.code for f in report.findings if f.severity is Severity.ERROR})


def said(report: Report, section: str) -> str:
    return next(s.said for s in report.sections if s.name == section)


# ---- a backward pass that is not found ----


@pytest.mark.parametrize(
    ("backward", "names"),
    [
        ("def batchnorm_dgamma(dy, q): ...\ndef batchnorm_dbeta(dy): ...\ndef batchnorm_dx(dy, q): ...", 3),
        ("def backprop_batchnorm2d(dy, q, r, s, t): return dy, dy.sum(0), dy.sum(0)", 1),
    ],
)
def test_a_backward_pass_that_cannot_be_called_is_no_pass(tmp_path: Path, backward: str, names: int) -> None:
    report = only(tmp_path, FORWARD + backward)
    assert report.verdict is Verdict.BLIND
    assert codes(report) == []
    assert said(report, "gradients").count("batchnorm") == names
    assert run(["check", str(tmp_path / "layers.py")]) is Exit.BLIND


@pytest.mark.parametrize(
    "beside",
    [
        "def backward(model, dout): return model",
        "def backward(dout, caches): return [dout @ w.T for w in caches]",
        "def dW(dout, x): return x.T @ dout\ndef db(dout): return dout.sum(0)\ndef dx(dout, W): return dout @ W.T",
        "def layernorm_dgamma(dout): ...\ndef layernorm_dbeta(dout): ...\ndef layernorm_dx(dout): ...",
        "def relu_backward(dout, cache): return dout * (cache > 0)",
    ],
)
def test_what_belongs_to_other_layers_is_not_blamed_on_this_one(tmp_path: Path, beside: str) -> None:
    report = only(tmp_path, FORWARD + beside)
    assert report.verdict is Verdict.PASS
    assert said(report, "gradients") == "the layer has no backward pass"


@pytest.mark.parametrize("name", ["d_batch_norm", "dbatchnorm", "d_bn", "batchnorm_vjp", "bn_derivative", "derive_bn"])
def test_names_of_a_backward_pass(name: str) -> None:
    assert member(name).part == "backward"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, "gamma") for name in ("d_gamma", "_dgamma", "grad_gamma", "gammaGrad", "bn_dw", "dL_dgamma", "dγ")),
        *((name, "beta") for name in ("dBeta", "compute_dbeta", "batchnorm_backward_beta", "grad_shift", "bn_db")),
        *((name, "x") for name in ("dx", "dZ", "grad_input", "bn_dx", "backward_x", "dLdx")),
        *((name, "params") for name in ("backward_params", "grad_gamma_beta")),
        *(
            (name, "")
            for name in ("gamma", "dW", "db", "dropout", "data", "init_gamma", "dxhat", "layernorm_dx", "delta")
        ),
    ],
)
def test_names_of_one_gradient(name: str, role: str) -> None:
    assert part_of(name) == role


# ---- whose mistake it is that a call raises ----


@pytest.mark.parametrize(
    "body",
    [
        "assert hasattr(gadget, 'rate')\n    return gamma * x * gadget.rate + beta",
        "return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + gadget.width()) + beta",
        "return gamma * (x - x.mean(0)) / gadget['sheet'][0] + beta",
        "if gadget not in (1, 2): raise ValueError('gadget')\n    return gamma * x + beta",
    ],
)
def test_a_wrong_guess_at_an_argument_is_no_mistake_of_the_layers(tmp_path: Path, body: str) -> None:
    (tmp_path / "layers.py").write_text(
        f"import numpy as np\ndef batchnorm_forward(x, gamma, beta, gadget):\n    {body}\n"
    )
    with pytest.raises(BadInput, match="asks for gadget"):
        resolve(str(tmp_path / "layers.py"))


@pytest.mark.parametrize(
    "body",
    [
        "return gamma * (x - x.mean(0)) / np.sqrt(variance + 1e-5) + beta",
        "odd = bool(gadget)\n    return gamma * (x - x.mean(1)) + beta",
        "mu = x.mean(0)\n    x = (X - mu)\n    X = x\n    return gamma * x + beta if gadget else x",
    ],
)
def test_what_every_guess_runs_into_is_the_layers_own(tmp_path: Path, body: str) -> None:
    report = only(tmp_path, f"import numpy as np\ndef batchnorm_forward(x, gamma, beta, gadget):\n    {body}\n")
    assert report.raised
    assert codes(report) == ["BN001"]


# ---- what the code does with an argument ----

USES = """
def batchnorm(x, keep, tiny, idle, rate, phase, word, flag, conf, cut):
    if phase != 1:
        mu = running
    else:
        mu = x.mean(axis=0)
    if word == "go":
        mu, var = x.mean(axis=0), x.var(axis=0)
    elif word == "stop":
        mu = old
    if flag == True:
        mu = x.mean(axis=0)
    stage, other = conf["stage"], 1
    var = x.var(axis=0) if stage == 0 else old
    running = keep * running + (1.0 - keep) * mu
    cut = 0.9 * cut + 0.1 * mu
    rate = rate.reshape(1, -1)
    return (x - mu) / np.sqrt(var + tiny)
"""


def test_roles_by_use() -> None:
    source = Source(ast.parse(USES))
    found = {name: role_by_use(source, "batchnorm", name) for name in ("keep", "tiny", "idle", "rate")}
    assert found == {"keep": "momentum", "tiny": "eps", "idle": "none", "rate": ""}
    assert [drops(source, "batchnorm", name) for name in ("cut", "rate", "keep")] == [True, False, False]


def test_switches_by_the_branch_that_takes_statistics() -> None:
    source = Source(ast.parse(USES))
    assert switch_of(source, "batchnorm", "phase", {}) == Switch(1, 0)
    assert switch_of(source, "batchnorm", "word", {}) == Switch("go", "stop")
    assert switch_of(source, "batchnorm", "conf", {}, "stage") == Switch(0, 1)
    assert switch_of(source, "batchnorm", "flag", {}) is None
    assert switch_of(source, "batchnorm", "keep", {}) is None


# ---- what only shows in a whole check ----

PLACES = """
import numpy as np


def batchnorm2d(x, gamma, beta, running_mean, running_var, mode="train"):
    b, c, h, w = x.shape
    if mode == "train":
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = 0.9 * running_mean + 0.1 * mean
        running_var = 0.9 * running_var + 0.1 * var
    else:
        mean, var = running_mean, running_var
    return gamma * (x - mean) / np.sqrt(var + 1e-8) + beta
"""


def test_a_mean_for_each_place_and_averages_that_are_dropped(tmp_path: Path) -> None:
    """With an eps of its own, which is no second mistake of test mode."""
    assert codes(only(tmp_path, PLACES)) == ["BN306", "BN408"]


@pytest.mark.parametrize(
    "returned",
    ["[running_mean, running_var]", "{'m': running_mean, 'v': running_var}", "(mean, (running_mean, running_var))"],
)
def test_averages_that_are_returned_by_any_way_are_not_called_dropped(tmp_path: Path, returned: str) -> None:
    text = PLACES.replace("axis=0", "axis=(0, 2, 3)").replace("+ beta\n", f"+ beta, {returned}\n")
    for name in ("gamma", "beta", "mean", "var"):
        text = text.replace(f"- {name})", f"- {name}[:, None, None])").replace(
            f"({name} +", f"({name}[:, None, None] +"
        )
    text = text.replace("gamma * ", "gamma[:, None, None] * ").replace("+ beta", "+ beta[:, None, None]")
    assert codes(only(tmp_path, text)) == []


def test_a_dx_that_knows_nothing_of_dout_has_no_common_factor(tmp_path: Path) -> None:
    text = (
        FORWARD
        + """
def batchnorm_backward(dout, cache):
    xhat, gamma, std = cache
    return 3 * xhat - 1, (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""
    )
    assert codes(only(tmp_path, text)) == ["BN110"]


GIVEN = """
import numpy as np


def bn_{name}(x, gamma, beta, mv{flag}, eps=1e-5):
    mean, var = {choice}
    return gamma * (x - mean) / np.sqrt(var{eps}) + beta
"""


@pytest.mark.parametrize(("eps", "expected"), [(" + eps", []), ("", ["BN404"])])
def test_test_mode_by_statistics_that_the_caller_keeps(tmp_path: Path, eps: str, expected: list[str]) -> None:
    text = GIVEN.format(name="forward", flag=", train=True", choice="(x.mean(0), x.var(0)) if train else mv", eps="")
    text = text.replace("np.sqrt(var)", f"np.sqrt(var + eps if train else var{eps})")
    report = only(tmp_path, text)
    assert codes(report) == expected
    assert expected or said(report, "test_mode").startswith("the statistics that it is given")


def test_two_layers_of_one_maker_share_nothing(tmp_path: Path) -> None:
    folder = Path(__file__).parent / "layers"
    (layer,) = resolve(str(folder / "make_01.py")).layers
    from bncheck.layers.functions.traits import sample

    start = layer.forward(sample()).running()
    again = layer.forward(sample()).running()
    assert start is not None
    assert again is not None
    assert np.array_equal(start.mean, again.mean)
    assert layer.name == "make_01.py:make_batchnorm"
