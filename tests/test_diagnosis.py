"""A wrong gradient is told by its cause: which path, which factor, which sum, which entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bncheck.arrays import Array
from bncheck.batch import generate, warm_up
from bncheck.checks.gradients import check_gradients
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.entry import Wrong
from bncheck.findings.textbook import RIGHT
from bncheck.layers.resolve import of
from bncheck.report import Finding
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode
from tests.benchmarks import diagnosis

GRADIENTS = [
    pytest.param(entry.code, wrong, id=f"{entry.code}-{k}")
    for entry in CATALOGUE.values()
    if entry.code[:3] in ("BN1", "BN2")
    for k, wrong in enumerate(entry.mutants)
]


def findings(wrong: Wrong, mode: Mode = Mode.TRAIN, dtype: str = "float64", n: int = 16, d: int = 6) -> list[Finding]:
    batch = generate(n, d, 3, dtype=dtype)
    batch = warm_up(batch, 100, 0.9) if mode is Mode.TEST else batch
    return list(check_gradients(batch, of(RIGHT._replace(**wrong).pair()), LayerSettings(mode)).findings)


@pytest.mark.parametrize(("code", "wrong"), GRADIENTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "d"), [(9, 4), (64, 10)])
def test_every_mistake_in_a_gradient_is_named(code: str, wrong: Wrong, dtype: str, n: int, d: int) -> None:
    mode = Mode.TEST if "dx_in_test_mode" in wrong else Mode.TRAIN
    found = findings(wrong, mode, dtype, n, d)
    assert {f.code for f in found} == {code}, found


@pytest.mark.parametrize(
    ("one", "other"), [pytest.param(a, b, id=f"{a.code}-{b.code}") for a, b in list(diagnosis.pairs())[::13]]
)
def test_two_mistakes_are_told_as_two(one: Any, other: Any) -> None:
    seen, both = diagnosis.together(one, other), {one.code, other.code}
    assert seen == both or seen == both - {diagnosis.hidden(one, other)}


def test_what_leaves_no_trace_is_found_by_the_numbers() -> None:
    """Of a forward pass without eps, a backward pass that forgets it is the right derivative."""
    code = CATALOGUE.__getitem__
    assert diagnosis.hidden(code("BN106"), code("BN303")) == "BN106"
    assert diagnosis.hidden(code("BN308"), code("BN501")) == ""
    assert diagnosis.hidden(code("BN409"), code("BN412")) == ""


# ---- the words ----


def dx_as(formula: Callable[..., Array]) -> Finding:
    (found,) = findings({"dx": formula})
    return found


def test_the_paths_are_told_with_their_factors() -> None:
    lost = findings(CATALOGUE["BN101"].wrong)[0].evidence
    assert lost.startswith("dx = 1.000 direct + 1.000 mean + 0.000 variance, which explains it to ")
    assert "variance has a factor of N/(N-1)" in findings(CATALOGUE["BN104"].wrong)[0].evidence
    assert "a factor of 1 / gamma in every column" in findings(CATALOGUE["BN105"].wrong)[0].evidence
    assert "sqrt(var) stands in place of the forward's root" in findings(CATALOGUE["BN106"].wrong)[0].evidence
    assert "1 / root is a factor of all" in findings(CATALOGUE["BN108"].wrong)[0].evidence


def test_gamma_may_be_left_out_of_one_path() -> None:
    def in_the_mean_only(g: Array, dout: Array, xhat: Array, inv: Array) -> Array:
        return np.asarray(inv * (g - dout.mean(axis=0) - xhat * (g * xhat).mean(axis=0)))

    found = dx_as(in_the_mean_only)
    assert found.code == "BN105"
    assert "mean has a factor of 1 / gamma" in found.evidence


def test_two_mistakes_in_one_dx_are_two() -> None:
    def both(dout: Array, inv: Array) -> Array:
        return np.asarray(inv * (dout - dout.mean(axis=0)))

    assert [f.code for f in findings({"dx": both})] == ["BN105", "BN101"]


@pytest.mark.parametrize(
    ("pattern", "code", "words"),
    [
        (lambda dx, dout: dout, "BN110", "dx is dout itself"),
        (lambda dx, dout: dx.mean(axis=0) + 0 * dx + 1, "BN110", "the same in every row"),
        (lambda dx, dout: np.where(np.arange(16)[:, None] == 15, 0, dx), "BN109", "row 15, of 16, and no other"),
        (lambda dx, dout: np.where(np.arange(6) == 2, 2 * dx, dx), "BN109", "column 2, of 6, and no other"),
        (lambda dx, dout: dx + np.eye(16, 6), "BN109", "6 of 96 entries differ, [0, 0], [1, 1], [2, 2], [3, 3]"),
    ],
)
def test_where_it_is_wrong_is_told(pattern: Callable[[Array, Array], Array], code: str, words: str) -> None:
    def wrong(g: Array, dout: Array, xhat: Array, inv: Array) -> Array:
        return np.asarray(pattern(inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)), dout))

    found = dx_as(wrong)
    assert (found.code, words in found.evidence) == (code, True), found.evidence


def test_the_diagonal_of_the_jacobian_is_recognised() -> None:
    def diagonal(g: Array, xhat: Array, inv: Array, n: int) -> Array:
        return np.asarray(inv * g * (1 - (1 + xhat**2) / n))

    assert "the diagonal of the Jacobian only" in dx_as(diagonal).evidence


@pytest.mark.parametrize(
    ("formula", "code", "words"),
    [
        (lambda dout, xhat, gamma: (dout * gamma * xhat).sum(0), "BN205", "gamma does not belong there"),
        (lambda dout, xhat: -(dout * xhat).sum(0), "BN205", "of the opposite sign"),
        (lambda dout, centred: (dout * centred).mean(0), "BN203", "mean(dout * (x - mean))"),
        (lambda dout: dout.sum(0), "BN204", "sum(dout), which is dbeta"),
        (lambda dout, out: (dout * out).sum(0), "BN205", "sum(dout * out)"),
        (lambda dout, xhat: np.full(6, (dout * xhat).sum()), "BN201", "the same sum over all columns"),
    ],
)
def test_what_dgamma_is_instead_is_told(formula: Callable[..., Array], code: str, words: str) -> None:
    (found,) = findings({"dgamma": formula})
    assert (found.code, words in found.evidence) == (code, True), found.evidence


def test_dx_is_read_against_the_layers_own_forward() -> None:
    """A wrong forward does not confuse what is said of the backward."""
    for code in ("BN301", "BN302", "BN307"):
        entry = CATALOGUE[code]
        own = {**entry.wrong, **entry.along}
        assert not findings(own)

        def lost(g: Array, inv: Array) -> Array:
            return np.asarray(inv * (g - g.mean(axis=0)))

        assert [f.code for f in findings({**own, "dx": lost})] == ["BN101"]
