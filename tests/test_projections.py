"""The check along random directions: it sees what it says it sees, names what is wrong, and accuses nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble, generate, warm_up
from bncheck.batchnorm import Gradients
from bncheck.checks.gradients import check_gradients
from bncheck.differences import Function
from bncheck.errors import BadInput
from bncheck.layers.protocol import Call, Pass, Traits
from bncheck.layers.reference import Reference
from bncheck.projections import Directions, how_many, improbable, line, slopes
from bncheck.report import Report
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Coverage, Method, Mode, Verdict

PROJECTED = CheckSettings(coverage=Coverage.PROJECTED, probes=False)
Alter = Callable[[Array], None]


class Altered:
    """The reference, whose dx somebody has tampered with on batches of so many rows."""

    def __init__(self, alter: Alter, rows: Collection[int], **traits: Any) -> None:
        self.name, self.alter, self.traits = "altered", alter, Traits(**traits)
        self.rows = rows

    def forward(self, call: Call, state: object = None) -> Pass:
        made, alter, rows = Reference().forward(call), self.alter, self.rows

        class Made:
            out, state, running = made.out, made.state, made.running

            def backward(self, dout: Array) -> Gradients:
                gradients = made.backward(dout)
                if len(dout) in rows:
                    alter(gradients.dx)
                return gradients

        return Made()


def checked(batch: Batch, alter: Alter, **traits: Any) -> Report:
    return check_gradients(batch, Altered(alter, {batch.n}, **traits), check=PROJECTED)


def entry(row: int, column: int, factor: float) -> Alter:
    def alter(dx: Array) -> None:
        dx[row, column] *= factor

    return alter


# ---- the slopes and their bars ----


@pytest.mark.parametrize("kind", ["random", "equal to out", "constant"])
@pytest.mark.parametrize(("n", "d"), [(5, 64), (64, 64), (3000, 16)])
@pytest.mark.parametrize("inside", [np.float64, np.float32])
def test_the_bar_holds_in_every_column(n: int, d: int, kind: str, inside: Any) -> None:
    """Against the closed form in extended precision; a function that rounds more coarsely gets wider bars."""
    batch, eps = generate(n, d, seed=n), 1e-5
    x, gamma, beta = batch.x, batch.gamma, batch.beta

    def f(argument: Array, columns: Array) -> Array:
        made = batchnorm.forward(
            argument.astype(inside), gamma[columns].astype(inside), beta[columns].astype(inside), eps
        )
        return made.astype(argument.dtype)

    weights = {
        "random": batch.dout,
        "equal to out": batchnorm.forward(x, gamma, beta, eps),
        "constant": np.ones_like(x),
    }[kind]
    directions = Directions(n, 7, seed=1)
    scale = np.sqrt(x.var(axis=0) + eps)
    found = slopes(line(f, x, weights), directions, scale, np.finfo(x.dtype).eps * (1 + np.abs(x).max(axis=0) / scale))
    dout, at, slope = (a.astype(np.longdouble) for a in (weights, x, gamma))
    dx = batchnorm.backward(dout, at, slope, eps).dx
    truth = np.array([signs[:, 0].astype(np.longdouble) @ dx for signs in directions])
    assert np.all(np.abs(found.value - truth) <= found.error)
    if inside is np.float64 and kind == "random":
        typical = np.abs(gamma) * np.sqrt(np.mean(weights**2, axis=0)) / scale
        assert np.all(found.error < 1e-3 * typical)


def test_where_nothing_moves_nothing_is_said() -> None:
    x = np.full((20, 2), 1e6) + np.arange(20)[:, None]
    constant: Function = lambda argument, columns: np.zeros_like(argument)  # noqa: E731
    found = slopes(line(constant, x, np.ones_like(x)), Directions(20, 3, 0), np.ones(2), np.full(2, 1e-16))
    assert np.all(np.isinf(found.error))


def test_directions_are_signs_and_as_many_as_the_confidence_asks_for() -> None:
    assert [how_many(c) for c in (0.5, 0.75, 0.99, 0.999999)] == [1, 2, 7, 20]
    directions = Directions.enough(1000, 0.99, seed=3)
    assert directions.missed <= 0.01
    table = np.array([*directions])
    assert set(np.unique(table)) == {-1.0, 1.0}
    assert np.abs(table.mean(axis=1)).max() < 0.2
    again = np.array([*Directions.enough(1000, 0.99, seed=3)])
    assert np.array_equal(table, again)
    assert not np.array_equal(table, np.array([*Directions.enough(1000, 0.99, seed=4)]))


def test_projections_of_a_table_and_what_rounding_may_make_of_them() -> None:
    table = np.linspace(-1, 1, 400).reshape(100, 4).astype(np.float32)
    directions = Directions(100, 5, seed=0)
    by_hand = np.array([(signs * table.astype(np.float64)).sum(axis=0) for signs in directions])
    assert np.abs(directions.of(table) - by_hand).max() <= directions.rounding(table).max()
    # The bound is that of Hoeffding: the rounding errors may all be equal.
    assert np.all(np.abs(Directions(100, 200, seed=1).of(np.ones((100, 1)))) <= improbable(np.ones((100, 1))))
    assert improbable(np.array([[0.5]])) == 0.5


def test_an_error_of_two_entries_is_missed_as_rarely_as_is_said() -> None:
    """Two that cancel exactly are the worst case: each direction misses them with a probability of 1/2."""
    error = np.zeros((50, 1))
    error[[7, 31], 0] = 1, -1
    tries, count = 400, 3
    missed = sum(not np.any(np.abs(Directions(50, count, seed).of(error)) >= 1) for seed in range(tries))
    share = 2.0**-count
    assert abs(missed - share * tries) < 4 * sqrt(tries * share * (1 - share))


# ---- verdicts ----


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("n", "d", "offset"), [(3, 5, 0.0), (40, 30, 0.0), (5000, 3, 100.0), (1200, 300, 0.0)])
@pytest.mark.parametrize("mode", [Mode.TRAIN, Mode.TEST])
def test_right_layers_are_not_accused(n: int, d: int, offset: float, dtype: str, mode: Mode) -> None:
    if dtype == "float16":
        offset /= 100
    for seed in range(3):
        batch = generate(n, d, seed, offset=offset, dtype=dtype)
        if mode is Mode.TEST:
            batch = warm_up(batch, 3, 0.9)
        report = check_gradients(batch, settings=LayerSettings(mode), check=PROJECTED)
        assert report.verdict is not Verdict.FAIL, report.findings
        assert dtype == "float16" or report.verdict is Verdict.PASS


@pytest.mark.parametrize("factor", [1.01, -1, 0, np.nan, np.inf])
@pytest.mark.parametrize(
    ("n", "d", "row", "column"), [(2000, 40, 1234, 17), (2000, 40, 0, 0), (2001, 1, 2000, 0), (9, 3, 4, 0)]
)
def test_a_single_wrong_entry_is_found_and_named(n: int, d: int, row: int, column: int, factor: float) -> None:
    batch = generate(n, d, seed=5)
    right = batchnorm.backward(batch.dout, batch.x, batch.gamma, 1e-5).dx[row, column]
    report = checked(batch, entry(row, column, factor))
    result = report.gradients[0]
    assert report.verdict is Verdict.FAIL
    assert result.verdict is Verdict.FAIL
    assert [w.index for w in result.wrong] == [(row, column)]
    assert result.more == 0
    assert result.worst.index == (row, column)
    assert abs(result.worst.numeric - right) <= result.worst.error_bar
    assert f"dx[{row}, {column}]" in report.findings[0].evidence
    assert [f.code for f in report.findings] == ["BN109" if np.isfinite(factor) else "BN003"]


def test_all_wrong_entries_are_named_up_to_a_dozen_and_the_rest_is_counted() -> None:
    def several(dx: Array) -> None:
        dx[[3, 700, 1400], 2] += 1
        dx[55, 7] += 2

    report = checked(generate(1500, 10), several)
    assert sorted(w.index for w in report.gradients[0].wrong) == [(3, 2), (55, 7), (700, 2), (1400, 2)]

    def many(dx: Array) -> None:
        dx[::50] += 1

    result = checked(generate(1500, 40), many).gradients[0]
    assert len(result.wrong) == 12
    assert result.more >= 28
    assert all(w.index[0] is not None and w.index[0] % 50 == 0 for w in result.wrong)


def test_a_mistake_of_the_formula_is_named_as_on_a_small_batch() -> None:
    def no_variance_path(call: Call, dout: Array) -> Array:
        inv = batchnorm.centre(call.x, call.settings.eps)[1]
        g = dout * call.gamma
        return np.asarray(inv * (g - g.mean(axis=0)))

    class Wrong(Reference):
        name = "wrong"

        def forward(self, call: Call, state: object = None) -> Any:
            made = super().forward(call)

            class Made:
                out, state, running = made.out, made.state, made.running

                def backward(self, dout: Array) -> Gradients:
                    return made.backward(dout)._replace(dx=no_variance_path(call, dout))

            return Made()

    report = check_gradients(generate(3000, 30), Wrong(), check=PROJECTED)
    assert [f.code for f in report.findings] == ["BN101"]
    assert "rows of" in report.findings[0].evidence


def test_a_layer_that_wants_all_columns_gets_them() -> None:
    wanted: set[int] = set()

    class Whole(Altered):
        def forward(self, call: Call, state: object = None) -> Pass:
            wanted.add(call.x.shape[1])
            return super().forward(call, state)

    layer = Whole(entry(300, 4, 2), {700}, packs=False)
    report = check_gradients(generate(700, 6), layer, check=PROJECTED)
    assert wanted == {6}
    assert [w.index for w in report.gradients[0].wrong] == [(300, 4)]


def test_columns_that_meet_are_checked_as_one() -> None:
    """Normalization over all entries: right in its own way, and then with one entry wrong."""

    class All(Reference):
        name = "all"
        wrong = 0.0

        def forward(self, call: Call, state: object = None) -> Any:
            flat = call.x.reshape(-1, 1)
            ones = np.ones(1, call.x.dtype)
            out = batchnorm.forward(flat, ones, 0 * ones, call.settings.eps).reshape(call.x.shape)
            wrong = self.wrong

            class Made:
                def __init__(self) -> None:
                    self.out, self.state = call.gamma * out + call.beta, None

                def running(self) -> None:
                    return None

                def backward(self, dout: Array) -> Gradients:
                    g = (dout * call.gamma).reshape(-1, 1)
                    dx = batchnorm.backward(g, flat, ones, call.settings.eps).dx.reshape(dout.shape)
                    dx[5, 2] += wrong
                    return Gradients(dx, (dout * out).sum(axis=0), dout.sum(axis=0))

            return Made()

    layer = All()
    assert check_gradients(generate(40, 6), layer, check=PROJECTED, entangled=True).verdict is Verdict.PASS
    layer.wrong = 0.5
    report = check_gradients(generate(40, 6), layer, check=PROJECTED, entangled=True)
    assert [w.index for w in report.gradients[0].wrong] == [(5, 2)]


def test_wrong_entries_are_named_in_the_layout_that_was_given() -> None:
    x = np.random.default_rng(0).normal(size=(6, 3, 10, 10))
    batch = assemble({"x": x}, channel_axis=1)
    row = 3 * 100 + 4 * 10 + 7
    report = checked(batch, entry(row, 2, 1.5))
    assert [w.index for w in report.gradients[0].wrong] == [(3, 2, 4, 7)]
    assert checked(batch, lambda dx: None).gradients[0].worst.index[1] is not None
    assert checked(batch, lambda dx: None).gradients[0].worst.index[::2] == (None, None)


# ---- what is said of it ----


def test_what_is_said_to_be_seen_is_seen() -> None:
    """An entry off by twice the size that is stated, in the column where most is allowed."""
    batch = generate(4000, 20)
    clean = checked(batch, lambda dx: None)
    assert clean.verdict is Verdict.PASS
    assert clean.coverage is not None
    assert clean.coverage.kind == "projected"
    assert clean.coverage.miss_probability <= 0.01
    size = clean.coverage.sure
    assert 0 < size < 1e-3
    inv = batchnorm.centre(batch.x, 1e-5)[1]
    for column in range(20):
        typical = 4 * float(inv[column] * abs(batch.gamma[column]) * np.sqrt(np.mean(batch.dout[:, column] ** 2)))

        def alter(dx: Array, column: int = column, off: float = size * typical) -> None:
            dx[77, column] += off

        assert checked(batch, alter).verdict is Verdict.FAIL


def test_power_is_that_of_the_projections() -> None:
    report = check_gradients(generate(3000, 8), check=PROJECTED)
    dx = report.gradients[0].power
    assert dx.known == 9
    assert dx.caught >= 8
    ones = generate(3000, 8)._replace(dout=np.ones((3000, 8)))
    blind = check_gradients(ones, check=PROJECTED)
    assert blind.gradients[0].verdict is Verdict.BLIND
    assert "dout is constant" in blind.gradients[0].reason
    bland = check_gradients(generate(3000, 3, scale=1000.0), check=PROJECTED)
    assert "BN106" in {b.code for b in bland.gradients[0].power.blind_to}


def test_auto_takes_every_entry_while_that_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from bncheck.checks import covering

    small = check_gradients(generate(64, 10))
    assert small.coverage is not None
    assert small.coverage.kind == "full"
    monkeypatch.setattr(covering, "_SECONDS", 0.0)
    large = check_gradients(generate(500, 4))
    assert large.coverage is not None
    assert large.coverage.kind == "projected"
    assert "forward pass takes" in large.coverage.why
    assert large.forward_passes < 200
    # With a few rows there is nothing to be gained.
    few = check_gradients(generate(12, 4))
    assert few.coverage is not None
    assert few.coverage.kind == "full"


def test_the_report_says_it_in_json() -> None:
    report = checked(generate(1500, 3), entry(700, 1, 3)).to_dict()
    assert report["settings"]["coverage"] == "projected"
    assert report["coverage"]["directions"] == 7
    assert report["gradients"]["dx"]["wrong"][0]["index"] == [700, 1]
    right = checked(generate(1500, 3), lambda dx: None).to_dict()
    assert right["gradients"]["dx"]["worst"]["index"][0] is None


def test_a_method_or_a_step_of_the_users_is_for_every_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    from bncheck.checks import covering

    monkeypatch.setattr(covering, "_SECONDS", 0.0)
    for check in (CheckSettings(method=Method.RICHARDSON), CheckSettings(step=1e-4)):
        report = check_gradients(generate(300, 3), check=check)
        assert report.coverage is not None
        assert report.coverage.kind == "full"
    with pytest.raises(BadInput, match="every entry"):
        CheckSettings(step=1e-4, coverage=Coverage.PROJECTED)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, np.nan])
def test_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(BadInput, match="confidence"):
        CheckSettings(confidence=confidence)


# ---- by others ----

LAYER = """
def batchnorm_forward(x, gamma, beta, bn_param):
    eps = bn_param.get("eps", 1e-5)
    mean, var = x.mean(axis=0), x.var(axis=0)
    inv = 1 / (var + eps) ** 0.5
    xhat = (x - mean) * inv
    return gamma * xhat + beta, (xhat, gamma, inv)


def batchnorm_backward(dout, cache):
    xhat, gamma, inv = cache
    g = dout * gamma
    dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""


def test_the_result_is_the_same_whoever_carries_the_blocks() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from bncheck.checks.numeric import Workers
    from bncheck.executors import Processes
    from bncheck.layers.travelling import Traveller

    batch = generate(20_000, 20)
    told: list[float] = []
    alone = check_gradients(batch, check=PROJECTED)
    with ThreadPoolExecutor(2) as threads:
        for executor in (Processes(2), threads):
            workers = Workers(executor, Traveller())
            shared = check_gradients(
                batch, check=PROJECTED, workers=workers, progress=lambda done, _: told.append(done)
            )
            assert (shared.gradients, shared.coverage) == (alone.gradients, alone.coverage)
            assert shared.forward_passes == pytest.approx(alone.forward_passes)
    assert told
    assert told[-1] == pytest.approx(alone.forward_passes)


def test_a_layer_of_a_file_is_checked_by_other_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bncheck.cli import run
    from bncheck.cli.exits import Exit

    (tmp_path / "layer.py").write_text(LAYER)
    command = ["grad", "--impl", str(tmp_path / "layer.py"), "--n", "20000", "--d", "12", "--coverage", "projected"]
    assert run([*command, "--jobs", "2", "--format", "json"]) is Exit.PASS
    shared = json.loads(capsys.readouterr().out)
    assert run([*command, "--format", "json"]) is Exit.PASS
    assert json.loads(capsys.readouterr().out)["gradients"] == shared["gradients"]
