"""A layer on an accelerator stays there: what crosses over, what does not, and that it makes no other verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bncheck.arrays import Array
from bncheck.batch import generate, warm_up
from bncheck.checks.gradients import check_gradients
from bncheck.checks.suite import check_layer
from bncheck.errors import LayerRaised
from bncheck.layers.protocol import Call, Layer, Pass, limit_of
from bncheck.layers.tensors import jax as jax_layers
from bncheck.layers.tensors import torch as torch_layers
from bncheck.layers.tensors.torch_autograd import Torch, home_of
from bncheck.projections import Directions, line, slopes, walked
from bncheck.report import Report
from bncheck.rounding import bending_scale
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Coverage, Mode, Verdict
from tests.test_frameworks import call_of, near, only, upstream

PROJECTED = CheckSettings(coverage=Coverage.PROJECTED, probes=False)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture
def jax() -> Any:
    return pytest.importorskip("jax", reason="JAX is not installed")


class Standing:
    """The same layer, which does not walk: every pass goes there and back."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.name, self.traits = layer, layer.name, layer.traits

    def forward(self, call: Call, state: object = None) -> Pass:
        return self.layer.forward(call, state)


def made(thing: Any) -> Any:
    layer = torch_layers.of(thing, "BatchNorm")
    assert layer is not None
    return layer


def differ(layer: Any, call: Call) -> set[str]:
    """In what a walk differs from passes that go there and back, beyond the error bars of the slopes."""
    dout, scale = upstream(call), bending_scale(call)
    noise = np.finfo(call.x.dtype).eps * (1 + np.abs(call.x).max(axis=0) / scale)
    walk, directions = layer.walk(call, dout), Directions(len(call.x), 3, 0)
    there = line(lambda x, _: layer.forward(call._replace(x=x)).out, call.x, dout)
    lines = walked(walk.along, dout, walk.out), there
    mine, other = (slopes(one, directions, scale, noise) for one in lines)
    off = {name for name in ("norm", "lump", "storing", "base") if not near_to(*(getattr(one, name) for one in lines))}
    assert mine.value.dtype == call.x.dtype or call.x.dtype == np.float32
    ramp = np.linspace(-1.0, 2.0, len(call.x))[:, None]
    far = zip(*(one.at(ramp, scale) for one in lines), strict=True)
    off |= {"far"} if not all(np.allclose(one, other, rtol=1e-3, atol=1e-5) for one, other in far) else set()
    wrong = np.abs(mine.value - other.value) > mine.error + other.error
    size = np.abs(other.value).max(axis=0)
    assert np.all(mine.error < (1e-4 if call.x.dtype == np.float64 else 0.3) * size), "bars that say nothing"
    return off | ({"slopes"} if np.any(wrong) or not np.array_equal(mine.step, other.step) else set())


def near_to(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-12)


# ---- the same numbers ----


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
def test_a_walk_measures_what_passes_there_and_back_do(torch: Any, name: str, dtype: str, mode: Mode) -> None:
    for thing in (getattr(torch.nn, name), getattr(torch.nn, name)(5)):
        assert differ(made(thing), call_of(mode, dtype, n=24)) == set()


FUNCTION = """
import torch
def bn_forward(x, gamma, beta, eps=1e-5):
    inv = torch.rsqrt(x.var(0, unbiased=False) + eps)
    xhat = (x - x.mean(0)) * inv
    return gamma * xhat + beta, (xhat, gamma, inv)
def bn_backward(dout, cache):
    xhat, gamma, inv = cache
    g = dout * gamma
    return inv * (g - g.mean(0) - xhat * (g * xhat).mean(0)), (dout * xhat).sum(0), dout.sum(0)
"""
ROUGH = """
import torch
class BatchNorm(torch.nn.Module):
    '''Looks at gradients of its own, writes into x, and normalizes by statistics that it keeps.'''
    def __init__(self, d, eps=1e-5, momentum=0.1):
        super().__init__()
        self.weight, self.bias = torch.nn.Parameter(torch.ones(d)), torch.nn.Parameter(torch.zeros(d))
        self.register_buffer("running_mean", torch.zeros(d))
        self.register_buffer("running_var", torch.ones(d))
        self.eps, self.momentum = eps, momentum
    def forward(self, x):
        x.retain_grad()
        if self.training:
            self.running_mean += self.momentum * (x.detach().mean(0) - self.running_mean)
            self.running_var += self.momentum * (x.detach().var(0) - self.running_var)
        x -= self.running_mean
        return self.weight * x / (self.running_var + self.eps).sqrt() + self.bias
"""


def test_other_ways_of_writing_one_walk_too(torch: Any) -> None:
    assert differ(only(torch_layers, FUNCTION), call_of(n=24)) == set()
    # Were one pass to leave anything to the next, its kept statistics would drift away from those of a single pass.
    assert differ(only(torch_layers, ROUGH), call_of(n=24)) == set()


def test_a_function_of_jax_walks(jax: Any) -> None:
    layer = only(
        jax_layers,
        """
        import jax.numpy as jnp
        def batch_norm(x, gamma, beta, eps=1e-5):
            centred = x - x.mean(0)
            return gamma * centred / jnp.sqrt((centred**2).mean(0) + eps) + beta
        """,
    )
    for dtype in ("float32", "float64"):
        assert differ(layer, call_of(dtype=dtype, n=24)) == set()


def test_a_module_stays_as_it_was(torch: Any) -> None:
    module = torch.nn.BatchNorm1d(5).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    call = call_of(n=24)
    walk, x = made(module).walk(call, upstream(call)), call.x.copy()
    seen = [walk.along(np.ones((24, 1)), np.full(5, 1e-3), (1, -1)) for _ in range(2)]
    assert np.array_equal(seen[0][0], seen[1][0])
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not module.training
    assert module.weight.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32
    assert np.array_equal(call.x, x)


def test_what_cannot_walk_says_so(torch: Any) -> None:
    call, code = (
        call_of(),
        "import torch\ndef batchnorm(x, gamma, beta):\n    {}\n    return torch.add(gamma * x[:{}], beta)",
    )
    short = only(torch_layers, code.format("pass", "11 if len(x) == 12 else len(x)"))
    assert short.walk(call, upstream(call)) is None  # type: ignore[attr-defined]
    raising = only(torch_layers, code.format("if len(x) == 12: raise OSError('twelve')", "len(x)"))
    with pytest.raises(LayerRaised, match="twelve"):
        raising.walk(call, upstream(call))  # type: ignore[attr-defined]


# ---- what crosses over ----


class Border:
    """Counts the numbers that go over to PyTorch, and those that come back."""

    def __init__(self, torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.over, self.back = 0, 0
        for name in ("numpy", "tolist", "__array__"):
            monkeypatch.setattr(torch.Tensor, name, self._counted(getattr(torch.Tensor, name), "back"))
        for name in ("from_numpy", "as_tensor", "tensor"):
            monkeypatch.setattr(torch, name, self._counted(getattr(torch, name), "over"))

    def _counted(self, inner: Any, way: str) -> Any:
        def counted(first: Any, *rest: Any, **named: Any) -> Any:
            setattr(self, way, getattr(self, way) + int(np.prod(np.shape(first))))
            return inner(first, *rest, **named)

        return counted

    def crossed(self) -> tuple[int, int]:
        """Over and back, since it was asked last."""
        seen, self.over, self.back = (self.over, self.back), 0, 0
        return seen


@pytest.fixture
def border(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Border:
    return Border(torch, monkeypatch)


@pytest.mark.parametrize("thing", ["BatchNorm1d", "BatchNorm2d", "instance", "function"])
def test_of_a_direction_a_number_for_each_column_comes_back(torch: Any, border: Border, thing: str) -> None:
    n, d = 600, 5
    layer: Any = (
        only(torch_layers, FUNCTION)
        if thing == "function"
        else made(torch.nn.BatchNorm1d(d) if thing == "instance" else getattr(torch.nn, thing))
    )
    call, multiples = call_of(n=n), (1, -1, 2, -2)
    border.crossed()
    walk = layer.walk(call, upstream(call))
    over, back = border.crossed()
    assert n * d <= back < n * d + 10 * d, "out at x itself"
    assert 2 * n * d <= over < 3 * n * d + 10 * d, "x and dout"
    for _ in range(3):
        walk.along(np.ones((n, 1)), np.full(d, 1e-3), multiples)
        over, back = border.crossed()
        assert 0 < back <= (len(multiples) + 1) * d
        assert n <= over <= n + 40 * d, "the signs, and gamma, beta and running statistics of each pass"
    # The border sees what it should: a pass there and back.
    layer.forward(call)
    assert border.crossed()[1] >= n * d


def test_a_pass_crosses_once_and_a_backward_once(torch: Any, border: Border) -> None:
    n, d = 600, 5
    layer, call = made(torch.nn.BatchNorm1d), call_of(n=n)
    border.crossed()
    passed = layer.forward(call)
    over, back = border.crossed()
    assert (over // (n * d), back // (n * d)) == (1, 1)
    passed.backward(upstream(call))
    over, back = border.crossed()
    assert (over // (n * d), back // (n * d)) == (1, 1)


def test_more_directions_bring_back_no_more_tables(torch: Any, border: Border) -> None:
    batch, layer = generate(3000, 4, seed=1), made(torch.nn.BatchNorm1d)

    def back(subject: Layer, confidence: float) -> int:
        border.crossed()
        check = replace(PROJECTED, confidence=confidence)
        assert check_gradients(batch, subject, check=check).verdict is Verdict.PASS
        return border.crossed()[1]

    more = back(layer, 1 - 2.0**-12) - back(layer, 1 - 2.0**-4)
    assert more == 8 * 5 * batch.d
    standing = back(Standing(layer), 1 - 2.0**-12) - back(Standing(layer), 1 - 2.0**-4)
    assert standing >= 8 * 4 * batch.x.size


# ---- the same verdicts ----

SPOILT = """
import torch
class BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta, eps):
        inv = (x.var(0, unbiased=False) + eps).rsqrt()
        ctx.save_for_backward((x - x.mean(0)) * inv, gamma, inv)
        return gamma * (x - x.mean(0)) * inv + beta
    @staticmethod
    def backward(ctx, dout):
        xhat, gamma, inv = ctx.saved_tensors
        g = dout * gamma
        dx = inv * (g - g.mean(0) - xhat * (g * xhat).mean(0))
        if len(dx) == 3000:
            dx[1234, -1] *= 1.5
        return dx, (dout * xhat).sum(0), dout.sum(0), None
"""
LOST = FUNCTION.replace(" - xhat * (g * xhat).mean(0)", "")


def both(layer: Layer, **numbers: Any) -> tuple[Report, Report]:
    batch = generate(3000, 4, seed=1, **numbers)
    one, other = (check_gradients(batch, subject, check=PROJECTED) for subject in (layer, Standing(layer)))
    assert one.forward_passes == other.forward_passes
    return one, other


def told(report: Report) -> tuple[Any, ...]:
    wrong = [[worst.index for worst in gradient.wrong] for gradient in report.gradients]
    return report.verdict, [g.verdict for g in report.gradients], wrong, [f.code for f in report.findings]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_verdicts_and_entries_are_the_same(torch: Any, dtype: str) -> None:
    for layer, verdict, codes in (
        (made(torch.nn.BatchNorm1d), Verdict.PASS, set()),
        (only(torch_layers, SPOILT), Verdict.FAIL, {"BN109"}),
        (only(torch_layers, LOST), Verdict.FAIL, {"BN101"}),
    ):
        one, other = both(layer, dtype=dtype)
        assert told(one) == told(other)
        assert one.verdict is verdict
        assert codes <= {finding.code for finding in one.findings}
        if "BN109" in codes:
            assert [worst.index for worst in one.gradients[0].wrong] == [(1234, 3)]


def test_a_wrong_entry_is_named_without_bringing_tables_back(torch: Any, border: Border) -> None:
    batch, layer = generate(3000, 4, seed=1), only(torch_layers, SPOILT)

    def back(subject: Layer) -> int:
        border.crossed()
        assert check_gradients(batch, subject, check=PROJECTED).verdict is Verdict.FAIL
        return border.crossed()[1]

    assert back(layer) < back(Standing(layer)) / 2


def test_in_test_mode_nothing_is_accused(torch: Any) -> None:
    batch = warm_up(generate(3000, 4, seed=1), 3, 0.9)
    report = check_gradients(batch, made(torch.nn.BatchNorm1d), LayerSettings(Mode.TEST), PROJECTED)
    assert report.verdict is Verdict.PASS


# ---- other devices ----


class Apart(Torch):
    """On another device, which shares no memory with NumPy."""

    def tensor(self, array: Array) -> Any:
        return super().tensor(array).clone()


def test_tensors_go_to_where_the_module_lives(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be computed on the device meta, but one sees what is handed over."""
    seen: list[Any] = []

    class BatchNorm(torch.nn.BatchNorm1d):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            seen.extend((x.device.type, self.weight.device.type, self.running_var.device.type))
            return super().forward(x)

    there = home_of(BatchNorm(5, device="meta"))
    assert there.type == "meta"
    layer = made(BatchNorm(5))
    assert layer.library.place.type == "cpu"
    layer = replace(layer, make=lambda *_: BatchNorm(5, device="meta"), library=Torch(device=there))
    seen.clear()
    with pytest.raises(LayerRaised, match="meta"):
        layer.forward(call_of())
    assert seen == ["meta"] * 3
    with torch.device("meta"):
        assert Torch().place.type == "meta"
    assert Torch().place.type == "cpu"
    monkeypatch.setattr(torch_layers, "home_of", lambda _: torch.device("cpu", 0))
    assert made(torch.nn.BatchNorm1d).library.place == torch.device("cpu", 0)


def test_what_is_written_into_dout_elsewhere_is_seen(torch: Any) -> None:
    writing = FUNCTION.replace("g = dout * gamma", "g = dout.mul_(gamma)")
    layer: Any = only(torch_layers, writing)
    for library in (layer.library, Apart(layer.library.by_hand)):
        passed = replace(layer, library=library).forward(call_of())
        passed.backward(upstream(call_of()))
        assert passed.written == ("dout",)
    right: Any = only(torch_layers, FUNCTION)
    passed = replace(right, library=Apart(right.library.by_hand)).forward(call_of())
    passed.backward(upstream(call_of()))
    assert passed.written == ()


@pytest.fixture
def without_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Torch, "widest", property(lambda _: "float32"))


@pytest.mark.parametrize("coverage", [Coverage.FULL, Coverage.PROJECTED])
def test_a_device_without_float64_is_judged_by_what_it_has(torch: Any, without_float64: None, coverage: Any) -> None:
    check = CheckSettings(coverage=coverage, probes=False)
    for d in (1, 6):
        for code, verdict in ((FUNCTION, Verdict.PASS), (LOST, Verdict.FAIL)):
            layer = only(torch_layers, code)
            assert limit_of(layer.traits) == "float32"
            report = check_gradients(generate(300, d, seed=2), layer, check=check)
            assert report.verdict is verdict
            assert report.settings["precision"] == "float32"
            assert report.batch.dtype == "float32"
    assert near(layer.forward(call_of()).out.astype(np.float32), layer.forward(call_of(dtype="float32")).out, "float32")


def test_the_digits_that_a_device_lacks_are_nobodys_fault(torch: Any, without_float64: None) -> None:
    report = check_layer(made(torch.nn.BatchNorm1d), generate(64, 5, seed=2))
    assert [f.code for f in report.findings if f.severity == "error"] == []
    assert report.verdict is Verdict.PASS


def test_a_module_on_cuda(torch: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")

    class There(torch.nn.BatchNorm1d):  # type: ignore[misc]
        def __init__(self, d: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
            super().__init__(d, eps, momentum, device="cuda")

    module = torch.nn.BatchNorm1d(4).cuda()
    for layer in (made(module), made(There)):
        assert layer.library.place.type == "cuda"
        for coverage in (Coverage.FULL, Coverage.PROJECTED):
            batch, check = generate(200, 4, seed=1), CheckSettings(coverage=coverage, probes=False)
            report = check_gradients(batch, layer, check=check)
            assert report.verdict is Verdict.PASS
            assert told(report) == told(check_gradients(batch, made(torch.nn.BatchNorm1d(4)), check=check))
    assert module.weight.device.type == "cuda"
    assert module.running_mean.abs().sum().item() == 0
