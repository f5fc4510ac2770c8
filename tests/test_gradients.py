"""The check itself: right gradients are never accused, wrong ones are never acquitted."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from bncheck.batch import Batch, assemble, generate, warm_up
from bncheck.checks.gradients import check_gradients
from bncheck.errors import BadInput
from bncheck.layers.protocol import Traits
from bncheck.report import GradientResult, Report
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Method, Mode, Verdict
from tests.wrong import DX, PARAMETERS, WrongLayer

MEANS, SCALES, ROWS = (0.0, 1e2, 1e4, 1e6), (1e-3, 1.0, 1e3), (2, 3, 8, 64, 512)


def cell(mean: float, scale: float, n: int, dout: str, seed: int, dtype: str) -> Batch:
    rng = np.random.default_rng(seed)
    x = mean + scale * rng.standard_normal((n, 4))
    return assemble(
        {"x": x, "dout": np.ones((n, 4)) if dout == "ones" else rng.standard_normal((n, 4))}, seed=seed, dtype=dtype
    )


def gradient(report: Report, name: str) -> GradientResult:
    return next(g for g in report.gradients if g.name == name)


@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.TEST])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_gradients_are_never_accused(dtype: str, mode: Mode) -> None:
    verdicts = []
    seeds = range(5) if mode is Mode.TRAIN else range(1)
    for mean, scale, n, dout, seed in itertools.product(MEANS, SCALES, ROWS, ("normal", "ones"), seeds):
        batch = cell(mean, scale, n, dout, seed, dtype)
        report = check_gradients(warm_up(batch, 100, 0.9), settings=LayerSettings(mode))
        assert report.verdict is not Verdict.FAIL, (mean, scale, n, dout, seed, report.findings)
        verdicts.append(report.verdict)
    # Blindness must stay what it is here, the answer to batches that cannot tell: constant dout and lost digits.
    assert verdicts.count(Verdict.PASS) > len(verdicts) // 6


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_generated_batches_pass(dtype: str) -> None:
    for n, d, seed in [(3, 1, 0), (3, 4, 1), (64, 10, 2), (200, 7, 3)]:
        assert check_gradients(generate(n, d, seed, dtype=dtype)).verdict is Verdict.PASS


@pytest.mark.parametrize("name", DX)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wrong_dx_is_rejected(name: str, dtype: str) -> None:
    for n, d in [(8, 5), (64, 10)]:
        report = check_gradients(generate(n, d, seed=n, dtype=dtype), WrongLayer(name, DX[name]))
        assert report.verdict is Verdict.FAIL
        assert gradient(report, "dx").verdict is Verdict.FAIL
        assert gradient(report, "dgamma").verdict is Verdict.PASS
        assert [f.quantity for f in report.findings] == ["dx"]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wrong_dgamma_or_dbeta_is_rejected(name: str, dtype: str) -> None:
    quantity, mistake = PARAMETERS[name]
    report = check_gradients(generate(16, 6, seed=4, dtype=dtype), WrongLayer(name, mistake))
    assert gradient(report, quantity).verdict is Verdict.FAIL
    assert gradient(report, "dx").verdict is Verdict.PASS


@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.TEST])
@pytest.mark.parametrize("method", list(Method))
def test_every_method_tells_right_from_wrong(method: Method, mode: Mode) -> None:
    batch, settings = warm_up(generate(24, 6, seed=5), 100, 0.9), LayerSettings(mode)
    check = CheckSettings(method)
    assert check_gradients(batch, settings=settings, check=check).verdict is Verdict.PASS
    wrong = WrongLayer("a common factor", DX["a common factor"])
    assert check_gradients(batch, wrong, settings, check).verdict is Verdict.FAIL


def test_one_wrong_entry_is_named() -> None:
    report = check_gradients(generate(64, 10), WrongLayer("entry", DX["one entry off by 1%"]))
    dx = gradient(report, "dx")
    assert dx.worst.index == (32, 1)
    assert dx.worst.analytic == pytest.approx(1.01 * dx.worst.numeric)
    assert dx.reason.startswith("1 of 640 entries are wrong, worst dx[32, 1]")


def test_one_wrong_entry_is_named_in_the_layout_given() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 2))
    report = check_gradients(assemble({"x": x}, channel_axis=1), WrongLayer("entry", DX["one entry off by 1%"]))
    # Row 20 of the table (4 * 5 * 2, 3) is image 2, pixel (0, 0).
    assert gradient(report, "dx").worst.index == (2, 1, 0, 0)


def test_what_is_not_a_number_is_found_as_such() -> None:
    for name in ("one entry NaN", "one entry infinite"):
        report = check_gradients(generate(), WrongLayer(name, DX[name]))
        assert [f.code for f in report.findings] == ["BN003"]


def test_complex_step_is_exact_on_the_reference() -> None:
    for seed in range(5):
        report = check_gradients(generate(32, 8, seed), check=CheckSettings(Method.COMPLEX))
        assert gradient(report, "dx").max_rel_error < 1e-9  # entries near 0 included
        scale = abs(gradient(report, "dx").worst.analytic)
        assert gradient(report, "dx").max_abs_error <= 1e-14 * max(scale, 1e3)


def test_smaller_errors_cost_more_passes() -> None:
    batch = generate(32, 8)
    reports = {m: check_gradients(batch, check=CheckSettings(m)) for m in Method}
    bars = {m: gradient(r, "dx").error_bar for m, r in reports.items()}
    assert bars[Method.COMPLEX] < bars[Method.RICHARDSON] < bars[Method.CENTRAL] < bars[Method.FORWARD]
    assert reports[Method.FORWARD].forward_passes < reports[Method.CENTRAL].forward_passes
    assert reports[Method.CENTRAL].forward_passes < 2 * 32 + 70


@pytest.mark.parametrize("step", [1e-12, 1e-9, 1e-2, 1.0])
def test_a_bad_step_widens_the_bars_and_accuses_nobody(step: float) -> None:
    batch = generate(32, 8, seed=1)
    report = check_gradients(batch, check=CheckSettings(step=step))
    assert report.verdict is not Verdict.FAIL
    assert gradient(report, "dx").error_bar > 10 * gradient(check_gradients(batch), "dx").error_bar


def test_a_column_of_any_scale_and_offset_is_checked() -> None:
    rng = np.random.default_rng(3)
    scale, offset = 10.0 ** np.arange(-6, 7), 10.0 ** np.arange(-6, 7)[::-1]
    batch = assemble({"x": offset + scale * rng.standard_normal((16, 13))})
    assert check_gradients(batch).verdict is Verdict.PASS
    assert check_gradients(batch, WrongLayer("constants", DX["statistics taken as constants"])).verdict is Verdict.FAIL


def test_rtol_asks_for_the_classical_test() -> None:
    batch = generate(32, 8)
    worst = gradient(check_gradients(batch), "dx").max_rel_error
    assert check_gradients(batch, check=CheckSettings(rtol=worst * 1.01)).verdict is Verdict.PASS
    assert gradient(check_gradients(batch, check=CheckSettings(rtol=worst * 0.99)), "dx").verdict is Verdict.FAIL
    assert check_gradients(batch, check=CheckSettings(rtol=0.0)).verdict is Verdict.FAIL


@pytest.mark.parametrize("rtol", [None, 1e-4])
def test_what_zeros_would_pass_is_blind(rtol: float | None) -> None:
    one_row = check_gradients(generate(1, 5), check=CheckSettings(rtol=rtol))
    assert [g.verdict for g in one_row.gradients] == [Verdict.BLIND, Verdict.BLIND, Verdict.PASS]
    x = np.random.default_rng(0).standard_normal((9, 4))
    constant = check_gradients(assemble({"x": x, "dout": np.ones_like(x)}), check=CheckSettings(rtol=None))
    assert gradient(constant, "dx").verdict is Verdict.BLIND
    assert constant.verdict is Verdict.BLIND
    assert not constant.findings


def test_failure_outweighs_blindness() -> None:
    x = np.random.default_rng(0).standard_normal((9, 4))
    batch = assemble({"x": x, "dout": np.ones_like(x)})
    assert check_gradients(batch, WrongLayer("mean", DX["mean path lost"])).verdict is Verdict.FAIL


def test_a_function_that_loses_digits_gets_wide_bars() -> None:
    class Single:
        name = "computes in single precision"
        traits = Traits()

        def forward(self, call, state=None):  # type: ignore[no-untyped-def]
            made = WrongLayer(self.name, lambda call, dout, right: right).forward(call)
            narrow = WrongLayer(self.name, lambda call, dout, right: right).forward(call.astype(np.float32))
            return replace(made, out=narrow.out.astype(call.x.dtype))

    batch = generate(32, 6, seed=8)
    dx, exact = (gradient(check_gradients(batch, layer), "dx") for layer in (Single(), None))
    assert dx.verdict is Verdict.PASS
    assert dx.error_bar > 1e3 * exact.error_bar


def test_the_reference_without_an_answer_is_bad_input() -> None:
    x = np.ones((4, 3))
    with pytest.raises(BadInput, match="column 0 has no variance and eps is 0"):
        check_gradients(assemble({"x": x}), settings=LayerSettings(eps=0.0))
    with pytest.raises(BadInput, match="needs running statistics"):
        check_gradients(assemble({"x": x}), settings=LayerSettings(Mode.TEST))


def test_the_same_seed_gives_the_same_report() -> None:
    first, second = (check_gradients(generate(20, 5, seed=9)).to_dict() for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_progress_ends_where_it_said_it_would() -> None:
    seen: list[tuple[float, float]] = []
    report = check_gradients(generate(20, 5), progress=lambda done, expected: seen.append((done, expected)))
    assert seen[-1][0] == pytest.approx(seen[-1][1]) == pytest.approx(report.forward_passes)
