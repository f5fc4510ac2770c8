"""The map of where a layer breaks: right layers are accused nowhere, each mistake where it is, a run can be stopped."""

from __future__ import annotations

import csv
import functools
import io
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bncheck
from bncheck.batch import generate
from bncheck.batchnorm import Gradients
from bncheck.checks.breaks import breaks
from bncheck.checks.cells import Unheld, build
from bncheck.checks.gradients import check_gradients
from bncheck.checks.numeric import Workers
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput, LayerRaised
from bncheck.executors import Dask, Engine, Processes
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.textbook import RIGHT
from bncheck.grid import DOUTS, DTYPES, GAMMAS, Cell, CellResult, Grid, State, StressReport
from bncheck.layers.travelling import Traveller
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Coverage, Mode, Verdict
from tests.benchmarks.right import PAIRS
from tests.test_cli import on_a_terminal, one_line, shell, strictly
from tests.wrong import WrongLayer, with_other_eps

SMALL = Grid(n=(2, 16), d=(3,), offset=(0.0, 1e4), scale=(1e-3, 1.0))
TINY = Grid(dtype=("float32",), n=(2, 16), d=(3,), offset=(0.0, 1e4), scale=(1.0,), gamma=("normal",))

LAYER = """
import numpy as np

def batchnorm_forward(x, gamma, beta, bn_param):
    {first}
    mean = x.mean(axis=0)
    centred = x - mean
    var = {var}
    inv = 1 / np.sqrt(var + bn_param.get("eps", 1e-5))
    xhat = centred * inv
    return gamma * xhat + beta, (xhat, gamma, inv)

def batchnorm_backward(dout, cache):
    xhat, gamma, inv = cache
    g = dout * gamma
    dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    return dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""
TWO_PASSES, CANCELLING = "(centred**2).mean(axis=0)", "(x**2).mean(axis=0) - mean**2"


def written(folder: Path, var: str = TWO_PASSES, first: str = "pass") -> str:
    file = folder / "layers.py"
    file.write_text(LAYER.format(var=var, first=first))
    return str(file)


def states(report: StressReport) -> dict[State, int]:
    return {state: count for state, count in report.counts.items() if count}


# ---- the grid ----


def test_a_cell_is_what_it_says() -> None:
    for cell in Grid(dtype=("float64",), n=(1, 2, 16), scale=(0, 1e-3, 1e3), dout=DOUTS, gamma=GAMMAS).cells():
        batch = build(cell, LayerSettings(), 0)
        assert batch.x.shape == batch.dout.shape == (cell.n, cell.d)
        room = 1e-9 * max(abs(cell.offset), cell.scale)
        assert np.allclose(batch.x.mean(axis=0), cell.offset, rtol=0, atol=room)
        assert np.allclose(batch.x.std(axis=0), cell.scale if cell.n > 1 else 0, rtol=1e-9, atol=room)
        assert (cell.gamma == "ones") == bool(np.all(batch.gamma == 1))
        assert (cell.gamma in ("zero",)) == bool(batch.gamma[-1] == 0)
        assert (cell.dout == "entry") <= (np.count_nonzero(batch.dout) == 1)


def test_the_same_numbers_stand_in_cells_that_differ_in_scale() -> None:
    one, other = (build(Cell("float64", s, 0.0, 16, 3, "normal", "normal"), LayerSettings(), 4) for s in (1.0, 4.0))
    assert np.array_equal(one.x * 4, other.x)
    assert np.array_equal(one.dout, other.dout)
    assert not np.array_equal(one.x, build(Cell("float64", 1.0, 0.0, 16, 3, "normal", "normal"), LayerSettings(), 5).x)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (Cell("float16", 1.0, 1e6, 4, 1, "normal", "normal"), "float16 ends before 1e+06"),
        (Cell("float16", 1.0, 1e4, 4, 1, "normal", "normal"), "neighbours in float16 are 8 apart at 10000"),
        (Cell("float32", 1e30, 0.0, 4, 1, "normal", "normal"), "not finite in float32"),
    ],
)
def test_what_a_dtype_cannot_hold_is_nobodys_fault(cell: Cell, said: str) -> None:
    with pytest.raises(Unheld) as caught:
        build(cell, LayerSettings(), 0)
    assert said in str(caught.value)
    axes: dict[str, Any] = {name: (value,) for name, value in cell._asdict().items()}
    grid = Grid(**axes)
    report = bncheck.stress(RIGHT.pair(), grid)
    assert states(report) == {State.BEYOND: 1}
    assert (report.verdict, report.raised) == (Verdict.BLIND, False)


@pytest.mark.parametrize(
    ("axis", "values", "said"),
    [
        ("n", (0,), "N is 0"),
        ("scale", (-1.0,), "scale is -1"),
        ("offset", (float("nan"),), "offset is nan"),
        ("dtype", ("float8",), "dtype is 'float8'"),
        ("d", (), "d has no values"),
    ],
)
def test_a_grid_that_cannot_be_is_bad_input(axis: str, values: tuple[Any, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Grid(**{axis: values})


def test_a_result_survives_json() -> None:
    report = bncheck.stress(None, TINY)
    for result in report.cells:
        assert CellResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert len(report.cells) == len(TINY) == len(list(TINY.cells()))


# ---- right layers ----


@pytest.mark.parametrize(
    ("name", "mode"),
    [*((name, Mode.TRAIN) for name in ("reference", "textbook", *PAIRS)), *(
        (name, Mode.TEST) for name in ("reference", "textbook"))],
)  # fmt: skip
def test_a_right_layer_is_accused_nowhere(name: str, mode: Mode) -> None:
    layer: Any = {"reference": None, "textbook": RIGHT.pair(), **PAIRS}[name]
    in_half = name in ("reference", "textbook", "float32-accumulating")
    dtypes = DTYPES if in_half else DTYPES[:2]
    axes: dict[str, Any] = {"scale": (0, 1e-6, 1e3), "offset": (0.0, 1e4), "n": (1, 3, 64), "d": (5,)}
    grid = Grid(dtype=dtypes, **axes, dout=("normal",), gamma=("normal", "zero"))
    report = bncheck.stress(layer, grid, LayerSettings(mode))
    assert report.counts[State.FAIL] == report.counts[State.RAISED] == 0, report.breaks
    assert (report.verdict, report.raised, report.breaks, report.findings) == (Verdict.PASS, False, (), ())
    assert report.counts[State.PASS] > len(grid) / 4


# ---- wrong layers ----


@pytest.mark.parametrize("code", ["BN101", "BN102", "BN103", "BN104", "BN105", "BN107", "BN202", "BN203"])
def test_a_mistake_in_every_cell_is_told_once(code: str) -> None:
    report = bncheck.stress(CATALOGUE[code].layer(), SMALL)
    assert report.verdict is Verdict.FAIL
    assert [(each.code, each.where) for each in report.breaks] == [(code, "")]
    assert report.breaks[0].cells == report.counts[State.FAIL] > 25
    # Where it does not show, the power of the check has said so.
    for result in report.cells:
        if result.state is State.PASS:
            assert code in result.unseen


@pytest.mark.parametrize("code", ["BN301", "BN302", "BN303", "BN305", "BN307"])
def test_a_forward_that_is_another_is_told_once_and_is_no_map(code: str) -> None:
    report = bncheck.stress(CATALOGUE[code].layer(), SMALL)
    assert [finding.code for finding in report.findings] == [code]
    assert report.verdict is Verdict.FAIL
    assert {each.code for each in report.breaks} <= {code}


def test_cancellation_breaks_where_the_mean_is_large(tmp_path: Path) -> None:
    grid = Grid(scale=(1.0,), offset=(0.0, 1.0, 1e4, 1e5), n=(16,), d=(8,))
    report = bncheck.stress(written(tmp_path, CANCELLING), grid)
    by = {each.code: each for each in report.breaks}
    assert set(by) == {"BN501"}
    assert by["BN501"].where == "in float64 and float32 where |mean|/std >= 10000"
    for result in report.cells:
        if result.cell.offset <= 1:
            assert result.state in (State.PASS, State.BLIND), result
        elif result.cell.dtype == "float32":
            assert result.codes == ("BN501",), result
    assert report.counts[State.BEYOND] > 0


def test_half_precision_breaks_where_squares_overflow(tmp_path: Path) -> None:
    grid = Grid(scale=(1.0, 1e3), offset=(0.0,), n=(16,), d=(3,), dout=("normal",))
    report = bncheck.stress(written(tmp_path), grid)
    assert [(each.code, each.where) for each in report.breaks] == [("BN502", "in float16 where std >= 1000")]


def test_another_eps_shows_where_it_weighs() -> None:
    layer = WrongLayer("eps left out", with_other_eps)
    grid = Grid(dtype=("float64", "float32"), offset=(0.0,), scale=(1e-3, 1e3), n=(16,), dout=("normal",))
    report = bncheck.stress(layer, grid)
    assert [each.code for each in report.breaks] == ["BN106"]
    shown = {result.cell.scale for result in report.cells if result.codes}
    assert 1e-3 in shown
    for result in report.cells:
        assert result.codes == ("BN106",) or "BN106" in result.unseen


def test_a_mistake_in_one_dtype_is_told_of_that() -> None:
    def mistake(call: Any, dout: Any, right: Gradients) -> Gradients:
        wrong = call.x.dtype == np.float32 and len(call.x) > 2
        return right._replace(dx=-right.dx) if wrong else right

    report = bncheck.stress(WrongLayer("sign in float32", mistake), replace(SMALL, dout=("normal",)))
    assert [(each.code, each.where) for each in report.breaks] == [("BN107", "in float32 where N >= 16")]
    assert report.breaks[0].cells == report.counts[State.FAIL]


def test_a_layer_that_raises_somewhere_is_mapped(tmp_path: Path) -> None:
    layer = written(tmp_path, first='assert len(x) > 2 or x.dtype != "float32", "too few rows"')
    report = bncheck.stress(layer, SMALL)
    assert [(each.code, each.where) for each in report.breaks] == [("BN001", "in float32 where N <= 2")]
    assert (report.verdict, report.raised) == (Verdict.PASS, True)
    assert "too few rows" in report.breaks[0].said
    assert "layers.py:5" in report.breaks[0].said


def test_a_layer_that_always_raises_is_told_once(tmp_path: Path) -> None:
    report = bncheck.stress(CATALOGUE["BN001"].layer(), TINY)
    assert set(states(report)) == {State.RAISED}
    assert [(each.code, each.where) for each in report.breaks] == [("BN001", "")]
    assert report.raised


# ---- in words ----


def results_where(grid: Grid, wrong: Any, code: str = "BN101") -> list[CellResult]:
    return [
        CellResult(cell, State.FAIL, (code,)) if wrong(cell) else CellResult(cell, State.PASS) for cell in grid.cells()
    ]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (lambda c: c.n == 2, "where N <= 2"),
        (lambda c: c.d > 1 and c.n > 2, "where D >= 8 and N >= 16"),
        (lambda c: c.dout == "entry", "where dout is entry"),
        (lambda c: c.dtype != "float64", "in float32 and float16"),
        (lambda c: c.dtype == "float16" and c.scale >= 1e3, "in float16 where std >= 1000"),
        (lambda c: c.ratio >= 1e4, "where |mean|/std >= 10000"),
        (lambda c: c.ratio >= {"float64": 1e9, "float32": 1e4, "float16": 10}[c.dtype],
         "in float64 where |mean|/std >= 1e+09; in float32 where |mean|/std >= 10000; "
         "in float16 where |mean|/std >= 10"),
        (lambda c: c.ratio >= 1e5 or (c.ratio >= 1e3 and c.n == 256 and c.gamma == "ones"),
         "where |mean|/std >= 100000, and in 24 of the 144 other cells where |mean|/std >= 1000"),
        (lambda c: True, ""),
    ],
)  # fmt: skip
def test_the_part_of_the_grid_is_told_in_few_words(wrong: Any, where: str) -> None:
    (found,) = breaks(Grid(), results_where(Grid(), wrong))
    assert found.where == where
    assert found.cells == sum(map(wrong, Grid().cells()))


def test_cells_that_could_not_have_shown_it_say_nothing_against_it() -> None:
    made = results_where(Grid(), lambda cell: cell.n > 2)
    blind = [r if r.codes else r._replace(unseen=("BN101",)) for r in made]
    assert breaks(Grid(), blind)[0].where == ""
    beyond = [r if r.codes else r._replace(state=State.BEYOND) for r in made]
    assert breaks(Grid(), beyond)[0].where == ""


# ---- elsewhere ----


def test_the_result_is_the_same_whoever_does_the_work(tmp_path: Path) -> None:
    layer = written(tmp_path, CANCELLING)
    one, three = (bncheck.stress(layer, SMALL, seed=3, executor=each) for each in (None, Processes(3)))
    assert json.dumps(one.to_dict()) == json.dumps(three.to_dict())
    assert one.counts[State.FAIL]


def killing(folder: Path) -> str:
    """A layer that ends its process in a corner of the grid."""
    first = 'x.shape == (2, 3) and x.dtype == "float32" and x[0, 0] > 100 and __import__("os")._exit(3)'
    return written(folder, first=first)


def test_a_layer_that_ends_its_process_is_mapped(tmp_path: Path) -> None:
    report = bncheck.stress(killing(tmp_path), TINY, executor=Processes(2))
    killed = {result.cell for result in report.cells if result.state is State.KILLED}
    assert killed == {cell for cell in TINY.cells() if cell.n == 2 and cell.offset}
    assert (report.verdict, report.raised) == (Verdict.PASS, True)
    assert [(each.code, each.cells) for each in report.breaks] == [("BN001", len(killed))]


def test_a_layer_that_always_ends_its_process_is_told(tmp_path: Path) -> None:
    layer = written(tmp_path, first='__import__("os")._exit(0)')
    with pytest.raises(LayerRaised, match="the layer ended the process"):
        bncheck.stress(layer, TINY, executor=Processes(2))


def killing_one_worker(engine: Engine, pids: list[int], layer: str, grid: Grid) -> tuple[StressReport, Counter[Cell]]:
    """A run in which a worker is killed from outside after some cells; and how often each cell was told."""
    told: Counter[Cell] = Counter()

    def tell(what: Any) -> None:
        if isinstance(what, CellResult):
            told[what.cell] += 1
            if told.total() == 6:
                os.kill(pids[0], signal.SIGKILL)

    return bncheck.stress(layer, grid, executor=engine, tell=tell), told


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_loses_a_worker_loses_nothing(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    layer, grid = written(tmp_path, CANCELLING), Grid(dtype=("float32",), n=(2, 16), offset=(0.0, 1e4))
    with distributed.LocalCluster(n_workers=2, processes=True, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
            pids = list(client.run(os.getpid).values())
        assert len(set(pids) - {os.getpid()}) == 2
        report, told = killing_one_worker(Dask(cluster.scheduler_address), pids, layer, grid)
        with distributed.Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=20)
            assert pids[0] not in client.run(os.getpid).values(), "it was to be killed"
        # A large check has its blocks carried by the same means; another machine's sums may end in other bits.
        large, along = generate(20_000, 30), CheckSettings(coverage=Coverage.PROJECTED, probes=False)
        workers = Workers(Dask(cluster.scheduler_address), Traveller())
        shared, alone = check_gradients(large, check=along, workers=workers), check_gradients(large, check=along)
        assert shared.verdict is alone.verdict is Verdict.PASS
        assert shared.forward_passes == pytest.approx(alone.forward_passes)
        for one, other in zip(shared.gradients, alone.gradients, strict=True):
            assert one.error_bar == pytest.approx(other.error_bar, rel=0.1)
            assert one.power.caught == other.power.caught
    assert told == Counter(grid.cells())
    assert report.to_dict() == bncheck.stress(layer, grid).to_dict()


# ---- the command ----

NARROW = ["--dtype", "float32", "--n", "2,16", "--d", "3", "--offset", "0,1e4", "--scale", "1", "--gamma", "normal"]


def test_the_command_is_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer = written(tmp_path, CANCELLING)
    assert run(["stress", layer, *NARROW, "--format", "json", "--seed", "3"]) is Exit.FAIL
    shown = capsys.readouterr()
    assert strictly(shown.out) == strictly(json.dumps(bncheck.stress(layer, TINY, seed=3).to_dict()))
    said = "layers.py:batchnorm_forward: 8 cells (1 dtype x 1 scale x 2 offset x 2 n x 1 d x 2 dout x 1 gamma)"
    assert said in one_line(shown.err)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--n", "16"], Exit.PASS),
        (["--n", "1,16"], Exit.PASS),
        (["--n", "1"], Exit.BLIND),
        (["--n", "16", "--dout", "ones"], Exit.BLIND),
        (["--n", "16", "--mode", "test"], Exit.PASS),
        (["--n", "16", "--eps", "0.1", "-q"], Exit.PASS),
    ],
)
def test_exit_codes_of_the_reference(arguments: list[str], code: Exit) -> None:
    assert run(["stress", "--dtype", "float32", "--d", "3", "--offset", "0", *arguments]) is code


def test_exit_codes_of_wrong_layers(tmp_path: Path) -> None:
    assert run(["stress", written(tmp_path, first="assert len(x) > 2"), *NARROW, "-q"]) is Exit.RAISED
    assert run(["stress", killing(tmp_path), *NARROW, "--jobs", "2", "-q"]) is Exit.RAISED
    assert run(["stress", written(tmp_path, CANCELLING), *NARROW, "-q"]) is Exit.FAIL


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--n", "2,x"], "'x' is not a valid integer"),
        (["--n", "0"], "0 is not in the range"),
        (["--n", ""], "not a valid integer"),
        (["--dtype", "float8"], "'float8' is not one of"),
        (["--scale", "-1"], "scale is -1"),
        (["--offset", "inf"], "offset is inf"),
        (["--eps", "-1"], "eps is -1"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--jobs", "2", "--dask", "tcp://localhost:1"], "leave one of them out"),
        (["--format", "junit"], "'junit' is not one of"),
        (["nowhere.py"], "nowhere.py: no such file"),
        (["nowhere.py", "--jobs", "2"], "nowhere.py: no such file"),
        (["nowhere.py", "--resume", "cells.jsonl"], "nowhere.py: no such file"),
        (["tests/layers/course_01.py"], "holds several layers"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stress", *arguments]) is Exit.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in one_line(shown.err)
    assert not Path("cells.jsonl").exists()


def test_lists_can_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stress", *NARROW, "--n", "16,3", "--n", "5", "--format", "csv", "-q", "-o", "/dev/null"]) is Exit.PASS
    assert run(["stress", *NARROW[:2], "--n", "16,3", "--n", "3", "--d", "2", "--format", "csv"]) is Exit.PASS
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["n"] for row in rows} == {"16", "3"}
    assert len(rows) == 3 * 4 * 2 * 2 * 2


def test_csv_has_a_row_for_each_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer = written(tmp_path, CANCELLING)
    run(["stress", layer, *NARROW, "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    report = bncheck.stress(layer, TINY)
    assert [row["state"] for row in rows] == [result.state.value for result in report.cells]
    assert [tuple(row["codes"].split()) for row in rows] == [result.codes for result in report.cells]
    assert [float(row["offset"]) for row in rows] == [result.cell.offset for result in report.cells]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_map_reads_well_in_a_pipe(tmp_path: Path, jobs: str) -> None:
    written(tmp_path, CANCELLING, first='print("hello from the layer")')
    done = shell(f"bncheck stress layers.py {' '.join(NARROW)} --jobs {jobs} | cat", tmp_path)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "hello from the layer" not in done.stdout
    assert "hello from the layer" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[2].split() == ["dtype", "scale", "offset", "2x3", "16x3"]
    assert lines[5].split() == ["10000", "FF", "FF"]
    assert max(len(line) for line in lines[2:7]) <= 80
    assert "breaks where |mean|/std >= 10000: BN501 cancellation" in done.stdout
    assert lines[-1] == "fail: of 8 cells 4 pass and 4 show something wrong" or "blind" in done.stdout


@pytest.mark.parametrize("plain", ["", "1"])
def test_the_map_reads_well_on_a_terminal(tmp_path: Path, plain: str) -> None:
    layer = written(tmp_path, CANCELLING)
    arguments = ["stress", layer, "--d", "3", "--n", "2,3,5,6", "--dtype", "float32", "--gamma", "normal"]
    code, shown = on_a_terminal(arguments, b"", **({"NO_COLOR": "1"} if plain else {}))
    assert code == Exit.FAIL
    assert ("\x1b[32m" in shown) is not bool(plain)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert max(len(line.rstrip()) for line in text.splitlines() if not line.startswith("bncheck:")) <= 80
    assert "FF" in text


def test_wide_grids_are_folded_into_panels(capsys: pytest.CaptureFixture[str]) -> None:
    many = ",".join(map(str, range(2, 22)))
    run(["stress", "--dtype", "float32", "--offset", "0", "--scale", "1", "--d", "1", "--n", many])
    lines = capsys.readouterr().out.splitlines()
    headers = [line.split()[3:] for line in lines if line.startswith("dtype")]
    assert len(headers) > 1
    assert [name for header in headers for name in header] == [f"{n}x1" for n in range(2, 22)]
    assert max(len(line) for line in lines if line.startswith(("dtype", "float32"))) <= 80


def test_markdown_keeps_the_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["stress", written(tmp_path, CANCELLING), *NARROW, "--format", "markdown"])
    shown = capsys.readouterr().out
    assert "| `FF` | `FF` |" in shown
    assert shown.startswith("**layers.py:batchnorm_forward")


def test_a_layer_that_was_mended_is_read_anew(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for var, verdict in ((CANCELLING, Verdict.FAIL), (TWO_PASSES, Verdict.PASS)):
            assert bncheck.stress(written(tmp_path, var), TINY, executor=pool).verdict is verdict
            assert bncheck.stress(written(tmp_path, var), TINY).verdict is verdict


# ---- going on ----


def resumed(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = " ".join([*NARROW, *more])
    return shell(f"bncheck stress layers.py --resume cells.jsonl --format json {arguments}", folder)


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    written(tmp_path, CANCELLING)
    whole = resumed(tmp_path)
    file = tmp_path / "cells.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + len(TINY)
    file.write_bytes(b"".join(lines[:4]) + lines[4][:40])
    again = resumed(tmp_path, "--jobs", "2")
    assert "8 cells" in again.stderr
    assert "3 of which cells.jsonl has" in again.stderr
    assert (again.stdout, again.returncode) == (whole.stdout, 1)
    cells = [tuple(json.loads(line)[name] for name in Cell._fields) for line in file.read_bytes().splitlines()[1:]]
    assert Counter(cells) == Counter(tuple(cell) for cell in TINY.cells())
    assert resumed(tmp_path).stdout == whole.stdout


def test_a_killed_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    written(tmp_path, CANCELLING)
    command = [sys.executable, "-m", "bncheck", "stress", "layers.py", "--dtype", "float32", "--scale", "1"]
    command += ["--resume", "cells.jsonl"]
    stopped = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    file = tmp_path / "cells.jsonl"
    while not file.exists() or file.read_bytes().count(b"\n") < 10:
        assert stopped.poll() is None
    stopped.kill()
    stopped.communicate()
    kept = file.read_bytes().count(b"\n") - 1
    assert 0 < kept < 96
    rest = "--dtype float32 --scale 1 --resume cells.jsonl --format json"
    again = shell(f"bncheck stress layers.py {rest}", tmp_path)
    assert f"{kept} of which cells.jsonl has" in again.stderr
    straight = shell("bncheck stress layers.py --dtype float32 --scale 1 --format json", tmp_path)
    assert again.stdout == straight.stdout


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    written(tmp_path)
    command = [sys.executable, "-m", "bncheck", "stress", "layers.py", "--jobs", "2", "--resume", "cells.jsonl"]
    stopped = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    file = tmp_path / "cells.jsonl"
    while not file.exists() or file.read_bytes().count(b"\n") < 20:
        assert stopped.poll() is None
    stopped.send_signal(signal.SIGINT)
    out, said = stopped.communicate(timeout=30)
    kept = file.read_bytes().count(b"\n") - 1
    assert (stopped.returncode, out) == (Exit.INTERRUPTED, "")
    assert f"{kept} of 864 cells are in cells.jsonl: the same command goes on from there" in said
    assert said.endswith("bncheck: interrupted\n")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--n", "3"], "with n [2, 16] and not [2, 16, 3]"),
        (["--seed", "1"], "with seed 0 and not 1"),
        (["--eps", "0.1"], "with eps 1e-05 and not 0.1"),
    ],
)
def test_the_record_of_another_run_is_refused(tmp_path: Path, change: list[str], said: str) -> None:
    written(tmp_path)
    assert resumed(tmp_path).returncode == 0
    before = (tmp_path / "cells.jsonl").read_bytes()
    done = resumed(tmp_path, *change)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in one_line(done.stderr)
    assert (tmp_path / "cells.jsonl").read_bytes() == before


def test_the_record_of_another_layer_or_version_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    assert resumed(tmp_path).returncode == 0
    written(tmp_path, CANCELLING)
    assert "with code " in one_line(resumed(tmp_path).stderr)
    written(tmp_path)
    file = tmp_path / "cells.jsonl"
    file.write_text(file.read_text().replace(f'"bncheck": "{bncheck.__version__}"', '"bncheck": "0.0.1"'))
    assert 'with bncheck "0.0.1" and not' in one_line(resumed(tmp_path).stderr)


def test_records_that_are_no_cells_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    assert resumed(tmp_path).returncode == 0
    with (tmp_path / "cells.jsonl").open("a") as file:
        file.write('{"k": 1}\n')
    assert "records that are no cells" in one_line(resumed(tmp_path).stderr)


def test_pickles_of_functions_find_their_way() -> None:
    """A layer that is alive goes to other processes where pickle can take it."""
    layer = (batchnorm_forward, batchnorm_backward)
    there = functools.partial(bncheck.stress, layer, TINY)
    assert there(executor=Processes(2)).to_dict() == there().to_dict()


def test_a_layer_that_cannot_travel_is_bad_input() -> None:
    with pytest.raises(BadInput, match="cannot be sent to another process"):
        bncheck.stress(RIGHT.pair(), TINY, executor=Processes(2))


_FORWARD, _BACKWARD = RIGHT.pair()


def batchnorm_forward(x: Any, gamma: Any, beta: Any, bn_param: Any) -> Any:
    return _FORWARD(x, gamma, beta, bn_param)


def batchnorm_backward(dout: Any, cache: Any) -> Any:
    return _BACKWARD(dout, cache)
