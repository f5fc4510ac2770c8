"""NumPy classes, as people write them: made, called and read by trial."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck import batchnorm
from bncheck.batchnorm import Statistics
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.classes.finding import find
from bncheck.layers.classes.instances import Recorder, clone
from bncheck.layers.classes.layer import ClassLayer
from bncheck.layers.classes.layouts import LAYOUTS, from_layer, spatial, to_layer
from bncheck.layers.conventions import PLAIN_RANK, gradient_of, meaning, statistic_of
from bncheck.layers.isolation import Unrunnable
from bncheck.layers.loading.files import load
from bncheck.layers.protocol import Call
from bncheck.layers.titles import is_variant, says_batch, speaks_of_layer
from bncheck.layers.untouched import Touched, Untouched
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

FOLDER = Path(__file__).parent / "layers"
ENTRIES = [e for e in json.loads((FOLDER / "manifest.json").read_text()) if e["kind"] == "class"]
RIGHT = [e for e in ENTRIES if e["verdict"] == "pass"]
WRONG = [e for e in ENTRIES if e["verdict"] in ("fail", "raised")]
# What those use that take no eps.
OWN_EPS = {"real_02.py": 1e-7, "real_08.py": 1e-5, "cls_lazy_02.py": 1e-8, "dlfs_01.py": 10e-7, "dlfs_04.py": 1e-7}
OWN_EPS |= {"cls_kept_01.py": 1e-5, "cls_index_01.py": 1e-5, "cls_eps_01.py": 1e-7}
OWN_EPS |= {"cls_index_02.py": 1e-8, "cls_before_02.py": 1e-8, "cls_history_01.py": 1e-7}
RAISES_LATER = ("cls_list_03.py", "cls_list_04.py", "cls_blame_04.py")
RAISES_AT_ONCE = {"err_04.py", "cls_blame_01.py", "cls_blame_02.py", "cls_blame_05.py"}
# Numbers of Python's own have one precision, and the tensor class makes its arrays of them.
OF_FLOATS = {"cls_list_01.py", "cls_graph_01.py", "cls_value_01.py"}
WIDENS = {"py2_01.py", *OF_FLOATS}
OF_ITS_OWN_MOMENTUM = {"real_08.py", "cls_avg_01.py", "cls_index_01.py", "cls_index_02.py", "cls_history_01.py"}


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [f"{e['file']}:{e['layer'] or ''}" for e in entries]


def in_file(entry: dict[str, Any]) -> ClassLayer:
    loaded = load(str(FOLDER / entry["file"]))
    (layer,) = find(loaded.names, loaded.tree, loaded.path, entry["layer"])
    return layer


def in_text(text: str, wanted: str | None = None) -> list[ClassLayer]:
    space: dict[str, Any] = {"np": np, "__name__": "layers"}
    tree = ast.parse(text)
    exec(compile(tree, "layers.py", "exec"), space)
    found = {node.name: space[node.name] for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    return find(found, tree, "some/where/layers.py", wanted)


def a_call(layer: ClassLayer, n: int = 24, d: int = 3, mode: Mode = Mode.TRAIN, eps: float = 0.01) -> Call:
    rng = np.random.default_rng(3)
    x, gamma, beta = rng.normal(size=(n, d)) * 2 + 1, rng.normal(size=d) + 0.3, rng.normal(size=d)
    start = Statistics(rng.normal(size=d), rng.uniform(0.5, 2, size=d)) if layer.traits.starts_anywhere else None
    return Call(x, gamma, beta, start, LayerSettings(mode=mode, eps=eps, momentum=0.8))


def dout_of(call: Call) -> np.ndarray[Any, Any]:
    return np.asarray(np.random.default_rng(4).normal(size=call.x.shape))


@pytest.mark.parametrize("d", [3, 7])
@pytest.mark.parametrize("entry", RIGHT, ids=names(RIGHT))
def test_right_ones_are_right_in_everything(entry: dict[str, Any], d: int) -> None:
    layer = in_file(entry)
    eps = 0.01 if layer.traits.takes_eps else OWN_EPS[entry["file"]]
    call, dout = a_call(layer, d=d), dout_of(a_call(layer, d=d))
    made = layer.forward(call)
    np.testing.assert_allclose(made.out, batchnorm.forward(call.x, call.gamma, call.beta, eps), atol=1e-10)
    for got, want in zip(made.backward(dout), batchnorm.backward(dout, call.x, call.gamma, eps), strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=1e-10)
    assert made.written == ()
    assert layer.traits.takes_momentum == (entry["file"] not in OF_ITS_OWN_MOMENTUM)
    if call.running and layer.traits.takes_momentum:
        batch = batchnorm.batch_statistics(call.x)
        batch = batch._replace(var=batch.var * (24 / 23 if "BN407" in entry["notes"] else 1))
        follows = batchnorm.update_running(call.running, batch, 0.8)
        np.testing.assert_allclose(made.running() or 0, follows, atol=1e-10)
    test = call._replace(settings=LayerSettings(Mode.TEST, eps=0.01, momentum=0.8))
    frozen = call.running or made.running()
    out = layer.forward(test, None if call.running else made.state).out
    np.testing.assert_allclose(out, batchnorm.forward(call.x, call.gamma, call.beta, eps, frozen), atol=1e-10)


@pytest.mark.parametrize("entry", WRONG, ids=names(WRONG))
def test_wrong_ones_load_and_run(entry: dict[str, Any]) -> None:
    layer = in_file(entry)
    call = a_call(layer)
    if entry["file"] in RAISES_AT_ONCE:
        with pytest.raises(LayerRaised):
            layer.forward(call)
        return
    made = layer.forward(call)
    assert made.out.shape == call.x.shape
    if entry["codes"] == ["BN008"] or entry["file"] in RAISES_LATER:
        with pytest.raises(NotImplementedByLayer if "BN008" in entry["codes"] else LayerRaised):
            made.backward(dout_of(call))
    else:
        assert made.backward(dout_of(call)).dx.shape == call.x.shape


@pytest.mark.parametrize("entry", RIGHT, ids=names(RIGHT))
def test_a_pass_leaves_no_trace(entry: dict[str, Any]) -> None:
    layer = in_file(entry)
    call = a_call(layer)
    kept, dout = call.x.copy(), dout_of(call)
    first = layer.forward(call)
    gradients = first.backward(dout)
    again = layer.forward(call, first.state)
    again.out[:] = 0
    np.testing.assert_array_equal(call.x, kept)
    np.testing.assert_array_equal(layer.forward(call).out, first.out)
    for one, other in zip(gradients, first.backward(dout), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entry", RIGHT, ids=names(RIGHT))
def test_the_output_keeps_the_dtype(entry: dict[str, Any], dtype: type) -> None:
    layer = in_file(entry)
    for mode in Mode:
        call = a_call(layer, mode=mode).astype(dtype)
        assert layer.forward(call).out.dtype == dtype or entry["file"] in WIDENS
    assert layer.traits.widest == ("float64" if entry["file"] in OF_FLOATS else "longdouble")


BODY = """
class BatchNorm:
    def __init__(self, dim, momentum=0.9, eps=1e-5):
        self.gamma, self.beta, self.momentum, self.eps = np.ones(dim), np.zeros(dim), momentum, eps
        self.running_mean, self.running_var = np.zeros(dim), np.ones(dim)
    def forward(self, x, train=True):
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(0), x.var(0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        inv = 1 / np.sqrt(var + self.eps)
        xhat = (x - mean) * inv
        self.kept = xhat, inv
        return self.gamma * xhat + self.beta
    def backward(self, dout):
        xhat, inv = self.kept
        g = dout * self.gamma
        dx = inv * (g - g.mean(0) - xhat * (g * xhat).mean(0))
        dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
        return dx, dgamma, dbeta
"""
IN_A_STEP = "self.gamma = self.gamma - lr * dgamma; self.beta = self.beta - lr * dbeta; return dx"
RETURNED = "return dx, dgamma, dbeta"
SLOTS = "BatchNorm:\n    __slots__ = 'gamma beta momentum eps running_mean running_var kept'.split()"
AT_ADAM = "self.gamma = self.opt.update(self.gamma, dgamma); self.beta = self.opt.update(self.beta, dbeta); return dx"
ADAM = """
class Adam:
    m = v = 0
    def update(self, w, g):
        self.m, self.v = 0.9 * self.m + 0.1 * g, 0.99 * self.v + 0.01 * g * g
        return w - 0.01 * self.m / (np.sqrt(self.v) + 1e-8)
"""
EXCHANGED = [("self.momentum *", "KEEP *"), ("(1 - self.momentum)", "self.momentum"), ("KEEP", "(1 - self.momentum)")]
LOGGED = "def logged(f):\n    return lambda *a, **k: f(*a, **k)\n"
VARIANTS: dict[str, list[tuple[str, str]]] = {
    "as a dict": [(RETURNED, 'return {"dbeta": dbeta, "dx": dx, "dgamma": dgamma}')],
    "by the names returned": [(RETURNED, "return dx, dbeta, dgamma")],
    "in a tuple": [(RETURNED, "self.grads = dgamma, dbeta; return dx")],
    "in a step": [("dout):", "dout, lr):"), (RETURNED, IN_A_STEP)],
    "at an optimizer argument": [("dout):", "dout, opt):"), (RETURNED, AT_ADAM.replace("self.opt", "opt"))],
    "at an optimizer of its own": [
        ("\nclass Batch", ADAM + "\nclass Batch"),
        ("= np.zeros(dim), np.ones(dim)", "= np.zeros(dim), np.ones(dim); self.opt = Adam()"),
        (RETURNED, AT_ADAM),
    ],
    "at no optimizer": [("eps=1e-5):", "eps=1e-5, opt=None):\n        self.opt = opt"), (RETURNED, AT_ADAM)],
    "nothing returned": [
        ("return self.gamma", "self.output = self.gamma"),
        (RETURNED, "self.dinputs, self.dgamma, self.dbeta = dx, dgamma, dbeta"),
    ],
    "a cache": [
        ("return self.gamma * xhat + self.beta", "return self.gamma * xhat + self.beta, (xhat, inv)"),
        ("dout):", "dout, cache):"),
        ("= self.kept", "= cache"),
    ],
    "results handed back": [
        ("return self.gamma * xhat + self.beta", "return self.gamma * xhat + self.beta, xhat, inv"),
        ("dout):", "dout, xhat, inv):"),
        ("xhat, inv = self.kept", "pass"),
    ],
    "names that say nothing": [
        ("self.gamma", "self.ka"),
        ("self.beta", "self.kb"),
        ("running_mean", "ra1"),
        ("running_var", "ra2"),
        (RETURNED, "self.dka, self.dkb = dgamma, dbeta; return dx"),
    ],
    "decorated": [("\nclass", LOGGED + "\nclass"), ("    def forward", "    @logged\n    def forward")],
    "options": [("x, train=True):", 'x, **options):\n        train = options.get("training", True)')],
    "keyword only": [("x, train=True", "x, *, train")],
    "phase": [("train=True", 'phase="train"'), ("if train:", 'if phase == "train":')],
    "slots": [("BatchNorm:", SLOTS)],
    "a flag in a word": [("train=True", "phase_train=True"), ("if train:", "if phase_train:")],
    "two sizes": [("dim, momentum=0.9, eps=1e-5):", "in_dim, out_dim, momentum=0.9, eps=1e-5):\n        dim = in_dim")],
    "a shape": [("dim, mom", "input_shape, mom"), ("eps=1e-5):", "eps=1e-5):\n        dim = input_shape[1]")],
    "another name": [("BatchNorm", "Whitener")],
    "share taken": [("momentum=0.9", "momentum=0.1"), *EXCHANGED],
}


def variant(changes: list[tuple[str, str]]) -> str:
    text = BODY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_way_of_writing_it_is_understood(changes: list[tuple[str, str]]) -> None:
    (layer,) = in_text(variant(changes))
    traits = layer.traits
    assert traits.takes_eps and traits.takes_momentum and traits.has_test_mode and traits.starts_anywhere  # noqa: PT018
    call = a_call(layer)
    made, dout = layer.forward(call), dout_of(call)
    np.testing.assert_allclose(made.out, batchnorm.forward(call.x, call.gamma, call.beta, 0.01), atol=1e-10)
    for got, want in zip(made.backward(dout), batchnorm.backward(dout, call.x, call.gamma, 0.01), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-10)
    assert call.running is not None
    follows = batchnorm.update_running(call.running, batchnorm.batch_statistics(call.x), 0.8)
    np.testing.assert_allclose(made.running() or 0, follows, atol=1e-10)


def test_a_reversed_momentum_is_no_convention() -> None:
    (layer,) = in_text(variant(EXCHANGED))
    assert "share kept" in layer.traits.recognised


def test_gradients_under_each_other_s_names_are_not_put_right() -> None:
    (layer,) = in_text(variant([(RETURNED, "self.dgamma, self.dbeta = dbeta, dgamma; return dx")]))
    call = a_call(layer)
    dout = dout_of(call)
    np.testing.assert_allclose(layer.forward(call).backward(dout).dgamma, dout.sum(0))


def test_writes_into_arguments_are_named() -> None:
    (layer,) = in_text(variant([("inv = 1", "x *= 1.5; inv = 1"), ("g = dout", "dout += 1; g = dout")]))
    call = a_call(layer)
    made = layer.forward(call)
    assert list(made.written) == ["x"]
    made.backward(dout_of(call))
    assert list(made.written) == ["x", "dout"]


def test_a_network_of_layers_is_no_layer() -> None:
    net = "\nclass BatchNormNet:\n    def __init__(self, sizes): self.all = [BatchNorm(s) for s in sizes]\n"
    net += "    def forward(self, x):\n        for one in self.all: x = one.forward(x)\n        return x\n"
    assert [layer.name for layer in in_text(BODY + net)] == ["layers.py:BatchNorm"]
    assert in_text(BODY, "Adam") == []


def test_statistics_that_backward_moves_follow_the_whole_step() -> None:
    text = (FOLDER / "cls_back_01.py").read_text()
    (layer,) = in_text(text)
    call = a_call(layer)
    made = layer.forward(call)
    first = made.running()
    assert call.running is not None
    assert first is not None
    follows = batchnorm.update_running(call.running, batchnorm.batch_statistics(call.x), 0.8)
    np.testing.assert_allclose(first.mean, follows.mean)
    np.testing.assert_allclose(first.var, follows.var)
    second = layer.forward(call._replace(running=None), made.state).running()
    assert second is not None
    assert not np.array_equal(second.mean, first.mean)


def test_input_that_is_nowhere_is_no_mistake_of_the_layers() -> None:
    text = (FOLDER / "cls_handed_02.py").read_text().replace("parent", "origin")
    (layer,) = in_text(text.replace("origin.output_shape", "origin"), "BatchNorm")
    with pytest.raises(Unrunnable, match=r"takes its input from self\.origin\.output"):
        layer.forward(a_call(layer))


def test_what_was_recognised_is_one_sentence() -> None:
    (layer,) = in_text(BODY)
    assert layer.traits.recognised == (
        "class layers.py:BatchNorm, forward(x, train), test mode by argument train=False, momentum = share kept, "
        "statistics in running_mean, running_var, backward returns dx, dgamma, dbeta"
    )
    assert layer.traits.source == ("layers.py:BatchNorm.forward", "layers.py:BatchNorm.backward")


@pytest.mark.parametrize("n", [2, 4, 5, 24, 40, 64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_go_there_and_back(layout: str, n: int) -> None:
    x = np.arange(3.0 * n).reshape(n, 3)
    np.testing.assert_array_equal(from_layer(to_layer(x, layout), layout, x.shape), x)


def test_images_have_several_pixels_where_the_rows_allow_it() -> None:
    assert [spatial(n) for n in (64, 7, 4)] == [(4, 4, 4), (7, 1, 1), (2, 2, 1)]


def test_names_mean_what_people_mean_by_them() -> None:
    running = [statistic_of(n) for n in "running_M mov_mean mean_avg runningMean test_mean running_avg runmean".split()]  # noqa: SIM905
    assert [found.role for found in running if found] == ["mean"] * 7
    assert statistic_of("batch_mean") is None
    prefixed = [statistic_of(name) for name in ("bn_mean", "batch_norm_mean", "bnMean")]
    assert [found.rank for found in prefixed if found] == [PLAIN_RANK] * 3
    of = [gradient_of(n) for n in "dLdBW d_gamma gradGamma gamma_grad dW gradient_weight".split()]  # noqa: SIM905
    assert [found.role for found in of if found] == ["dgamma"] * 6
    inside = meaning(((".", "params"), ("[", 0), (".", "grad")))
    assert inside is not None and inside.role == "dgamma"  # noqa: PT018
    assert not speaks_of_layer("LayerNorm", "Unlike batch norm, over the features.")


def test_copies_keep_what_is_shared_shared() -> None:
    array, log = np.ones(3), Recorder()
    copied = clone({"one": array, "other": [array], "opt": log}, {})
    assert array is not copied["one"] is copied["other"][0]
    copied["opt"].update(array, array)
    assert len(log.log) == 1


@pytest.mark.parametrize(
    "use",
    [bool, len, float, lambda v: v + 1, lambda v: v[0], lambda v: v == 3, lambda v: v.width, lambda v: np.zeros(v)],
)
def test_what_is_made_up_remembers_whether_it_was_looked_at(use: Any) -> None:
    probe = Untouched()
    kept = clone({"size": probe}, {})
    assert kept["size"] is probe and not probe.is_touched  # noqa: PT018
    with pytest.raises((Touched, TypeError)):
        use(probe)
    assert probe.is_touched


def test_variants_and_other_normalizations_are_named_for_what_they_are() -> None:
    assert all(is_variant(name) for name in ("GhostBatchNorm", "ConditionalBN2d", "BatchRenorm", "virtual_batch_norm"))
    assert not any(is_variant(name) for name in ("BatchNorm1d", "SyncBatchNorm", "BatchNormalization", "MyBN"))
    assert says_batch("BatchNorm2d") and says_batch("BN1d") and not says_batch("Normalization")  # noqa: PT018
