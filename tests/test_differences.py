"""Numerical derivatives in their own right: functions that have nothing to do with batch normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from bncheck import differences
from bncheck.arrays import Array
from bncheck.differences import Derivative, Function, differentiate, evaluations
from bncheck.stencils import CENTRAL, COMPLEX, FIVE_POINT, FORWARD, RICHARDSON, STENCILS, Stencil

CANCELLING = [s for s in STENCILS.values() if s.cancels]
WIDER = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
Scalar = Callable[[Array], Array]

# phi and its derivative
SHAPES: dict[str, tuple[Scalar, Scalar]] = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "cubic": (lambda t: t**3, lambda t: 3 * t**2),
    "linear": (lambda t: 5 * t, lambda t: 0 * t + 5),
}


class Problem(NamedTuple):
    """f(x) = phi(mix @ (x - centre)), which maps (P, M) to (N, M) and bends over a distance of about 1."""

    f: Function
    x: Array
    weights: Array
    truth: Array
    natural: Array
    """The size of the terms of the truth before they cancel."""

    def solve(self, **options: Any) -> Derivative:
        return differentiate(self.f, self.x, self.weights, np.ones(self.x.shape[1], self.x.dtype), **options)


def problem(shape: str, seed: int, p: int, n: int, d: int = 3, centre: float = 0.0, dtype: Any = np.float64) -> Problem:
    rng, (phi, slope) = np.random.default_rng(seed), SHAPES[shape]
    mix = (rng.standard_normal((n, p)) / np.sqrt(p)).astype(dtype)
    x = (centre + rng.standard_normal((p, d))).astype(dtype)
    weights = rng.standard_normal((n, d)).astype(dtype)
    wide_mix, wide_x = mix.astype(np.longdouble), x.astype(np.longdouble)
    terms = weights * slope(wide_mix @ (wide_x - dtype(centre)))
    return Problem(
        lambda argument, columns: phi(mix @ (argument - dtype(centre))),
        x,
        weights,
        truth=wide_mix.T @ terms,
        natural=np.abs(wide_mix).T @ np.abs(terms),
    )


def kind(seed: int) -> str:
    return list(SHAPES)[seed % len(SHAPES)]


def random_problems(count: int, **options: Any) -> list[Problem]:
    rng = np.random.default_rng(0)
    return [problem(kind(seed), seed, *map(int, rng.integers(1, 40, 2)), **options) for seed in range(count)]


def true_error(result: Derivative, case: Problem) -> Array:
    return np.asarray(np.abs(result.value - case.truth).max(axis=0))


# ---- stencils ----


def moment(offsets: tuple[complex, ...], weights: tuple[complex, ...], power: int) -> float:
    return float(np.real(sum(w * complex(o) ** power for o, w in zip(offsets, weights, strict=True))))


@pytest.mark.parametrize("stencil", [*STENCILS.values(), differences._SMOOTH.stencil], ids=lambda s: s.name)
def test_stencils_satisfy_their_moment_conditions(stencil: Stencil) -> None:
    for power in range(stencil.order + 1):
        assert moment(stencil.offsets, stencil.weights, power) == pytest.approx(float(power == 1), abs=1e-14)
    assert abs(moment(stencil.offsets, stencil.weights, stencil.order + 1)) > 0.1


@pytest.mark.parametrize("probe", [differences._SMOOTH, differences._LINEAR], ids=lambda p: p.stencil.name)
def test_the_noise_difference_sees_no_polynomial_below_its_order(probe: Any) -> None:
    offsets, order = probe.stencil.offsets, len(probe.stencil.offsets)
    for power in range(1, order):
        assert moment(offsets, probe.difference, power) == 0
    assert moment(offsets, probe.difference, order) != 0
    # The coefficient of f(0) makes the sum vanish: constants are no noise.
    noise = np.random.default_rng(0).standard_normal((len(offsets) + 1, 100_000))
    seen = np.array(probe.difference) @ (noise[1:] - noise[0])
    assert seen.std() == pytest.approx(probe.amplification, rel=0.02)


@pytest.mark.parametrize("stencil", STENCILS.values(), ids=lambda s: s.name)
def test_halving_the_step_shows_the_order(stencil: Stencil) -> None:
    case = problem("exp", seed=3, p=5, n=4, dtype=np.longdouble)
    step = {FORWARD: 1e-4, CENTRAL: 1e-3, COMPLEX: 1e-3, FIVE_POINT: 4e-2, RICHARDSON: 6e-2}[stencil]
    whole, half = (case.solve(stencil=stencil, step=h).value - case.truth for h in (step, step / 2))
    assert np.log2(np.abs(whole / half).astype(float)) == pytest.approx(stencil.order, abs=0.1)


def test_five_points_and_richardson_are_extrapolations_of_central_differences() -> None:
    case = problem("exp", seed=3, p=5, n=4)
    one, two, four = (case.solve(stencil=CENTRAL, step=h).value for h in (1e-2, 2e-2, 4e-2))
    once, wider = (4 * one - two) / 3, (4 * two - four) / 3
    assert np.abs(case.solve(stencil=FIVE_POINT, step=1e-2).value - once).max() < 1e-12
    assert np.abs(case.solve(stencil=RICHARDSON, step=1e-2).value - (16 * once - wider) / 15).max() < 1e-12


# ---- error bars ----


@pytest.mark.parametrize("centre", [0.0, 1e4])
@pytest.mark.parametrize("stencil", STENCILS.values(), ids=lambda s: s.name)
def test_error_bars_hold_and_are_not_absurdly_wide(stencil: Stencil, centre: float) -> None:
    ratios = []
    for seed, case in enumerate(random_problems(200, centre=centre)):
        result = case.solve(stencil=stencil, seed=seed)
        error = true_error(result, case)
        assert (error <= result.error).all(), (seed, error / result.error)
        if kind(seed) in ("sin", "exp"):  # in which the stencil has a truncation error to be seen
            ratios.append(result.error / np.maximum(error, np.finfo(float).tiny))
    if stencil.cancels:
        assert np.median(ratios) < 100
    else:
        # The complex step is better than its witness, which subtracts nearby values and can vouch for no more.
        witnessed = np.median(ratios) * np.finfo(float).eps / max(1, centre)
        assert witnessed < 1e-9


@pytest.mark.parametrize("p", [64, 300])
def test_error_bars_hold_where_many_rows_share_a_sign(p: int) -> None:
    for seed in range(10):
        case = problem("sin", seed, p, n=20, d=20)
        for stencil in CANCELLING:
            result = case.solve(stencil=stencil, seed=seed)
            assert (true_error(result, case) <= result.error).all(), (seed, stencil.name)


def test_the_complex_step_is_exact() -> None:
    for case in random_problems(100):
        result = case.solve(stencil=COMPLEX)
        assert (np.abs(result.value - case.truth) <= 1e-14 * case.natural).all()


@pytest.mark.parametrize("stencil", STENCILS.values(), ids=lambda s: s.name)
def test_a_step_given_by_the_user_is_judged_like_any_other(stencil: Stencil) -> None:
    for seed, case in enumerate(random_problems(40)):
        for step in (1e-9, 1e-2):
            result = case.solve(stencil=stencil, step=step)
            assert (result.step == step).all()
            assert (true_error(result, case) <= result.error).all(), (seed, step)


def test_the_step_is_in_units_of_the_scale_and_columns_keep_their_own() -> None:
    """1000 columns of one call, each at its own scale, from 1e-6 to 1e6."""
    rng = np.random.default_rng(5)
    rate = 10.0 ** rng.uniform(-6, 6, 1000)
    x, weights = rng.standard_normal((3, 1000)) / rate, rng.standard_normal((3, 1000))
    truth = weights * rate * np.cos(rate * x)
    for stencil in CANCELLING:
        result = differentiate(lambda t, c: np.sin(rate[c] * t), x, weights, 1 / rate, stencil=stencil)
        assert (np.abs(result.value - truth).max(axis=0) <= result.error).all()
        assert np.max(result.step * rate) < 10 * np.min(result.step * rate)
        bound = {FORWARD: 1e-5, CENTRAL: 1e-7, FIVE_POINT: 1e-9, RICHARDSON: 1e-9}[stencil]
        assert (result.error <= bound * rate).all()


def test_the_step_divided_by_is_the_one_taken() -> None:
    """x takes no step of 2.3 of its roundings: it takes one of 2, and by that one divides."""
    x = 1e8 + 100 * np.random.default_rng(0).random((4, 50))
    step = 2.3 * float(np.spacing(1e8))
    for stencil in (CENTRAL, FORWARD):
        result = differentiate(lambda t, c: 3 * (t - 1e8), x, np.ones_like(x), np.ones(50), stencil=stencil, step=step)
        assert (result.value == 3).all()


def test_a_function_that_computes_in_float32_gets_the_bar_it_deserves() -> None:
    for stencil in CANCELLING:
        for seed, case in enumerate(random_problems(60)):
            honest = case.solve(stencil=stencil, seed=seed)
            f = case.f

            def narrow(x: Array, columns: Array, f: Function = f) -> Array:
                return f(x.astype(np.float32).astype(np.float64), columns).astype(np.float32).astype(np.float64)

            result = case._replace(f=narrow).solve(stencil=stencil, seed=seed)
            assert (true_error(result, case) <= result.error).all(), (seed, stencil.name)
            assert (result.error > 30 * honest.error).all(), (seed, stencil.name)
            assert (result.noise > 1e-10).all()
            assert (result.step >= honest.step).all()


@pytest.mark.parametrize("level", [1e-10, 1e-6, 1e-4])
def test_noise_is_measured_and_carried_into_the_bar(level: float) -> None:
    found = []
    for stencil in CANCELLING:
        for seed, case in enumerate(random_problems(40)):
            rng, f = np.random.default_rng(seed), case.f

            def noisy(x: Array, columns: Array, f: Function = f, rng: Any = rng) -> Array:
                out = f(x, columns)
                out += level * rng.standard_normal(out.shape)
                return out

            result = case._replace(f=noisy).solve(stencil=stencil, seed=seed)
            assert (true_error(result, case) <= result.error).all(), (seed, stencil.name)
            reach = np.abs(case.truth).max(axis=0)
            found.append(result.noise * reach / np.linalg.norm(case.weights, axis=0))
    assert level / 10 < np.median(found) < 10 * level


def relu(x: Array, columns: Array) -> Array:
    return np.asarray(np.maximum(x, 0))


def test_a_kink_is_no_matter_where_no_step_reaches_it() -> None:
    rng = np.random.default_rng(1)
    x, weights = rng.standard_normal((12, 40)), rng.standard_normal((12, 40))
    x[np.abs(x) < 0.5] = 1
    for stencil in CANCELLING:
        result = differentiate(relu, x, weights, np.ones(40), stencil=stencil)
        assert (np.abs(result.value - weights * (x > 0)).max(axis=0) <= result.error).all()
        assert result.error.max() < 1e-6


@pytest.mark.parametrize("stencil", CANCELLING, ids=lambda s: s.name)
def test_a_kink_within_the_step_is_not_vouched_for(stencil: Stencil) -> None:
    """There is no derivative to find; what must not happen is a narrow bar around half the slope."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, weights = 1 + rng.random((12, 10)), rng.uniform(1, 2, (12, 10))
        x[0] = 1e-7 * rng.uniform(-1, 1, 10)
        result = differentiate(relu, x, weights, np.ones(10), stencil=stencil, seed=seed)
        assert (result.error > 0.05).all(), seed


# ---- functions that are linear, and those that only promised ----


def test_a_linear_function_has_no_truncation_at_any_step() -> None:
    for seed in range(40):
        case = problem("linear", seed, 1 + seed % 20, 1 + seed % 7)
        for stencil in STENCILS.values():
            result = case.solve(stencil=stencil, linear=True, seed=seed)
            # At the level of single roundings, those of the value itself are beside the bar.
            rounding = 2 * np.finfo(float).eps * case.natural.max(axis=0)
            assert (true_error(result, case) <= result.error + rounding).all()
            assert (result.error < 1e-12 * (1 + case.natural.max())).all()


@pytest.mark.parametrize("shape", ["sin", "exp", "cubic"])
def test_a_broken_promise_of_linearity_shows_as_a_wide_bar(shape: str) -> None:
    for seed in range(60):
        case = problem(shape, seed, 1 + seed % 20, 1 + seed % 7)
        honest, broken = case.solve(seed=seed), case.solve(seed=seed, linear=True)
        assert (broken.error > 1e5 * honest.error).all()
        # One direction is asked where a promise was made, so that the bar may be narrow by a matter of luck.
        assert (true_error(broken, case) <= 100 * broken.error).all()


# ---- arguments ----


@pytest.mark.skipif(not WIDER, reason="longdouble is double on this platform")
def test_longdouble_is_worth_its_price() -> None:
    for stencil, gain in ((FORWARD, 20), (CENTRAL, 60), (RICHARDSON, 100)):
        double, extended = [], []
        for seed in range(40):
            wide = problem("sin", seed, 6, 5, dtype=np.longdouble)
            narrow = problem("sin", seed, 6, 5)
            result = wide.solve(stencil=stencil, seed=seed)
            assert result.value.dtype == np.longdouble
            assert (true_error(result, wide) <= result.error).all()
            extended.append(true_error(result, wide))
            double.append(true_error(narrow.solve(stencil=stencil, seed=seed), narrow))
        assert np.median(double) > gain * np.median(extended)


@pytest.mark.parametrize("stencil", STENCILS.values(), ids=lambda s: s.name)
def test_f_sees_lanes_of_x_and_nothing_of_the_callers_changes(stencil: Stencil) -> None:
    case = problem("sin", 0, p=20, n=3, d=4)
    kept = case.x.copy(), case.weights.copy()
    dtypes = set()

    def watched(x: Array, columns: Array) -> Array:
        dtypes.add(x.dtype)
        assert x.shape == (20, len(columns))
        # Each lane is the column that it is said to be, moved by less than the bending scale.
        assert np.abs(x - case.x[:, columns]).max() < 1
        return case.f(x, columns)

    case._replace(f=watched).solve(stencil=stencil)
    assert np.array_equal(case.x, kept[0])
    assert np.array_equal(case.weights, kept[1])
    assert dtypes == {np.dtype(float), *([] if stencil.cancels else [np.dtype(complex)])}


@pytest.mark.parametrize("stencil", STENCILS.values(), ids=lambda s: s.name)
def test_nothing_moves_where_nothing_depends(stencil: Stencil) -> None:
    case = problem("sin", 0, p=5, n=3)
    flat = case._replace(f=lambda x, columns: 0 * x[:3] + 2).solve(stencil=stencil)
    assert (flat.value == 0).all()
    assert (flat.error < 1e-6).all()
    unweighted = case._replace(weights=np.zeros_like(case.weights)).solve(stencil=stencil)
    assert (unweighted.value == 0).all()
    assert (unweighted.error == 0).all()


@pytest.mark.parametrize("linear", [False, True])
def test_a_seed_makes_the_result_reproducible(linear: bool) -> None:
    case = problem("linear" if linear else "sin", 7, p=13, n=6)
    first, again, other = (case.solve(seed=seed, linear=linear) for seed in (4, 4, 5))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.error, other.error)
    assert (np.abs(first.value - other.value) <= first.error + other.error).all()


# ---- blocks ----

BLOCKS = [(1, 1, 1, 1), (64, 256, 3, 2), (1, 1, 1, 7), (1 << 10, 1 << 12, 16, 4), (1 << 20, 1 << 22, 4096, 16)]


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize(("p", "n", "d"), [(1, 1, 1), (7, 3, 5), (20, 30, 11), (9, 2, 100)])
def test_block_sizes_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, blocks: tuple[int, int, int, int], p: int, n: int, d: int
) -> None:
    rng = np.random.default_rng(0)
    mix, rate = rng.integers(-3, 4, (n, p)).astype(float), rng.integers(1, 9, d).astype(float)
    x, weights = rng.integers(-8, 9, (p, d)) / 8, rng.integers(-4, 5, (n, d)).astype(float)
    truth = mix.T @ (weights * 2 * rate * (mix @ x))
    for name, value in zip(("_SMALL", "_LARGE", "_WIDE", "_NARROW"), blocks, strict=True):
        monkeypatch.setattr(differences, name, value)
    for stencil in (CENTRAL, COMPLEX):
        result = differentiate(
            lambda t, c: rate[c] * (mix @ t) ** 2, x, weights, np.ones(d), stencil=stencil, step=2.0**-10
        )
        # Sums of few-bit numbers are exact, in any order.
        assert np.array_equal(result.value, truth)
        assert (result.error < 1e-7 * (1 + np.abs(truth).max())).all()


def test_block_sizes_do_not_matter_beyond_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem("exp", 1, p=33, n=17, d=29)
    for stencil in STENCILS.values():
        whole = case.solve(stencil=stencil)
        with monkeypatch.context() as patch:
            for name, value in zip(("_SMALL", "_LARGE", "_WIDE", "_NARROW"), (64, 256, 3, 2), strict=True):
                patch.setattr(differences, name, value)
            parts = case.solve(stencil=stencil)
        assert parts.step == pytest.approx(whole.step, rel=0.5)
        assert (np.abs(parts.value - whole.value) <= whole.error).all()
        assert (true_error(parts, case) <= parts.error).all()


# ---- evaluations ----


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("stencil", STENCILS.values(), ids=lambda s: s.name)
@pytest.mark.parametrize(("p", "d"), [(1, 1), (2, 10), (3, 7), (8, 100), (64, 10), (100, 3), (5, 1000)])
def test_evaluations_are_predicted(p: int, d: int, stencil: Stencil, linear: bool) -> None:
    ticks: list[float] = []
    problem("linear", 0, p, 2, d).solve(stencil=stencil, linear=linear, tick=ticks.append)
    predicted = evaluations(p, stencil, linear)
    # The last block of each column may repeat a row in order to keep its shape.
    assert predicted <= sum(ticks) * (1 + 1e-12) <= 1.2 * predicted + 1


def test_a_second_look_at_the_noise_costs_a_second_witness() -> None:
    case, ticks = problem("sin", 0, p=16, n=4), list[float]()
    narrow = case._replace(f=lambda x, c: np.sin(x[:4].astype(np.float32)).astype(float))
    narrow.solve(tick=ticks.append)
    assert sum(ticks) == pytest.approx(evaluations(16, CENTRAL, linear=False) + 8 * 6)


def test_a_tick_may_stop_the_work() -> None:
    case, ticks = problem("sin", 0, p=300, n=300), list[float]()

    def stop(done: float) -> None:
        ticks.append(done)
        if len(ticks) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        case.solve(tick=stop)
    assert len(ticks) == 5
