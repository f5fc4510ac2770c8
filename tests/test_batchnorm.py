"""The reference layer against closed forms, against 50 digits, and against what the mathematics promises.

Tolerances are error analysis and not taste: ``bounds`` is the worst case of Higham (Accuracy and Stability of
Numerical Algorithms, section 4.2) carried through the formulas, and the last tests of each kind hold a wrong
formula against the same bound.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis.strategies as st
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble
from bncheck.batchnorm import Gradients, Statistics
from bncheck.layers.protocol import Call
from bncheck.layers.reference import Reference
from bncheck.reading import read_batch
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

SAMPLES = Path(__file__).parent.parent / "sample_data"
FILES = ("iris.csv", "wine.csv", "activations.npy", "hard.csv", "complete.npz")
properties = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@dataclass(frozen=True)
class Case:
    """Everything that a pass needs, and in test mode the statistics."""

    x: Array
    gamma: Array
    beta: Array
    dout: Array
    eps: float = 1e-5
    running: Statistics | None = None

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.x, self.gamma, self.beta, self.dout

    def forward(self) -> Array:
        return batchnorm.forward(self.x, self.gamma, self.beta, self.eps, self.running)

    def backward(self) -> Gradients:
        return batchnorm.backward(self.dout, self.x, self.gamma, self.eps, self.running)

    def astype(self, dtype: Any) -> Case:
        x, gamma, beta, dout = (a.astype(dtype) for a in self.arrays)
        # The eps of the layer is rounded to the dtype of x, and stays what it is in a wider one.
        eps = float(self.x.dtype.type(self.eps))
        return Case(x, gamma, beta, dout, eps, self.running.astype(dtype) if self.running else None)

    def wide(self) -> Case:
        return self.astype(np.longdouble)


def draw(
    n: int, d: int, offset: float = 0.0, scale: float = 1.0, dtype: Any = np.float64, seed: int = 0, eps: float = 1e-5
) -> Case:
    rng = np.random.default_rng(seed)
    x = offset + scale * rng.standard_normal((n, d))
    gamma, beta, dout = rng.uniform(-2, 2, d), rng.standard_normal(d), rng.standard_normal((n, d))
    return replace(Case(x, gamma, beta, dout).astype(dtype), eps=eps)


def with_running(case: Case, seed: int = 0) -> Case:
    rng, d = np.random.default_rng(seed), case.x.shape[1:]
    mean, var = rng.standard_normal(d), rng.uniform(0, 2, d)
    return replace(case, running=Statistics(mean, var).astype(case.x.dtype))


def xhat_and_inv(case: Case) -> tuple[Array, Array]:
    centred = case.x - (case.running.mean if case.running else case.x.mean(0))
    if case.running is None:
        # The second time the mean is a rounding error, and none is left of its own.
        centred = centred - centred.mean(0)
    var = case.running.var if case.running else (centred**2).mean(0)
    inv = 1 / np.sqrt(var + case.eps)
    return centred * inv, inv


def closed_forms(case: Case) -> tuple[Array, Gradients]:
    """out and its gradients in longdouble, by the Jacobian of each column, written out entry by entry."""
    wide = case.wide()
    (x, gamma, beta, dout), n, (xhat, inv) = wide.arrays, len(wide.x), xhat_and_inv(wide)
    # d xhat_k / d x_i = inv * (delta_ki - 1/N - xhat_k * xhat_i / N), or with constant statistics inv * delta_ki
    jacobian = np.broadcast_to(np.eye(n, dtype=x.dtype), (x.shape[1], n, n))
    if wide.running is None:
        jacobian = jacobian - (1 + np.einsum("kd,id->dki", xhat, xhat)) / n
    dx = gamma * inv * np.einsum("kd,dki->id", dout, jacobian)
    return gamma * xhat + beta, Gradients(dx, (dout * xhat).sum(0), dout.sum(0))


class Bounds(NamedTuple):
    out: Array
    gradients: Gradients


def bounds(case: Case) -> Bounds:
    """How far rounding in the dtype of x can carry the layer from the closed forms, to first order.

    A sum of N terms is off by c = (N + 8) u of their sizes.  So the mean is, and with it every xhat of
    the column by delta; the two-pass variance is off by c and the square of that (Chan, Golub & LeVeque 1983).
    """
    info, (x, gamma, beta, dout) = np.finfo(case.x.dtype), case.wide().arrays
    # The closed forms round as well, where longdouble is no wider than double.
    n, u = len(x), (info.eps + np.finfo(np.longdouble).eps) / 2
    xhat, inv = xhat_and_inv(case.wide())
    c, tiny = (n + 8) * u, 4 * n * info.smallest_subnormal
    delta = np.zeros_like(inv) if case.running else c * np.abs(x).max(0) * inv
    rho = c + np.minimum(1, delta**2)
    xi = delta + (rho + 3 * u) * np.abs(xhat)
    g = np.abs(dout * gamma)
    dx = inv * g
    rounding = 2 * (rho + c) * dx
    if case.running is None:
        through = (g * np.abs(xhat)).mean(0)
        dx = dx + inv * (g.mean(0) + np.abs(xhat) * through)
        signed = np.abs((dout * gamma * xhat).mean(0))
        rounding = 2 * (rho + c) * dx + inv * (xi * signed + (np.abs(xhat) + xi) * ((g * xi).mean(0) + c * through))
    return Bounds(
        np.abs(gamma) * xi + 3 * u * (np.abs(gamma * xhat) + np.abs(beta)) + tiny,
        Gradients(
            rounding + tiny,
            (np.abs(dout) * xi).sum(0) + c * np.abs(dout * xhat).sum(0) + tiny,
            c * np.abs(dout).sum(0) + tiny,
        ),
    )


def assert_within(value: Array, expected: Array, bound: Array) -> None:
    assert value.shape == expected.shape
    excess = np.abs(value - expected) - bound
    assert (excess <= 0).all(), f"{float(np.max(excess))} beyond the bound"


def assert_right(case: Case, gradients: Gradients | None = None, out: Array | None = None) -> None:
    expected_out, expected = closed_forms(case)
    bound = bounds(case)
    assert_within(case.forward() if out is None else out, expected_out, bound.out)
    for value, right, limit in zip(gradients or case.backward(), expected, bound.gradients, strict=True):
        assert_within(value, right, limit)


# ---- closed forms ----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 100])
def test_closed_forms_over_offsets_and_scales(n: int, dtype: Any) -> None:
    for offset, scale in itertools.product((0.0, 1e2, 1e4, 1e6), (1e-3, 1.0, 1e3)):
        case = draw(n, 4, offset, scale, dtype, seed=n)
        assert_right(case)
        assert_right(with_running(case))


@pytest.mark.parametrize("file", FILES)
def test_closed_forms_on_the_sample_data(file: str) -> None:
    contents = read_batch(str(SAMPLES / file))
    batch: Batch = assemble(contents.arrays, seed=1)
    case = Case(batch.x, batch.gamma, batch.beta, batch.dout)
    assert_right(case)
    assert_right(with_running(case) if batch.running is None else replace(case, running=batch.running))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_keep_the_dtype_and_arguments_stay_as_they_were(dtype: Any) -> None:
    case = draw(6, 3, dtype=dtype)
    for one in (case, with_running(case)):
        before = [a.copy() for a in one.arrays]
        results = (one.forward(), *one.backward())
        assert [a.dtype for a in results] == [np.dtype(dtype)] * 4
        assert all(np.array_equal(a, b) for a, b in zip(before, one.arrays, strict=True))


def through_paths(case: Case, direct: float, mean: float, variance: float, eps: float | None = None) -> Gradients:
    wide = case.wide()
    xhat, inv = xhat_and_inv(wide if eps is None else replace(wide, eps=eps))
    g = wide.dout * wide.gamma
    dx = inv * (direct * g - mean * g.mean(0) - variance * xhat * (g * xhat).mean(0))
    return Gradients(dx, (wide.dout * xhat).sum(0), wide.dout.sum(0))


@pytest.mark.parametrize(
    ("direct", "mean", "variance", "eps"),
    [
        (1, 1, 0, None),
        (1, 0, 1, None),
        (1, 0, 0, None),
        (1, 1, 16 / 15, None),
        (1.001, 1.001, 1.001, None),
        (1, 1, 1, 0),
    ],
)
def test_the_bounds_reject_a_wrong_formula(direct: float, mean: float, variance: float, eps: float | None) -> None:
    for offset, dtype in ((0.0, np.float32), (1e4, np.float64)):
        case = draw(16, 4, offset, 0.1, dtype)
        assert_right(case, through_paths(case, 1, 1, 1))
        with pytest.raises(AssertionError, match="beyond the bound"):
            assert_right(case, through_paths(case, direct, mean, variance, eps))


def test_the_bounds_reject_the_one_pass_variance() -> None:
    case = draw(16, 4, offset=1e6)
    var = (case.x**2).mean(0) - case.x.mean(0) ** 2
    out = case.gamma * (case.x - case.x.mean(0)) / np.sqrt(var + case.eps) + case.beta
    with pytest.raises(AssertionError, match="beyond the bound"):
        assert_right(case, out=out)


# ---- 50 digits ----

CELLS = {
    "mean 1e6": draw(5, 1, offset=1e6),
    "mean 1e6, variance near eps": draw(5, 1, offset=1e6, scale=3e-3),
    "variance near eps": draw(4, 1, scale=3e-3),
    "variance far below eps": draw(4, 1, scale=1e-9),
    "N = 2": draw(2, 1),
    "N = 2, mean 1e6, variance near eps": draw(2, 1, offset=1e6, scale=3e-3),
    "scale 1e100": draw(4, 1, scale=1e100),
    "scale 1e-100": draw(4, 1, scale=1e-100),
    "scale 1e-100 without eps": draw(4, 1, scale=1e-100, eps=0.0),
    "float32, mean 1e6": draw(5, 1, offset=1e6, scale=10.0, dtype=np.float32),
    "float32, N = 2": draw(2, 1, dtype=np.float32),
}


def exact(case: Case) -> tuple[list[Any], tuple[list[Any], list[Any], list[Any]]]:
    """out and the gradients of one column: the definition, differentiated by differences in 400 digits.

    Nothing of the derivation enters.  A step of 1e-30 spreads leaves a relative truncation of 1e-60, and
    hundreds of digits to cancel.
    """
    x, gamma, beta, dout = ([mpmath.mpf(float(v)) for v in a.ravel()] for a in case.arrays)
    eps, n = mpmath.mpf(float(case.x.dtype.type(case.eps))), len(x)

    def out(x: list[Any], gamma: Any, beta: Any) -> list[Any]:
        mean = mpmath.fsum(x) / n
        var = mpmath.fsum((v - mean) ** 2 for v in x) / n
        return [gamma * (v - mean) / mpmath.sqrt(var + eps) + beta for v in x]

    def loss(x: list[Any], gamma: Any, beta: Any) -> Any:
        return mpmath.fsum(w * v for w, v in zip(dout, out(x, gamma, beta), strict=True))

    def slope(f: Any, h: Any) -> Any:
        return (f(h) - f(-h)) / (2 * h)

    h = mpmath.mpf(10) ** -30
    step = h * (max(x) - min(x) + mpmath.sqrt(eps))
    dx = [slope(lambda t, i=i: loss([*x[:i], x[i] + t, *x[i + 1 :]], gamma[0], beta[0]), step) for i in range(n)]
    dgamma = slope(lambda t: loss(x, gamma[0] + t, beta[0]), h)
    dbeta = slope(lambda t: loss(x, gamma[0], beta[0] + t), h)
    return out(x, gamma[0], beta[0]), (dx, [dgamma], [dbeta])


@pytest.mark.parametrize("name", CELLS)
def test_hard_cells_in_50_digits(name: str) -> None:
    case = CELLS[name]
    with mpmath.workdps(400):
        out, gradients = exact(case)
        bound = bounds(case)
        pairs = zip((case.forward(), *case.backward()), (out, *gradients), (bound.out, *bound.gradients), strict=True)
        for values, truths, limits in pairs:
            for value, truth, limit in zip(values.ravel(), truths, limits.ravel(), strict=True):
                assert abs(mpmath.mpf(float(value)) - truth) <= mpmath.mpf(float(limit)), name


def test_the_closed_forms_agree_with_50_digits() -> None:
    case = draw(5, 1, offset=3.0)
    with mpmath.workdps(400):
        _, (dx, dgamma, dbeta) = exact(case)
    expected = np.array([float(v) for v in (*dx, *dgamma, *dbeta)])
    closed = np.concatenate([part.ravel() for part in closed_forms(case)[1]]).astype(np.float64)
    assert np.abs(closed - expected).max() < 1e-15


# ---- properties ----


@st.composite
def cases(draw_: st.DrawFn, fewest: int = 2, most: int = 40) -> Case:
    return draw(
        n=draw_(st.integers(fewest, most)),
        d=draw_(st.integers(1, 5)),
        offset=draw_(st.sampled_from([0.0, 1.0, -1e2, 1e4, 1e6])),
        scale=draw_(st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e8])),
        dtype=draw_(st.sampled_from([np.float32, np.float64])),
        seed=draw_(st.integers(0, 2**32)),
        eps=draw_(st.sampled_from([1e-8, 1e-5, 1e-3, 1.0])),
    )


@properties
@given(cases())
def test_dx_sums_to_zero_over_the_batch(case: Case) -> None:
    """Adding a constant to a column changes nothing, so that the derivative along it is zero."""
    dx, limit = case.backward().dx.astype(np.longdouble), bounds(case).gradients.dx
    assert_within(dx.sum(0), np.zeros(dx.shape[1]), limit.sum(0))


@properties
@given(cases())
def test_dx_along_xhat_is_what_eps_leaves_of_it(case: Case) -> None:
    """Stretching a column changes nothing but for eps: sum(dx * xhat) = gamma * inv * dgamma * eps / (var + eps)."""
    xhat, inv = xhat_and_inv(wide := case.wide())
    dgamma = (wide.dout * xhat).sum(0)
    expected = wide.gamma * inv * dgamma * wide.eps * inv**2
    limit = (bounds(case).gradients.dx * np.abs(xhat)).sum(0)
    # The identity sum(xhat²) = N var / (var + eps) that it rests on rounds too, in longdouble.
    limit += 8 * np.finfo(np.longdouble).eps * np.abs(wide.gamma * inv) * np.abs(wide.dout * xhat).sum(0)
    assert_within((case.backward().dx * xhat).sum(0), expected, limit)


@properties
@given(cases(), st.randoms(use_true_random=False))
def test_permuting_rows_permutes_the_results(case: Case, random: Any) -> None:
    order = list(range(len(case.x)))
    random.shuffle(order)
    moved = replace(case, x=case.x[order], dout=case.dout[order])
    bound = bounds(case)
    assert_within(moved.forward(), case.forward()[order], 2 * bound.out[order])
    dx, dgamma, dbeta = moved.backward()
    right = case.backward()
    assert_within(dx, right.dx[order], 2 * bound.gradients.dx[order])
    assert_within(dgamma, right.dgamma, 2 * bound.gradients.dgamma)
    assert_within(dbeta, right.dbeta, 2 * bound.gradients.dbeta)


@properties
@given(cases(), st.integers(-1000, 1000))
def test_shifting_a_column_changes_nothing(case: Case, shift: int) -> None:
    # Multiples of 1/16 below 2^20 are exact in float32, shifted ones as well.
    x = np.round(16 * case.dout) / 16
    here, there = replace(case, x=x), replace(case, x=x + case.x.dtype.type(shift))
    a, b = bounds(here), bounds(there)
    assert_within(there.forward(), here.forward(), a.out + b.out)
    for one, other, p, q in zip(here.backward(), there.backward(), a.gradients, b.gradients, strict=True):
        assert_within(other, one, p + q)


@properties
@given(cases(), st.data())
def test_columns_are_independent(case: Case, data: st.DataObject) -> None:
    j = data.draw(st.integers(0, case.x.shape[1] - 1))
    others = np.arange(case.x.shape[1]) != j
    changed = case.astype(case.x.dtype)
    changed.x[:, j] = 7 * changed.x[:, j] ** 2 + 1
    changed.gamma[j], changed.beta[j] = -3, 5
    changed.dout[:, j] = 1 - changed.dout[:, j]
    results = zip((case.forward(), *case.backward()), (changed.forward(), *changed.backward()), strict=True)
    for before, after in results:
        assert np.array_equal(before[..., others], after[..., others])


@properties
@given(cases(), st.floats(-3, 3, width=16), st.integers(0, 2**32))
def test_gradients_are_linear_in_dout(case: Case, factor: float, seed: int) -> None:
    other = np.random.default_rng(seed).standard_normal(case.dout.shape).astype(case.x.dtype)
    cases = [replace(case, dout=dout) for dout in (case.dout, other, case.dout + case.x.dtype.type(factor) * other)]
    limits = [bounds(one).gradients for one in cases]
    u = np.finfo(case.x.dtype).eps
    for first, second, both, p, q, r in zip(*(one.backward() for one in cases), *limits, strict=True):
        # The rounding of dout itself is below the bound of the terms that it enters.
        limit = 2 * (p + abs(factor) * q + r) + 2 * u * (np.abs(first) + np.abs(factor * second))
        assert_within(both, first + case.x.dtype.type(factor) * second, limit)


@properties
@given(cases(fewest=1, most=20), st.integers(0, 2**32))
def test_test_mode_is_affine_entry_by_entry(case: Case, seed: int) -> None:
    case = with_running(case, seed)
    out, dx, wide, bound = case.forward(), case.backward().dx, case.wide(), bounds(case)
    for i in range(len(case.x)):
        alone = replace(case, x=case.x[i : i + 1], dout=case.dout[i : i + 1])
        assert np.array_equal(alone.forward(), out[i : i + 1])
        assert np.array_equal(alone.backward().dx, dx[i : i + 1])
    assert wide.running is not None
    slope = wide.gamma / np.sqrt(wide.running.var + wide.eps)
    intercept = wide.beta - slope * wide.running.mean
    # slope * x and the intercept cancel where x is near the running mean.
    cancelled = 4 * np.finfo(np.longdouble).eps * (np.abs(slope * wide.x) + np.abs(intercept))
    assert_within(out, slope * wide.x + intercept, bound.out + cancelled)
    assert_within(dx, wide.dout * slope, bound.gradients.dx)


# ---- statistics ----


def test_batch_statistics_are_biased() -> None:
    x = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 6.0]])
    mean, var = batchnorm.batch_statistics(x)
    assert mean.tolist() == [3, 2]
    assert var.tolist() == [8 / 3, 8]


def test_running_statistics_keep_the_share_that_momentum_names() -> None:
    running, batch = Statistics(np.array([1.0]), np.array([4.0])), Statistics(np.array([3.0]), np.array([8.0]))
    assert batchnorm.update_running(running, batch, 0.75) == Statistics(np.array([1.5]), np.array([5.0]))
    assert batchnorm.update_running(running, batch, 1.0) == running
    assert batchnorm.update_running(running, batch, 0.0) == batch


@properties
@given(st.integers(1, 30), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_running_statistics_approach_the_batch_geometrically(steps: int, momentum: float) -> None:
    start, batch = Statistics(np.zeros(3), np.ones(3)), batchnorm.batch_statistics(draw(8, 3, offset=2.0).x)
    running = start
    for _ in range(steps):
        running = batchnorm.update_running(running, batch, momentum)
    share = momentum**steps
    for now, then, towards in zip(running, start, batch, strict=True):
        limit = 4 * steps * np.finfo(float).eps * (np.abs(then) + np.abs(towards))
        assert_within(now, share * then + (1 - share) * towards, limit)


def call(case: Case, mode: Mode = Mode.TRAIN, momentum: float = 0.9) -> Call:
    return Call(case.x, case.gamma, case.beta, case.running, LayerSettings(mode, case.eps, momentum))


def test_the_layer_updates_running_statistics_in_training_alone() -> None:
    case = with_running(draw(8, 3))
    assert case.running is not None
    expected = batchnorm.update_running(case.running, batchnorm.batch_statistics(case.x), 0.8)
    trained = Reference().forward(call(case, momentum=0.8)).running()
    tested = Reference().forward(call(case, Mode.TEST, momentum=0.8)).running()
    assert trained is not None
    assert tested is not None
    assert np.array_equal(trained, expected)
    assert np.array_equal(tested, case.running)
    assert Reference().forward(call(draw(8, 3))).running() is None


def test_the_layer_normalizes_by_the_statistics_of_its_mode() -> None:
    case = with_running(draw(8, 3))
    train, test = (Reference().forward(call(case, mode)) for mode in (Mode.TRAIN, Mode.TEST))
    assert np.array_equal(train.out, replace(case, running=None).forward())
    assert np.array_equal(test.out, case.forward())
    assert np.array_equal(train.backward(case.dout).dx, replace(case, running=None).backward().dx)
    assert np.array_equal(test.backward(case.dout).dx, case.backward().dx)


@pytest.mark.parametrize("mode", list(Mode))
def test_half_precision_is_computed_in_single(mode: Mode) -> None:
    """The squares of these deviations, and every sum over the batch, are beyond float16."""
    narrow = draw(256, 3, offset=900.0, scale=200.0, dtype=np.float16)
    narrow = replace(narrow, running=batchnorm.batch_statistics(narrow.x.astype(float)).astype(np.float16))
    single = narrow.astype(np.float32)
    half, full = Reference().forward(call(narrow, mode)), Reference().forward(call(single, mode))
    assert half.out.dtype == np.float16
    assert np.array_equal(half.out, full.out.astype(np.float16))
    assert np.isfinite(half.out).all()
    for a, b in zip(half.backward(narrow.dout), full.backward(single.dout), strict=True):
        assert a.dtype == np.float16
        assert np.array_equal(a, b.astype(np.float16))
    kept, right = half.running(), full.running()
    assert kept is not None
    assert right is not None
    assert np.array_equal(kept, right.astype(np.float16))
    assert kept.mean.dtype == np.float16


# ---- the complex step ----


def complex_step(case: Case, forward: Any) -> Gradients:
    """Im f(x + ih) / h, entry by entry; h² underflows beside 1, so that no truncation is left."""
    h = 1e-30
    x, gamma, beta = (a.astype(complex) for a in (case.x, case.gamma, case.beta))

    def slope(*arguments: Array) -> Array:
        return np.asarray((case.dout * forward(*arguments, case.eps).imag).sum(0) / h)

    rows = np.eye(len(x))[:, :, None] * 1j * h
    dx = np.stack([slope(x + row, gamma, beta) for row in rows])
    return Gradients(dx, slope(x, gamma + 1j * h, beta), slope(x, gamma, beta + 1j * h))


def forward_by_np_var(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    return np.asarray(gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta)


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("n", [2, 3, 20])
def test_the_complex_step_through_the_forward_is_exact(n: int, offset: float) -> None:
    case = draw(n, 4, offset)
    assert_right(case, complex_step(case, batchnorm.forward))


def test_np_var_would_lose_the_variance_path() -> None:
    case = draw(20, 4)
    by_np_var = complex_step(case, forward_by_np_var).dx
    assert_within(by_np_var, through_paths(case, 1, 1, 0).dx, bounds(case).gradients.dx)
    with pytest.raises(AssertionError, match="beyond the bound"):
        assert_right(case, complex_step(case, forward_by_np_var))
