"""Layers in PyTorch and JAX: real ones against the definition, and those that imaginary users wrote."""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck import batchnorm, check
from bncheck.arrays import Array, DTypeLike
from bncheck.batch import generate
from bncheck.batchnorm import Gradients, Statistics
from bncheck.errors import BadInput, LayerRaised, NotImplementedByLayer
from bncheck.layers.loading.files import load
from bncheck.layers.protocol import Call, Layer
from bncheck.layers.resolve import resolve
from bncheck.layers.tensors import arrays as tensors
from bncheck.layers.tensors import jax as jax_layers
from bncheck.layers.tensors import torch as torch_layers
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode, Severity, Verdict

LAYERS = Path(__file__).parent / "layers"
ENTRIES = [e for e in json.loads((LAYERS / "manifest.json").read_text()) if e["kind"] in ("torch", "jax")]
ROOM = {"float64": 1e-12, "float32": 2e-5}


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture
def jax() -> Any:
    return pytest.importorskip("jax", reason="JAX is not installed")


def call_of(
    mode: Mode = Mode.TRAIN, dtype: DTypeLike = np.float64, n: int = 12, width: int = 5, **settings: Any
) -> Call:
    draw = np.random.default_rng(7)
    x = draw.normal(size=(n, width)) * [0.02, 1, 3, 1, 1] + [0, 5, -2, 0, 1]
    running = Statistics(draw.normal(size=width), draw.uniform(0.5, 2, width))
    gamma, beta = np.array([1.5, -0.5, 2, 1, 0.1]), draw.normal(size=width)
    return Call(x, gamma, beta, running, LayerSettings(mode, **({"eps": 1e-3} | settings))).astype(dtype)


def upstream(call: Call) -> Array:
    return np.random.default_rng(8).normal(size=call.x.shape).astype(call.x.dtype)


def fixed(call: Call) -> Statistics | None:
    return call.running if call.settings.mode is Mode.TEST else None


def near(made: Array, right: Array, dtype: DTypeLike = np.float64) -> bool:
    assert made.dtype == np.dtype(dtype)
    assert made.shape == right.shape
    return bool(np.max(np.abs(made - right)) <= ROOM[np.dtype(dtype).name] * np.max(np.abs(right)))


def expected(call: Call) -> tuple[Array, Gradients]:
    wide = call.astype(np.float64)
    out = batchnorm.forward(wide.x, wide.gamma, wide.beta, wide.settings.eps, fixed(wide))
    return out, batchnorm.backward(upstream(call), wide.x, wide.gamma, wide.settings.eps, fixed(wide))


def wrong_in(layer: Layer, call: Call, dtype: DTypeLike = np.float64) -> set[str]:
    """What differs from the definition."""
    made, (out, right) = layer.forward(call), expected(call)
    pairs = {"out": (made.out, out)}
    pairs |= zip(Gradients._fields, zip(made.backward(upstream(call)), right, strict=True), strict=True)
    return {name for name, (one, other) in pairs.items() if not near(one, other, dtype)}


def only(library: Any, code: str, wanted: str | None = None) -> Layer:
    """The one layer in a piece of code."""
    names: dict[str, object] = {"__name__": "piece"}
    exec(compile(textwrap.dedent(code), "piece.py", "exec"), names)
    (layer,) = library.find(names, ast.parse(textwrap.dedent(code)), "some/where/piece.py", wanted)
    made: Layer = layer
    return made


def only_in_file(folder: Path, library: Any, code: str) -> Layer:
    """Likewise, where the source has to be read again."""
    file = folder / "piece.py"
    file.write_text(textwrap.dedent(code))
    loaded = load(str(file))
    (layer,) = library.find(loaded.names, loaded.tree, loaded.path, loaded.wanted)
    made: Layer = layer
    return made


def library_of(kind: str) -> Any:
    return torch_layers if kind == "torch" else jax_layers


# ---- PyTorch's own ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
def test_torchs_own_layers_agree_with_the_definition(torch: Any, name: str, mode: Mode, dtype: str) -> None:
    for thing in (getattr(torch.nn, name), getattr(torch.nn, name)(5, eps=0.5)):
        layer = torch_layers.of(thing, name)
        assert layer is not None
        assert wrong_in(layer, call_of(mode, dtype), dtype) == set()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d"])
def test_torchs_own_layers_keep_the_unbiased_variance(torch: Any, name: str, dtype: str) -> None:
    layer, call = torch_layers.of(getattr(torch.nn, name), name), call_of(dtype=dtype, momentum=0.7)
    assert layer is not None
    running, wide = layer.forward(call).running(), call.astype(np.float64)
    assert running is not None
    assert wide.running is not None
    batch = Statistics(wide.x.mean(axis=0), wide.x.var(axis=0, ddof=1))
    for made, right in zip(running, batchnorm.update_running(wide.running, batch, 0.7), strict=True):
        assert near(made, right, dtype)


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d"])
def test_torchs_own_layers_are_found_by_name(torch: Any, name: str) -> None:
    loaded = load(f"torch.nn:{name}")
    (layer,) = torch_layers.find(loaded.names, loaded.tree, loaded.path, loaded.wanted)
    shape = "" if name == "BatchNorm1d" else " over (N, C, H, W)"
    sentence = f"torch module torch.nn.{name}{shape}, momentum = share taken, gradients by autograd"
    assert layer.traits.recognised == sentence
    assert layer.traits.packs
    assert layer.traits.kept_by_default == pytest.approx(0.9)
    assert layer.traits.widest == "float64"


def test_an_instance_has_the_columns_that_it_has(torch: Any) -> None:
    module = torch.nn.BatchNorm1d(5, momentum=0.2)
    layer = torch_layers.of(module, "mine")
    assert layer is not None
    assert not layer.traits.packs
    assert layer.traits.kept_by_default == pytest.approx(0.8)
    layer.forward(call_of())
    assert module.running_mean.tolist() == [0] * 5
    assert module.weight.tolist() == [1] * 5
    assert module.weight.dtype == torch.float32
    assert module.training


@pytest.mark.parametrize("n", [1, 2, 4, 7, 12, 64])
def test_rows_become_pictures_and_rows_again(n: int) -> None:
    x = np.arange(n * 3.0).reshape(n, 3)
    for layout in tensors.LAYOUTS:
        there = tensors.spread(x, layout)
        assert np.array_equal(tensors.gathered(there, layout, x.shape), x)
        assert not np.shares_memory(there, x)
    assert tensors.spatial(64) == (4, 4, 4)
    assert tensors.spatial(7) == (7, 1, 1)


# ---- what a pass leaves behind ----


def test_a_state_goes_on_and_never_changes(torch: Any) -> None:
    layer = torch_layers.of(torch.nn.BatchNorm1d, "BatchNorm1d")
    assert layer is not None
    call = call_of()._replace(running=None)
    first = layer.forward(call)
    seen = [layer.forward(call, first.state).running() for _ in range(2)]
    again = layer.forward(call, layer.forward(call, first.state).state).running()
    batch, start = call.x.mean(axis=0), first.running()
    assert start is not None
    assert near(start.mean, 0.1 * batch)
    for running, share in ((seen[0], 0.19), (seen[1], 0.19), (again, 0.271)):
        assert running is not None
        assert near(running.mean, share * batch)


def test_arguments_are_copied_and_settings_restored(torch: Any) -> None:
    layer, call = torch_layers.of(torch.nn.BatchNorm2d, "BatchNorm2d"), call_of()
    assert layer is not None
    before, dout = call_of(), upstream(call)
    made = layer.forward(call)
    made.backward(dout)
    made.out[:] = 0
    for one, other in zip((call.x, call.gamma, call.beta), (before.x, before.gamma, before.beta), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(dout, upstream(call))
    assert getattr(made, "written", None) == ()
    assert torch.get_default_dtype() == torch.float32


def test_wide_numbers_come_back_wide(torch: Any) -> None:
    layer, call = torch_layers.of(torch.nn.BatchNorm1d, "BatchNorm1d"), call_of(dtype=np.longdouble)
    assert layer is not None
    made = layer.forward(call)
    running = made.running()
    assert running is not None
    for array in (made.out, *made.backward(upstream(call)), *running):
        assert array.dtype == np.longdouble


def test_what_is_written_into_is_named(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        class BatchNorm(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, gamma, beta, eps):
                x -= x.mean(0)
                inv = (x.square().mean(0) + eps).rsqrt()
                ctx.mark_dirty(x)
                ctx.save_for_backward(x * inv, gamma, inv)
                return x * inv * gamma + beta, x
            @staticmethod
            def backward(ctx, dout, _):
                xhat, gamma, inv = ctx.saved_tensors
                dbeta, dgamma = dout.sum(0), (dout * xhat).sum(0)
                dout *= gamma
                return inv * (dout - dout.mean(0) - xhat * (dout * xhat).mean(0)), dgamma, dbeta, None
        """,
    )
    call = call_of()
    made, (out, right) = layer.forward(call), expected(call)
    assert near(made.out, out)
    assert getattr(made, "written", None) == ("x",)
    assert near(made.backward(upstream(call)).dx, right.dx)
    assert getattr(made, "written", None) == ("x", "dout")


# ---- ways to write it ----


def test_a_function_with_its_own_context(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        class BatchNorm(torch.autograd.Function):
            @staticmethod
            def forward(x, weight, bias, running_mean, running_var, training, momentum, eps):
                if training:
                    mean, var = x.mean(0), x.var(0, unbiased=False)
                    running_mean.lerp_(mean, momentum)
                    running_var.lerp_(var, momentum)
                else:
                    mean, var = running_mean.clone(), running_var.clone()
                return (x - mean) / (var + eps).sqrt() * weight + bias, mean, var
            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(inputs[0], inputs[1], *output[1:])
                ctx.training, ctx.eps = inputs[5], inputs[7]
            @staticmethod
            def backward(ctx, dout, *_):
                x, weight, mean, var = ctx.saved_tensors
                inv = (var + ctx.eps).rsqrt()
                xhat, g = (x - mean) * inv, dout * weight
                lost = g.mean(0) + xhat * (g * xhat).mean(0) if ctx.training else 0
                return inv * (g - lost), (dout * xhat).sum(0), dout.sum(0), None, None, None, None, None
        """,
    )
    assert [wrong_in(layer, call_of(mode)) for mode in Mode] == [set(), set()]


def test_a_backward_written_into_a_class(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        class BatchNorm:
            def __init__(self, dim):
                self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)
                self.eps = 1e-5
            def forward(self, x):
                self.inv = 1 / torch.sqrt(x.var(0, unbiased=False) + self.eps)
                self.xhat = (x - x.mean(0)) * self.inv
                return self.gamma * self.xhat + self.beta
            def backward(self, dout):
                self.dgamma, self.dbeta = (dout * self.xhat).sum(0), dout.sum(0)
                g = dout * self.gamma
                return self.inv * (g - g.mean(0) - self.xhat * (g * self.xhat).mean(0))
        """,
    )
    assert wrong_in(layer, call_of()) == set()
    assert not layer.traits.has_test_mode
    assert not layer.traits.differentiates_test_mode
    assert layer.forward(call_of()).running() is None


def test_a_pair_of_functions_over_tensors(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        def bn_forward(x, gamma, beta, eps=1e-5):
            inv = torch.rsqrt(x.var(0, unbiased=False) + eps)
            xhat = (x - x.mean(0)) * inv
            return gamma * xhat + beta, (xhat, gamma, inv)
        def bn_backward(dout, cache):
            xhat, gamma, inv = cache
            g = dout * gamma
            return inv * (g - g.mean(0)), (dout * xhat).sum(0), dout.sum(0)
        """,
    )
    assert wrong_in(layer, call_of()) == {"dx"}


def test_a_stub_stands_in_for_ctx(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        class BatchNorm:
            @staticmethod
            def forward(ctx, x, gamma, beta, eps=1e-5):
                inv = torch.rsqrt(x.var(0, unbiased=False) + eps)
                ctx.save_for_backward((x - x.mean(0)) * inv, gamma, inv)
                return gamma * ctx.saved_tensors[0] + beta
            @staticmethod
            def backward(ctx, grad_output):
                xhat, gamma, inv = ctx.saved_tensors
                g = grad_output * gamma
                dx = inv * (g - g.mean(0) - xhat * (g * xhat).mean(0))
                return dx, (grad_output * xhat).sum(0), grad_output.sum(0), None
        """,
    )
    assert wrong_in(layer, call_of()) == set()


def test_a_network_and_another_norm_are_no_layers(torch: Any) -> None:
    code = """
    import torch
    class Net(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.linear, self.bn = torch.nn.Linear(n, n), torch.nn.BatchNorm1d(n)
        def forward(self, x):
            return self.bn(self.linear(x))
    class Norm(torch.nn.LayerNorm):
        pass
    def loss(x, weight, bias):
        return torch.sum(x @ weight + bias)
    """
    with pytest.raises(ValueError, match="unpack"):
        only(torch_layers, code)
    for thing in (
        torch.nn.Linear(3, 3),
        torch.nn.LayerNorm(5),
        torch.nn.InstanceNorm1d(5, affine=True),
        torch.nn.Dropout(0.0),
        np.mean,
        3,
    ):
        assert torch_layers.of(thing, "it") is None


def test_what_a_layer_raises_is_told(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        def batchnorm(x, gamma, beta):
            if len(x) == 12:
                raise torch.linalg.LinAlgError("twelve")
            return gamma * torch.zeros_like(x) + beta
        """,
    )
    with pytest.raises(LayerRaised, match="twelve"):
        layer.forward(call_of())
    layer = only(torch_layers, "import torch\ndef batchnorm(x, gamma, beta):\n    torch.zeros(1)")
    with pytest.raises(NotImplementedByLayer):
        layer.forward(call_of())


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_what_is_not_loaded_is_not_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert library_of(name).find({"f": near}, ast.parse("def f(x, gamma, beta): ..."), "f.py", None) == []
    assert library_of(name).of(near, "near") is None
    assert name not in sys.modules


# ---- JAX ----


def test_jax_computes_in_the_precision_that_it_is_given(jax: Any) -> None:
    layer = only(
        jax_layers,
        """
        import jax.numpy as jnp
        def batch_norm(x, gamma, beta, eps=1e-5):
            xc = x - jnp.mean(x, axis=0)
            return gamma * xc / jnp.sqrt(jnp.mean(xc**2, axis=0) + eps) + beta
        """,
    )
    before = jax.config.jax_enable_x64
    assert wrong_in(layer, call_of()) == set()
    assert wrong_in(layer, call_of(dtype="float32"), "float32") == set()
    assert jax.config.jax_enable_x64 == before
    assert layer.traits.recognised == "JAX function batch_norm, gradients by vjp"
    assert layer.traits.source == ("piece.py:batch_norm",)


def test_a_jax_function_over_pictures(jax: Any) -> None:
    layer = only(
        jax_layers,
        """
        import jax.numpy as jnp
        def batch_norm(params, state, x, *, train):
            n, h, w, c = x.shape
            mean, var = (x.mean((0, 1, 2)), x.var((0, 1, 2))) if train else (state["mean"], state["var"])
            state = {"mean": 0.99 * state["mean"] + 0.01 * mean, "var": 0.99 * state["var"] + 0.01 * var}
            return params["scale"] * (x - mean) / jnp.sqrt(var + 1e-3) + params["bias"], state
        """,
    )
    assert layer.traits.recognised == "JAX function batch_norm over (N, H, W, C), gradients by vjp"
    assert layer.traits.kept_by_default == pytest.approx(0.99)
    assert [wrong_in(layer, call_of(mode)) for mode in Mode] == [set(), set()]


def test_a_pair_of_jax_functions_is_not_differentiated_for_its_author(jax: Any) -> None:
    layer = only(
        jax_layers,
        """
        import jax.numpy as jnp
        def batchnorm_forward(x, gamma, beta, eps):
            inv = 1 / jnp.sqrt(x.var(0) + eps)
            xhat = (x - x.mean(0)) * inv
            return gamma * xhat + beta, (xhat, inv, gamma)
        def batchnorm_backward(dout, cache):
            xhat, inv, gamma = cache
            return dout * gamma * inv, jnp.sum(dout * xhat, 0), jnp.sum(dout, 0)
        """,
    )
    assert layer.name == "piece.py:batchnorm_forward"
    assert layer.traits.recognised == "JAX function batchnorm_forward, gradients by batchnorm_backward"
    assert wrong_in(layer, call_of()) == {"dx"}


def test_flaxs_own_layer_agrees_with_the_definition(jax: Any) -> None:
    linen = pytest.importorskip("flax.linen", reason="Flax is not installed")
    for thing in (linen.BatchNorm, linen.BatchNorm(momentum=0.5, use_running_average=True)):
        layer, call = jax_layers.of(thing, "BatchNorm"), call_of()
        assert layer is not None
        assert [wrong_in(layer, call_of(mode)) for mode in Mode] == [set(), set()]
        made = layer.forward(call).running()
        assert made is not None
        assert call.running is not None
        right = batchnorm.update_running(call.running, batchnorm.batch_statistics(call.x), 0.9)
        assert near(made.var, right.var)


# ---- what imaginary users wrote ----

OFF = {
    "jax_03.py": {"dx"},
    "jax_05.py": {"dx"},
    "jax_09.py": {"out", "dx", "dgamma"},
    "jax_15.py": {"out", "dx", "dgamma"},
    "jax_19.py": {"out", "dx", "dgamma"},
    "torch_02.py": {"out", "dx", "dgamma"},
    "torch_04.py": {"dx"},
    "torch_05.py": {"dx"},
    "torch_15.py": {"dgamma", "dbeta"},
    "torch_23.py": {"dx"},
}
OFF_IN_TEST_MODE = {
    "jax_19.py": {"out", "dx", "dgamma"},
    "torch_07.py": {"out"},
    "torch_11.py": {"dx"},
    "torch_14.py": {"out", "dx", "dgamma"},
}
KEPT = {f"jax_{number}.py" for number in ("04", "06", "07", "08", "11", "13", "15", "16", "19")}
KEPT |= {f"torch_{number}.py" for number in ("06", "07", "08", "18", "30")}
WITHOUT_EPS = {
    "jax_03.py",
    "jax_09.py",
    "jax_10.py",
    "jax_12.py",
    "torch_25.py",
    "torch_21.py",
    "torch_09.py",
    "torch_15.py",
    "torch_19.py",
}
PICTURES = {f"torch_{number}.py" for number in ("08", "19", "21", "22", "23")} | {"SpatialBatchNorm"}


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{e['file']}:{e['layer'] or ''}" for e in ENTRIES])
def test_layers_of_imaginary_users(entry: dict[str, Any]) -> None:
    pytest.importorskip(entry["kind"], reason=f"{entry['kind']} is not installed")
    file = entry["file"]
    loaded = load(str(LAYERS / file) + (f":{entry['layer']}" if entry["layer"] else ""))
    (layer,) = library_of(entry["kind"]).find(loaded.names, loaded.tree, loaded.path, loaded.wanted)
    traits, eps = layer.traits, 1e-5 if file in WITHOUT_EPS - {"torch_19.py"} else 1e-3
    assert layer.name.startswith(f"{file}:{entry['layer'] or ''}")
    assert traits.takes_eps == (file not in WITHOUT_EPS)
    assert ("(N, C, H, W)" in traits.recognised) == bool(PICTURES & {file, entry["layer"]})
    if traits.takes_momentum:
        assert ("share kept" in traits.recognised) == (file in KEPT)
    call, test = call_of(eps=eps), call_of(Mode.TEST, eps=eps)
    if file in ("torch_13.py", "torch_28.py"):
        assert layer.forward(call).out.dtype == np.float32
        return
    if file == "torch_26.py":
        with pytest.raises(LayerRaised):
            layer.forward(call)
        return
    assert wrong_in(layer, call) == OFF.get(file, set())
    if file == "torch_18.py":
        with pytest.raises(LayerRaised):
            layer.forward(test)
    elif not traits.starts_anywhere:
        assert traits.keeps_statistics == (file == "torch_30.py")
    elif not traits.has_test_mode:
        assert traits.keeps_statistics is False
    elif traits.differentiates_test_mode:
        assert wrong_in(layer, test) == OFF_IN_TEST_MODE.get(file, set())
    else:
        assert near(layer.forward(test).out, expected(test)[0]) == (file not in OFF_IN_TEST_MODE)
    if traits.keeps_statistics:
        made = layer.forward(call).running()
        assert made is not None
        assert call.running is not None
        assert near(made.mean, batchnorm.update_running(call.running, batchnorm.batch_statistics(call.x), 0.9).mean)


# ---- other ways of writing one ----


@pytest.mark.parametrize("order", ["gamma, beta", "beta, gamma"])
def test_parameters_may_be_a_tuple(jax: Any, order: str, tmp_path: Path) -> None:
    layer = only_in_file(
        tmp_path,
        jax_layers,
        f"""
        import jax.numpy as jnp
        def batch_norm(params, inputs):
            {order} = params
            centred = inputs - inputs.mean(0)
            return gamma * centred / jnp.sqrt((centred**2).mean(0) + 1e-3) + beta
        """,
    )
    assert wrong_in(layer, call_of()) == set()


def test_parameters_may_have_the_shape_of_pictures(jax: Any, tmp_path: Path) -> None:
    layer = only_in_file(
        tmp_path,
        jax_layers,
        """
        import jax.numpy as jnp
        def batch_norm(params, x):
            gamma, beta = params
            centred = x - x.mean((0, 2, 3), keepdims=True)
            return gamma * centred / jnp.sqrt((centred**2).mean((0, 2, 3), keepdims=True) + 1e-3) + beta
        """,
    )
    assert wrong_in(layer, call_of()) == set()


def test_equinoxs_own_layer_takes_a_row_at_a_time(jax: Any) -> None:
    equinox = pytest.importorskip("equinox", reason="Equinox is not installed")
    layer = jax_layers.of(equinox.nn.BatchNorm(5, "batch", mode="batch"), "BatchNorm")
    assert layer is not None
    assert "equinox module" in layer.traits.recognised
    assert "momentum = share kept" in layer.traits.recognised
    assert [wrong_in(layer, call_of(mode)) for mode in Mode] == [set(), set()]


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ({"affine": False}, {"BN305", "BN407"}),
        ({"track_running_stats": False}, {"BN411"}),
        ({"affine": False, "track_running_stats": False}, {"BN305", "BN411"}),
        ({"momentum": None}, {"BN407"}),
    ],
)
def test_what_torchs_own_layer_was_told_to_leave_out_is_noted(
    torch: Any, settings: dict[str, Any], codes: set[str]
) -> None:
    report = check(torch.nn.BatchNorm1d(6, **settings), generate(12, 6))
    assert report.verdict is Verdict.PASS
    assert {(finding.code, finding.severity) for finding in report.findings} == {
        (code, Severity.NOTE) for code in codes
    }


def test_a_lazy_instance_takes_any_number_of_columns(torch: Any) -> None:
    module = torch.nn.LazyBatchNorm1d()
    layer = torch_layers.of(module, "lazy")
    assert layer is not None
    assert [wrong_in(layer, call_of(mode)) for mode in Mode] == [set(), set()]
    assert torch.nn.parameter.is_lazy(module.weight)


def test_what_stax_makes_is_applied(jax: Any, tmp_path: Path) -> None:
    layer = only_in_file(
        tmp_path,
        jax_layers,
        """
        import jax.numpy as jnp
        def BatchNorm(epsilon=1e-5, momentum=0.9):
            def init(rng, shape):
                d = shape[-1:]
                return shape, (jnp.zeros(d), jnp.ones(d)), (jnp.zeros(d), jnp.ones(d))
            def apply(params, states, x, **kwargs):
                beta, gamma = params
                moving_mean, moving_var = states
                mean, var = moving_mean, moving_var
                if kwargs.get("mode", "train") == "train":
                    mean, var = x.mean(0), x.var(0)
                    moving_mean = momentum * moving_mean + (1 - momentum) * mean
                    moving_var = momentum * moving_var + (1 - momentum) * var
                return gamma * (x - mean) / jnp.sqrt(var + epsilon) + beta, (moving_mean, moving_var)
            return init, apply
        """,
    )
    assert "stax layer" in layer.traits.recognised
    assert wrong_in(layer, call_of()) == wrong_in(layer, call_of(Mode.TEST)) == set()
    running, call = layer.forward(call_of()).running(), call_of()
    assert running is not None
    assert call.running is not None
    assert near(running.mean, batchnorm.update_running(call.running, batchnorm.batch_statistics(call.x), 0.9).mean)


def test_gamma_is_what_starts_at_ones(torch: Any) -> None:
    layer = only(
        torch_layers,
        """
        import torch
        class BatchNorm(torch.nn.Module):
            def __init__(self, d):
                super().__init__()
                self.up, self.by = torch.nn.Parameter(torch.zeros(d)), torch.nn.Parameter(torch.ones(d))
            def forward(self, x):
                return self.by * (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + 1e-3) + self.up
        """,
    )
    assert wrong_in(layer, call_of()) == set()


@pytest.mark.parametrize("made", ["raise NotImplementedError", "pass"])
def test_a_module_that_is_not_written_yet_says_so(torch: Any, made: str) -> None:
    layer = only(
        torch_layers,
        f"""
        import torch
        class BatchNorm(torch.nn.Module):
            def __init__(self, d):
                super().__init__()
                {made}
            def forward(self, x):
                raise NotImplementedError
        """,
    )
    with pytest.raises(NotImplementedByLayer):
        layer.forward(call_of())


MATRIX = """
import torch
class BatchNorm(torch.nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gamma, self.beta = torch.nn.Parameter(torch.eye(d)), torch.nn.Parameter(torch.zeros(d))
    def forward(self, x):
        return (x - x.mean(0)) / x.std(0) @ self.gamma + self.beta
def bn_forward(x, gamma, beta):
    return gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + 1e-3) + beta
"""


def test_what_is_not_recognised_is_named_with_the_reason(torch: Any, tmp_path: Path) -> None:
    file = tmp_path / "matrix.py"
    file.write_text(MATRIX)
    said = "BatchNorm is not recognised, for its gamma has the shape (5, 5), and not one number for each of 5 columns"
    assert said in resolve(str(file)).notes
    with pytest.raises(BadInput, match=re.escape(f"matrix.py: {said}")):
        resolve(f"{file}:BatchNorm")
