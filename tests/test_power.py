"""What a check could have seen: no right layer accused, no mistake passed in silence, blindness with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble, generate, warm_up
from bncheck.batchnorm import Gradients
from bncheck.checks.gradients import check_gradients
from bncheck.checks.suite import check_layer
from bncheck.errors import LayerRaised
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.textbook import RIGHT
from bncheck.layers.protocol import Call, Layer, Traits
from bncheck.layers.reference import Reference, ReferencePass
from bncheck.layers.resolve import of
from bncheck.report import GradientResult
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Method, Mode, Severity, Verdict
from tests.benchmarks import grid
from tests.benchmarks.right import ACCUMULATING, IMPLEMENTATIONS
from tests.benchmarks.right import layer as right_layer

ALONE = CheckSettings(probes=False)


def check(batch: Batch, layer: Layer | None = None, **settings: object) -> dict[str, GradientResult]:
    report = check_gradients(batch, layer, LayerSettings(**settings), ALONE)  # type: ignore[arg-type]
    return {g.name: g for g in report.gradients}


def blind_to(result: GradientResult) -> dict[str, str]:
    return {blind.code: blind.reason for blind in result.power.blind_to}


def batch(n: int = 16, scale: float = 1.0, dtype: str = "float64", **given: Array) -> Batch:
    x = scale * np.random.default_rng(n).normal(1, 2, (n, 4))
    return assemble({"x": x, **given}, dtype=dtype)


# ---- the grid, a smaller copy of the benchmark ----


@pytest.mark.parametrize("dtype", grid.DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 32])
def test_no_right_layer_is_accused_and_no_mistake_is_missed_in_silence(dtype: str, n: int) -> None:
    became: Counter[str] = Counter()
    for block in grid.blocks((n,), dtypes=(dtype,), means=(0.0, 1e4), scales=(1e-3, 1.0, 1e3)):
        measured = grid.measured_by(block)
        for name, each in measured.items():
            over = [name != ACCUMULATING and o for o in block.overflows(each)]
            for (cell, outcome), overflows in zip(grid.outcomes(block, each), over, strict=True):
                assert overflows or outcome.verdict is not Verdict.FAIL, (name, cell, outcome)
        for code, cell, rejected, named in grid.mutants(block, measured[ACCUMULATING]):
            assert rejected or named, (code, cell)
            became["rejected" if rejected else "named"] += 1
    assert became["rejected"] > 0
    assert became["named"] > 0
    # Naming everything would be no art: most that could be seen is.
    assert n < 3 or dtype == "float16" or became["rejected"] > became["named"]


def test_a_generated_batch_shows_everything() -> None:
    for dtype in ("float32", "float64"):
        for mode, known in ((Mode.TRAIN, (9, 4, 3)), (Mode.TEST, (6, 4, 3))):
            made = warm_up(generate(dtype=dtype), 200, 0.9)
            report = check_gradients(made, settings=LayerSettings(mode), check=CheckSettings(strict=True))
            assert [(g.power.caught, g.power.known) for g in report.gradients] == [(k, k) for k in known]
            assert report.verdict is Verdict.PASS
            assert not report.probes


# ---- reasons ----


def test_one_row_shows_next_to_nothing() -> None:
    found = check(batch(1))
    assert found["dx"].verdict is Verdict.BLIND
    assert "N = 1" in found["dx"].reason
    assert "N = 1" in blind_to(found["dx"])["BN105"]
    assert {"BN202", "BN203"} <= blind_to(found["dgamma"]).keys()
    assert blind_to(found["dbeta"])["BN202"] == "N = 1: a mean is a sum"


def test_two_rows_hide_dx_where_eps_does_not_count() -> None:
    found = check(batch(2, scale=1e6))
    assert found["dx"].verdict is Verdict.BLIND
    assert "N = 2: |xhat| is 1 in every entry" in blind_to(found["dx"])["BN107"]


def test_a_gamma_of_one_hides_that_it_is_forgotten() -> None:
    found = check(batch(gamma=np.ones(4)))["dx"]
    assert found.verdict is Verdict.PASS
    assert blind_to(found) == {"BN105": "gamma is 1 everywhere: a backward that forgets gamma gives the same dx"}
    assert (found.power.caught, found.power.known) == (8, 9)


def test_large_variances_hide_eps() -> None:
    reason = blind_to(check(batch(scale=1e8))["dx"])["BN106"]
    assert reason.startswith("every variance is ")
    assert reason.endswith("or more: eps = 1e-05 cannot be seen")
    assert "eps is 0" in blind_to(check(batch(), eps=0.0)["dx"])["BN106"]


def test_a_constant_dout_hides_dx() -> None:
    found = check(batch(dout=np.ones((16, 4))))
    assert found["dx"].verdict is Verdict.BLIND
    assert "dout is constant in every column" in found["dx"].reason
    assert {"BN101", "BN105", "BN107"} <= blind_to(found["dx"]).keys()
    # Without the path through the mean dx would not be zero: that is seen even so.
    assert not {"BN102", "BN103"} & blind_to(found["dx"]).keys()


def test_a_dout_made_of_out_hides_dx() -> None:
    plain = batch(scale=1e6)
    out = Reference().forward(Call(plain.x, plain.gamma, plain.beta, None, LayerSettings())).out
    found = check(batch(scale=1e6, dout=2 * out + 3))["dx"]
    assert found.verdict is Verdict.BLIND
    assert "dout is a combination of 1 and xhat" in found.reason


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (batch(dout=np.zeros((16, 4))), "dout is 0 everywhere"),
        (batch(gamma=np.zeros(4)), "gamma is 0 everywhere"),
        (batch(scale=0), "every column is constant"),
    ],
)
def test_zeros_hide_dx(made: Batch, words: str) -> None:
    found = check(made)["dx" if "constant" not in words else "dgamma"]
    assert found.verdict is Verdict.BLIND
    assert words in found.reason


def test_half_precision_says_what_it_cannot_resolve() -> None:
    reasons = blind_to(check(batch(64, dtype="float16"))["dx"])
    assert reasons["BN104"] == "N = 64: a factor of N/(N-1) differs from 1 by 0.02, less than is allowed"


def off_by(error: float) -> Layer:
    """dx with a relative error in every entry."""

    @dataclass(frozen=True)
    class Off(ReferencePass):
        def backward(self, dout: Array) -> Gradients:
            right = super().backward(dout)
            return right._replace(dx=right.dx * (1 + error))

    class OffLayer(Reference):
        def forward(self, call: Call, state: object = None) -> ReferencePass:
            return Off(call, super().forward(call).out)

    return OffLayer()


def test_the_smallest_error_that_is_seen_is_seen() -> None:
    made = batch(64)
    smallest = check(made)["dx"].power.smallest_error
    assert 1e-12 < smallest < 1e-6

    assert check(made, off_by(1.01 * smallest))["dx"].verdict is Verdict.FAIL


def test_with_rtol_power_is_that_of_rtol() -> None:
    sharp, blunt = (
        check_gradients(batch(64), check=CheckSettings(rtol=rtol, probes=False)).gradients[0] for rtol in (1e-6, 0.9)
    )
    assert not sharp.power.blind_to
    assert {"BN104", "BN106"} <= blind_to(blunt).keys()
    assert blunt.power.smallest_error == pytest.approx(18)
    assert not any("times what is allowed" in reason for reason in blind_to(blunt).values())


@pytest.mark.parametrize("rtol", [0.01, 0.3, 0.9])
def test_with_rtol_the_smallest_error_that_is_seen_is_seen(rtol: float) -> None:
    made, check_ = batch(64), CheckSettings(rtol=rtol, probes=False)
    smallest = check_gradients(made, check=check_).gradients[0].power.smallest_error
    assert check_gradients(made, off_by(1.001 * smallest), check=check_).gradients[0].verdict is Verdict.FAIL


# ---- probes and strictness ----


def gamma_forgotten() -> Layer:
    return of(CATALOGUE["BN105"].layer())


def test_a_probe_finds_what_the_batch_could_not_show() -> None:
    bland = batch(gamma=np.ones(4))
    alone = check_gradients(bland, gamma_forgotten(), check=ALONE)
    assert alone.verdict is Verdict.PASS
    assert not alone.probes
    beside = check_gradients(bland, gamma_forgotten())
    assert beside.verdict is Verdict.FAIL
    assert [g.verdict for g in beside.gradients] == [Verdict.PASS] * 3
    (found,) = beside.findings
    assert found.code == "BN105"
    assert found.evidence.startswith("on a probe of bncheck's own, (12, 6) from seed 13, eps 1e-05: ")
    assert beside.probes[0].verdict is Verdict.FAIL


def test_a_probe_does_not_make_a_blind_batch_see() -> None:
    report = check_gradients(batch(dout=np.ones((16, 4))))
    assert report.verdict is Verdict.BLIND
    assert report.probes[0].verdict is Verdict.PASS


def test_a_probe_has_variances_near_the_eps_in_use() -> None:
    report = check_gradients(batch(scale=1e4), settings=LayerSettings(eps=1e-2))
    assert "BN106" in blind_to(report.gradients[0])
    assert not report.probes[0].gradients[0].power.blind_to


def test_strictly_a_batch_has_to_show_everything() -> None:
    bland = batch(gamma=np.ones(4))
    strict = check_gradients(bland, check=CheckSettings(strict=True))
    assert strict.verdict is Verdict.BLIND
    assert "BN105" in strict.gradients[0].reason
    assert [g.verdict for g in strict.gradients[1:]] == [Verdict.PASS] * 2


def test_the_check_of_a_layer_rests_on_all_its_batches() -> None:
    bland, right = batch(gamma=np.ones(4)), of(RIGHT.pair())
    assert check_layer(right, bland, check=CheckSettings(strict=True)).verdict is Verdict.PASS
    alone = CheckSettings(strict=True, probes=False)
    assert check_layer(right, bland, check=alone).verdict is Verdict.BLIND
    assert check_layer(gamma_forgotten(), bland, check=ALONE).verdict is Verdict.PASS
    assert check_layer(gamma_forgotten(), bland).verdict is Verdict.FAIL


# ---- the numerical side does not fool itself ----


class OnlyHere(Reference):
    """The definition at one x, and something else nearby, as a cache by content or a branch would have it."""

    def __init__(self, x: Array) -> None:
        self.x = x

    def forward(self, call: Call, state: object = None) -> ReferencePass:
        made = super().forward(call)
        if call.x.shape == self.x.shape and np.array_equal(call.x, self.x):
            return made
        mean, var = batchnorm.batch_statistics(self.x.astype(call.x.dtype))
        width = call.x.shape[1] // self.x.shape[1] + 1
        mean, var = np.tile(mean, width)[: call.x.shape[1]], np.tile(var, width)[: call.x.shape[1]]
        return ReferencePass(call, call.gamma * (call.x - mean) / np.sqrt(var + call.settings.eps) + call.beta)


def test_where_two_oracles_disagree_nobody_is_accused() -> None:
    made = generate(8, 1)
    report = check_gradients(made, OnlyHere(made.x), check=ALONE)
    assert report.verdict is Verdict.BLIND
    assert "the oracle is unreliable here" in report.gradients[0].reason


class NumpyVariance(Reference):
    """np.var of complex numbers is the variance of the modulus: a complex step sees no variance path."""

    traits = Traits(widest="float64")

    def forward(self, call: Call, state: object = None) -> ReferencePass:
        made = super().forward(call)
        inv = 1 / np.sqrt(np.var(call.x, axis=0) + call.settings.eps)
        lost = call.gamma * (call.x - call.x.mean(axis=0)) * inv + call.beta

        @dataclass(frozen=True)
        class WithoutVariancePath(ReferencePass):
            def backward(self, dout: Array) -> Gradients:
                g = dout * call.gamma
                return made.backward(dout)._replace(dx=inv * (g - g.mean(axis=0)))

        return WithoutVariancePath(call, lost)


def test_a_complex_step_through_np_var_certifies_nothing() -> None:
    report = check_gradients(generate(), NumpyVariance(), check=CheckSettings(Method.COMPLEX, strict=True))
    # The witness, which takes real steps, disagrees: the bars are as wide as the mistake, and it is named.
    assert report.verdict is Verdict.BLIND
    assert {"BN101", "BN103"} & blind_to(report.gradients[0]).keys()
    assert check_gradients(generate(), NumpyVariance()).verdict is Verdict.FAIL


def test_a_term_that_is_zero_on_paper_is_acquitted() -> None:
    """pjreddie/darknet PR 29 and 1723, apache/mxnet 1053, BVLC/caffe 3878: terms with sum(x - mean)."""

    def with_the_term(g: Array, xhat: Array, inv: Array, centred: Array) -> Array:
        through_variance = (g * xhat).mean(axis=0)
        extra = -2 * inv**2 * through_variance * centred.mean(axis=0)
        return np.asarray(inv * (g - g.mean(axis=0) - xhat * through_variance) - extra)

    layer = of(RIGHT._replace(dx=with_the_term).pair())
    for offset in (0.0, 1e2, 1e4):
        for dtype in ("float32", "float64"):
            assert check_gradients(generate(64, 8, offset=offset, dtype=dtype), layer).verdict is not Verdict.FAIL


# ---- what fresh eyes found ----


def test_a_padded_column_accuses_nobody() -> None:
    x = np.full((4096, 1), 10001.3)
    x[:64, 0] += 1000 * np.random.default_rng(0).normal(size=64)
    for rows in (x, np.sort(x, axis=0), x[::-1]):
        for name in IMPLEMENTATIONS:
            report = check_gradients(assemble({"x": rows}, dtype="float32"), right_layer(name), check=ALONE)
            assert report.verdict is not Verdict.FAIL, (name, report.findings)


def test_a_gradient_that_its_dtype_cannot_hold_is_no_mistake() -> None:
    x = np.random.default_rng(0).normal(size=(8, 2))
    x[:, 1] = 1
    made = assemble({"x": x, "dout": 500 * np.random.default_rng(1).normal(size=(8, 2))}, dtype="float16")
    found = check(made)["dx"]
    assert found.verdict is Verdict.BLIND
    assert "beyond what its dtype holds" in found.reason
    wrong = of(CATALOGUE["BN107"].layer())
    assert check(assemble({"x": x[:, :1]}, dtype="float16"), wrong)["dx"].verdict is Verdict.FAIL


def test_a_layer_that_refuses_the_probe_is_not_accused() -> None:
    class Choosy(Reference):
        def forward(self, call: Call, state: object = None) -> ReferencePass:
            if len(call.x) == 12:
                raise LayerRaised("no batches of a dozen")
            return super().forward(call)

    report = check_gradients(batch(gamma=np.ones(4)), Choosy())
    assert report.verdict is Verdict.PASS
    assert not report.raised
    assert [(f.code, f.severity) for f in report.findings] == [("BN001", Severity.NOTE)]


def test_without_power_there_is_no_pass() -> None:
    report = check_gradients(batch(), check=CheckSettings(rtol=1.0, probes=False))
    assert report.verdict is Verdict.BLIND
    assert "none of the known mistakes would have been rejected" in report.gradients[0].reason


def test_power_is_that_of_each_gradient_alone() -> None:
    """With a constant dout dgamma is zero, whatever it is the sum or the mean of; dbeta is not."""
    found = check(batch(dout=np.ones((16, 4))))
    assert "BN202" in blind_to(found["dgamma"])
    assert "BN202" not in blind_to(found["dbeta"])


def test_no_reason_is_given_that_does_not_hold() -> None:
    x = np.random.default_rng(0).normal(size=(200, 1))
    xhat = (x - x.mean()) / x.std()
    dout = np.random.default_rng(1).normal(size=(200, 1))
    dout -= dout.mean()
    dout -= xhat * (dout * xhat).mean()
    reasons = blind_to(check(assemble({"x": x, "dout": dout}))["dx"])
    assert reasons["BN104"] == reasons["BN101"]
    assert "does not go along with xhat" in reasons["BN104"]
