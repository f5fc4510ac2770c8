"""The V-curve: that it is measured rightly, that it shows what it claims, and every form in which it is shown."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble, generate, warm_up
from bncheck.checks.slopes import slopes
from bncheck.checks.sweep import METHODS, STEPS, sweep
from bncheck.cli import run
from bncheck.curves import Absolute, Curve, Own, Panel, Point, SweepReport
from bncheck.errors import BadInput, LayerRaised
from bncheck.layers.protocol import Call, Pass, Traits
from bncheck.layers.reference import Reference
from bncheck.render import MAP_FORMATS, Look, renderer
from bncheck.report import BatchInfo
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Method, Mode
from tests.golden import golden

SLOPES = {"forward": 1, "central": 2, "five-point": 4, "richardson": 6, "complex": 2}
SHORT = generate(16, 5, seed=3)


@pytest.fixture(scope="module")
def report() -> SweepReport:
    return sweep(generate())


def panel(report: SweepReport, quantity: str, dtype: str) -> Panel:
    return next(p for p in report.panels if (p.quantity, p.dtype) == (quantity, dtype))


def curve(report: SweepReport, method: str, quantity: str = "dx", dtype: str = "float64") -> Curve:
    return next(c for c in panel(report, quantity, dtype).curves if c.method == method)


def at(found: Curve, step: float) -> float:
    return found.errors[int(np.argmin(np.abs(np.log(np.array(STEPS) / step))))]


# ---- what is measured ----


def test_everything_is_shown(report: SweepReport) -> None:
    shown = [(p.dtype, p.quantity) for p in report.panels]
    assert shown == [(d, q) for d in ("float32", "float64") for q in ("dx", "dgamma", "dbeta")]
    assert all([c.method for c in p.curves] == [m.value for m in METHODS] for p in report.panels)
    assert (report.rows, report.columns, report.notes) == (64, 10, ())
    assert (STEPS[0], STEPS[-1]) == (1e-16, 1.0)
    assert np.diff(np.log10(STEPS)) == pytest.approx(0.25)


@pytest.mark.parametrize("method", SLOPES)
def test_truncation_goes_like_the_power_of_h_on_paper(report: SweepReport, method: str) -> None:
    found = curve(report, method)
    assert found.truncation_slope == pytest.approx(SLOPES[method], abs=0.1)
    assert found.order == SLOPES[method]


@pytest.mark.parametrize("method", [m for m in SLOPES if m != "complex"])
@pytest.mark.parametrize("quantity", ["dx", "dgamma", "dbeta"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_goes_like_one_over_h(report: SweepReport, method: str, quantity: str, dtype: str) -> None:
    found = curve(report, method, quantity, dtype)
    assert found.rounding_slope == pytest.approx(-1, abs=0.1)
    # The line on paper is of the right size: a hundredfold off would be another law.
    h = 1e-12 if dtype == "float64" else 1e-4
    assert 1 / 30 < at(found, h) / (panel(report, quantity, dtype).rounding / h) < 30


def test_the_complex_step_has_no_left_arm(report: SweepReport) -> None:
    for p in report.panels:
        errors = curve(report, "complex", p.quantity, p.dtype).errors
        assert max(errors[:20]) < 20 * np.finfo(p.dtype).eps


def test_out_is_linear_in_the_parameters(report: SweepReport) -> None:
    for p in report.panels:
        assert p.linear == (p.quantity != "dx")
        if p.linear:
            assert all(c.truncation_slope is None for c in p.curves)
            assert all(at(c, 1.0) < 10 * np.finfo(p.dtype).eps for c in p.curves)


def test_in_test_mode_out_is_linear_in_x_too() -> None:
    tested = sweep(warm_up(SHORT, 20, 0.9), settings=LayerSettings(Mode.TEST), dtypes=["float64"])
    assert all(p.linear for p in tested.panels)
    assert at(curve(tested, "forward"), 1.0) < 1e-14


def truth(x: Array, batch: Batch) -> Array:
    """dx by a complex step of the forward pass in extended precision: no closed form, and none of our differences."""
    wide, found = x.astype(np.clongdouble), np.empty(x.shape, np.longdouble)
    for index in np.ndindex(x.shape):
        moved = wide.copy()
        moved[index] += 1e-40j
        out = batchnorm.forward(moved, batch.gamma.astype(np.longdouble), batch.beta.astype(np.longdouble), 1e-5)
        found[index] = (batch.dout * out.imag).sum() / np.longdouble(1e-40)
    return found


def test_the_errors_are_those_of_a_loop_over_the_entries() -> None:
    """Entry by entry, each with a forward pass of its own, at a step where truncation rules."""
    found = sweep(SHORT, methods=[Method.CENTRAL], quantities=["dx"], dtypes=["float64"])
    h, x, right = 1e-2, SHORT.x, truth(SHORT.x, SHORT)
    inv = 1 / np.sqrt(x.var(axis=0) + 1e-5)
    xhat, g = (x - x.mean(axis=0)) * inv, SHORT.dout * SHORT.gamma
    natural = inv * (np.abs(g) + np.abs(g).mean(axis=0) + np.abs(xhat) * np.abs(g * xhat).mean(axis=0))
    worst = 0.0
    for index in np.ndindex(x.shape):
        step = h / inv[index[1]]
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        ends = (batchnorm.forward(each, SHORT.gamma, SHORT.beta, 1e-5) for each in (up, down))
        high, low = ((SHORT.dout * out).sum() for out in ends)
        worst = max(worst, float(abs((high - low) / (2 * step) - right[index]) / natural[index]))
    assert at(curve(found, "central"), h) == pytest.approx(worst, rel=1e-4)


# ---- what bncheck chooses ----


@pytest.mark.parametrize("seed", range(3))
def test_the_step_chosen_is_about_the_best_and_its_bar_holds(report: SweepReport, seed: int) -> None:
    for each in (report, sweep(generate(12, 6, seed))):
        for p in each.panels:
            u = float(np.finfo(p.dtype).eps)
            for c in p.curves:
                assert c.own.error <= c.own.error_bar, (p.quantity, p.dtype, c.method)
                # The order of the truncation alone decides, not its constant, which tells at the sixth order.
                factor = 40 if c.method == "richardson" else 8
                assert c.own.error <= factor * max(c.best.error, u), (p.quantity, p.dtype, c.method)


def test_the_step_chosen_lies_where_the_arms_meet(report: SweepReport) -> None:
    for method in ("forward", "central", "five-point"):
        for dtype in ("float32", "float64"):
            found = curve(report, method, "dx", dtype)
            assert 1 / 10 < found.own.step / found.best.step < 10


# ---- the habit ----


def test_an_absolute_step_fails_in_a_column_that_is_narrower_than_it() -> None:
    x = generate(32, 2, seed=5).x * np.array([1e-6, 1.0])
    tried = sweep(assemble({"x": x}), settings=LayerSettings(eps=0.0), methods=[Method.CENTRAL], dtypes=["float64"])
    narrow, wide = tried.absolute
    assert (narrow.place, narrow.column, wide.place, wide.column) == ("narrowest", 0, "widest", 1)
    assert narrow.spread == pytest.approx(x[:, 0].std())
    assert narrow.relative == pytest.approx(1e-5 / x[:, 0].std())
    assert narrow.error > 0.1
    assert narrow.own.error < 1e-9
    # In the column it was made for there is nothing wrong with it.
    assert wide.error < 1e-8


def test_an_absolute_step_that_moves_nothing_gives_no_number() -> None:
    tried = sweep(generate(8, 3, offset=1e4), methods=[Method.CENTRAL], dtypes=["float32"])
    assert all(a.error == np.inf for a in tried.absolute)
    assert all(a.own.error < 0.1 for a in tried.absolute)
    assert "moves nothing there" in str(renderer("table", Look())(tried, Look()))


def test_one_column_is_both_the_narrowest_and_the_widest() -> None:
    tried = sweep(generate(8, 1), methods=[Method.CENTRAL], dtypes=["float64"])
    assert [a.place for a in tried.absolute] == ["narrowest"]


def test_the_habit_concerns_dx_alone() -> None:
    assert sweep(SHORT, methods=[Method.CENTRAL], quantities=["dbeta"], dtypes=["float64"]).absolute == ()


# ---- large batches ----


def test_a_large_batch_is_measured_in_part() -> None:
    batch = generate(600, 40, seed=2)
    part = sweep(batch, methods=[Method.CENTRAL], quantities=["dx"], dtypes=["float64"])
    assert (part.rows, part.columns) == (8, 13)
    spread = np.sqrt(batch.x.var(axis=0) + 1e-5)
    assert [a.column for a in part.absolute] == [int(np.argmin(spread)), int(np.argmax(spread))]
    found = curve(part, "central")
    assert found.truncation_slope == pytest.approx(2, abs=0.05)
    assert found.own.error <= found.own.error_bar
    assert found.own.error <= 8 * found.best.error
    text = str(renderer("table", Look())(part, Look()))
    assert "Measured in 8 of 600 rows and 13 of 40 columns" in text


def test_the_same_batch_gives_the_same_curves() -> None:
    first, second = (sweep(SHORT, dtypes=["float32"]) for _ in range(2))
    assert replace(first, seconds=0.0).to_dict() == replace(second, seconds=0.0).to_dict()


# ---- other layers ----


class OtherEps:
    """Right but for its eps, so that its gradient is not the closed form's."""

    name, traits = "other eps", Traits()

    def forward(self, call: Call, state: object = None) -> Pass:
        return Reference().forward(call._replace(settings=replace(call.settings, eps=1e-3)))


class Refusing:
    """As layers behind C code do."""

    name, traits = "refusing", Traits(packs=False)

    def forward(self, call: Call, state: object = None) -> Pass:
        assert call.x.shape[1] == SHORT.d, "it takes its own number of columns and no other"
        if np.iscomplexobj(call.x):
            raise LayerRaised("refusing: TypeError: real numbers only")
        return Reference().forward(call)


def test_a_forward_that_is_not_the_definition_is_said_to_be_none() -> None:
    tried = sweep(SHORT, OtherEps(), methods=[Method.CENTRAL], dtypes=["float64"])
    assert len(tried.notes) == 1
    assert "is not the definition" in tried.notes[0]
    assert curve(tried, "central").best.error > 1e-4


def test_a_layer_that_refuses_complex_numbers_is_swept_without() -> None:
    tried = sweep(SHORT, Refusing(), dtypes=["float64"])
    assert [c.method for c in panel(tried, "dx", "float64").curves] == [m.value for m in METHODS[:-1]]
    assert tried.notes == ("There is no complex step, for refusing refuses complex numbers: "
                           "refusing: TypeError: real numbers only.",)  # fmt: skip
    with pytest.raises(LayerRaised, match="real numbers only"):
        sweep(SHORT, Refusing(), methods=[Method.COMPLEX])


def test_numbers_that_a_dtype_cannot_hold_are_refused() -> None:
    with pytest.raises(BadInput, match="not finite in float32"):
        sweep(generate(scale=1e30))


# ---- slopes ----


def test_slopes_are_found_where_there_are_lines() -> None:
    h = 10.0 ** np.arange(-16, 0.25, 0.25)
    for power in (1, 2, 4):
        right, left = slopes(list(h), list(1e-2 * h**power + 1e-16 / h), 1e-16)
        assert right == pytest.approx(power, abs=0.05)
        assert left == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize(
    "errors",
    [
        np.full(65, 1e-16),  # flat
        10.0 ** -(np.arange(65) * 7 % 13 + 2.0),  # scattered
        np.where(np.arange(65) < 63, np.inf, 1e-3),  # no numbers
        np.zeros(65),
    ],
)
def test_no_slope_is_made_up(errors: Array) -> None:
    assert slopes(STEPS, list(errors), 1e-16) == (None, None)


# ---- every form ----


def short(x: float) -> float:
    return float(f"{x:.3g}")


def made() -> SweepReport:
    """With numbers that are the same everywhere."""
    steps = tuple(float(f"1e{k}") for k in range(-8, 1))

    def curves(orders: dict[str, int], u: float, linear: bool) -> tuple[Curve, ...]:
        found = []
        for method, order in orders.items():
            left = [0.1 * u if method == "complex" else u / h for h in steps]
            errors = [short(e + (u if linear else 0.1 * h**order)) for h, e in zip(steps, left, strict=True)]
            errors[0] = float("inf") if method == "forward" else errors[0]
            best = min(zip(errors, steps, strict=True))
            own = Own(short(2 * best[1]), short(9 * best[0]), short(best[0]))
            sloped = None if linear else order + 0.01, None if method == "complex" else -0.99
            found.append(Curve(method, order, tuple(errors), Point(best[1], best[0]), *sloped, own))
        return tuple(found)

    return SweepReport(
        mode="train",
        implementation="reference",
        batch=BatchInfo(64, 10, "float64", "generated", 0),
        settings={"eps": 1e-5, "momentum": 0.9, "methods": list(METHODS)},
        steps=steps,
        panels=(
            Panel("dx", "float64", False, 1e-9, curves(SLOPES, 1e-9, False)),
            Panel("dgamma", "float64", True, 1e-9, curves({"forward": 1, "complex": 2}, 1e-9, True)),
        ),
        absolute=(
            Absolute("float64", "central", 1e-5, "narrowest", 3, 1e-6, 10.0, 0.5, Point(1e-4, 2e-9)),
            Absolute("float64", "central", 1e-5, "widest", 1, 2.0, 5e-6, float("inf"), Point(1e-4, 2e-9)),
        ),
        rows=8,
        columns=10,
        notes=("One more thing.",),
        forward_passes=1234.0,
        seconds=0.5,
        version="0",
    )


@pytest.mark.parametrize("form", [form for form in MAP_FORMATS if form != "html"])  # whose picture is Matplotlib's
def test_formats_are_as_they_were_looked_at(form: str) -> None:
    suffix = {"table": "txt", "markdown": "md"}.get(form, form)
    golden(f"sweep.{suffix}", str(renderer(form, Look())(made(), Look())))


def test_the_terminal_is_as_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    look = Look(terminal=True, width=80)
    golden("sweep.ansi", str(renderer("table", look)(made(), look)))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_of_a_chart_is_wider_than_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    look = Look(terminal=True, width=width)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(renderer("table", look)(made(), look))).splitlines()
    assert max(map(len, lines)) <= width


def test_each_curve_has_a_letter_of_its_own_in_plain_characters(report: SweepReport) -> None:
    text = str(renderer("table", Look())(report, Look()))
    assert text.isascii()
    drawing = [line.partition("|")[2] for line in text.splitlines() if line[8:9] == "|"]
    assert {letter for line in drawing for letter in line} == set("fcvri*. ")
    legend = next(line for line in text.splitlines() if "f forward" in line)
    assert "c central  v five-point  r richardson  i complex" in legend


def test_json_has_no_number_that_is_none(report: SweepReport) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    loaded = json.loads(str(renderer("json", Look())(report, Look())), parse_constant=refuse)
    forward = next(c for c in loaded["panels"][0]["curves"] if c["method"] == "forward")
    assert forward["errors"][0] is None
    assert len(loaded["steps"]) == len(forward["errors"]) == 65
    assert set(loaded["absolute"][0]) == set(Absolute._fields)


def test_csv_has_every_point(report: SweepReport) -> None:
    rows = list(csv.DictReader(io.StringIO(str(renderer("csv", Look())(report, Look())))))
    kinds = [row["what"] for row in rows]
    assert (kinds.count("swept"), kinds.count("chosen"), kinds.count("absolute 1e-05")) == (30 * 65, 30, 4)
    own = curve(report, "central").own
    row = next(r for r in rows if (r["gradient"], r["dtype"], r["method"], r["what"])
               == ("dx", "float64", "central", "chosen"))  # fmt: skip
    assert (float(row["step"]), float(row["error"]), float(row["error_bar"])) == (own.step, own.error, own.error_bar)


# ---- the command ----


def shown(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["sweep", *arguments])
    told = capfd.readouterr()
    return code, told.out, told.err


def test_the_command_shows_what_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    asked = ("--n", "8", "--d", "2", "--format", "json")
    code, out, err = shown(
        capfd, *asked, "--method", "complex", "--method", "forward", "--quantity", "dbeta", "--dtype", "float32"
    )
    assert (code, err) == (0, "")
    panels: list[Any] = json.loads(out)["panels"]
    assert [(p["quantity"], p["dtype"], [c["method"] for c in p["curves"]]) for p in panels] == [
        ("dbeta", "float32", ["complex", "forward"])
    ]


def test_a_batch_from_a_file_is_swept(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", SHORT.x.astype(np.float32))
    code, out, _ = shown(capfd, str(tmp_path / "x.npy"), "--quantity", "dx", "-o", str(tmp_path / "curve.csv"))
    assert (code, out) == (0, "")
    assert (tmp_path / "curve.csv").read_text().startswith("gradient,dtype,method,what,step,error,error_bar,column\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dtype", "float16"), "float32 and in float64"),
        (("--method", "backward"), "backward"),
        (("--quantity", "dout"), "dout"),
        (("--format", "junit"), "junit"),
        (("nowhere.npy",), "nowhere.npy"),
        (("--scale", "1e30"), "not finite in float32"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(
    capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = shown(capfd, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_sweep_takes_no_longer_than_a_person_waits() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bncheck", "sweep", "--format", "json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["seconds"] < 10  # less than 1 s on a machine with nothing else to do
