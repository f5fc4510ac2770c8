"""What checks cost: the right things are counted and compared, what cannot be timed is said, every format shows it."""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import bncheck
from bncheck import batchnorm
from bncheck.batch import generate
from bncheck.benchmark import BenchReport, Cost, Machine, Outcome, Spread, Verifies
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput
from bncheck.render import BENCH_FORMATS, Look, renderer
from bncheck.timing import registry, rounds
from bncheck.timing import run as running
from bncheck.timing.registry import CONTESTANTS
from tests.golden import golden
from tests.test_cli import on_a_terminal, one_line, shell, strictly

N, D = 12, 3
ENTRIES = N * D + 2 * D
PASSES = {"loop": 2 * ENTRIES, "scipy": ENTRIES + 1, "scipy random": 2, "autograd": 4}


def steady(value: float) -> Spread:
    return Spread(value, 0.9 * value, 1.1 * value)


def cost(check: str, outcome: Outcome = Outcome.MEASURED, n: int = 256, d: int = 64, **known: Any) -> Cost:
    entry = CONTESTANTS[check]
    return Cost(check, n, d, entry.verifies, entry.error_bar, outcome)._replace(**known)


MEASURED: dict[str, Any] = {"own_passes": steady(1.1), "rounds": 4, "cores": 0.99, "accepted": True}
REPORT = BenchReport(
    "2026-01-02",
    Machine("Processor 1", 2, "Linux", "3.12.0", "2.0.0"),
    {"rounds": 5, "limit": 20.0, "seed": 0, "dtype": "float64", "threads": 1},
    (
        cost("bncheck", passes=569.0, seconds=steady(0.04), version="0.1.0", **MEASURED),
        cost("loop", passes=33024, seconds=steady(2.5), times_bncheck=steady(62.5), **MEASURED),
        cost("jax", passes=4, seconds=steady(0.004), times_bncheck=steady(0.3), version="0.10", **MEASURED)._replace(
            accepted=False
        ),
        cost("torch slow", Outcome.ABSENT),
        cost("loop", Outcome.EXTRAPOLATED, 65536, 256, passes=33555456.0, seconds=steady(1.2e7)),
        cost("torch slow", Outcome.ABSENT, 65536, 256),
        cost("autograd", Outcome.FAILED, 65536, 256, said="MemoryError: no room"),
        cost("jax", Outcome.STOPPED, 65536, 256, said="it was stopped after 120 s"),
    ),
    "0.1.0",
)


# ---- what is measured ----


def test_checks_are_timed_beside_each_other() -> None:
    told: list[tuple[float, float]] = []
    report = bncheck.bench(
        [(N, D)], checks=("bncheck", "loop", "projected"), rounds=3, progress=lambda *done: told.append(done)
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    own, loop, projected = report.costs
    for each in report.costs:
        assert (each.outcome, each.accepted, each.rounds) == (Outcome.MEASURED, True, 2), each.said
        assert each.seconds is not None
        assert 0 < each.seconds.low <= each.seconds.median <= each.seconds.high
        # One thread may not take more than all of the time.
        assert each.cores is not None
        assert each.cores < 1.1
    assert loop.passes == 2 * ENTRIES
    assert own.times_bncheck is projected.times_bncheck is None
    assert (own.error_bar, loop.error_bar) == (True, False)
    # The loop is made of forward passes and of nothing else.
    assert loop.own_passes is not None
    assert 0.5 < loop.own_passes.median < 3
    assert loop.times_bncheck is not None
    assert loop.times_bncheck.median == pytest.approx(loop.seconds.median / own.seconds.median, rel=2)  # type: ignore[union-attr]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", report.date)
    assert report.machine.cores >= 1


@pytest.mark.parametrize("name", CONTESTANTS)
def test_each_accepts_the_right_layer_in_the_passes_that_it_makes(name: str) -> None:
    contestant = CONTESTANTS[name]
    pytest.importorskip(contestant.package)
    made = contestant.checker(generate(N, D))
    checked = made.check()
    assert checked.passes == PASSES.get(name, checked.passes)
    assert checked.passes >= 2
    made.forward()
    assert made.check().passes == checked.passes  # counted afresh
    # By its own defaults JAX's steps are too long for a column that bends within 3e-3.
    assert checked.accepted in (
        (None,) if contestant.module == "scipy" else (True, False) if name == "jax" else (True,)
    )


def test_the_loop_sees_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    right = batchnorm.backward

    def wrong(*arguments: object) -> batchnorm.Gradients:
        made = right(*arguments)  # type: ignore[arg-type]
        return made._replace(dgamma=2 * made.dgamma)

    monkeypatch.setattr(batchnorm, "backward", wrong)
    assert CONTESTANTS["loop"].checker(generate(N, D)).check().accepted is False


@pytest.mark.parametrize("name", ["bncheck", "loop", "projected"])
def test_passes_are_extrapolated_from_a_small_batch(name: str) -> None:
    contestant, batch = CONTESTANTS[name], generate(70, 12)
    checker = contestant.checker(batch)
    expected, seconds = rounds._expected(contestant, checker, batch)
    counted = checker.check().passes
    # Only the loop has no others beside those that grow.
    assert expected == pytest.approx(counted, rel=0 if name == "loop" else 0.6)
    assert seconds > 0


def test_what_would_take_too_long_is_not_run() -> None:
    (loop,) = bncheck.bench([(2000, 400)], checks=["loop"], limit=1).costs
    assert (loop.outcome, loop.rounds, loop.accepted) == (Outcome.EXTRAPOLATED, 0, None)
    assert loop.passes == 2 * (2000 * 400 + 2 * 400)
    assert loop.seconds is not None
    assert loop.seconds.median > 100


def test_what_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_GRACE", -2.9)
    (own,) = bncheck.bench([(N, D)], checks=["bncheck"], limit=1).costs
    assert (own.outcome, own.seconds) == (Outcome.STOPPED, None)
    assert "stopped after 0.1 s" in own.said


def test_an_absent_peer_is_said_to_be(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "torch" else object())
    asked = ["bench", "--n", "8", "--d", "2", "--rounds", "1", "--check"]
    assert run([*asked, "loop", "--check", "torch slow", "--check", "torch fast"]) is Exit.PASS
    shown = capsys.readouterr().out
    assert "Not installed: torch fast and torch slow." in shown
    assert "loop  " in shown
    assert run([*asked, "torch fast"]) is Exit.PASS
    assert "Not installed: torch fast." in capsys.readouterr().out


def test_a_broken_peer_takes_nothing_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "autograd").mkdir()
    broken = tmp_path / "autograd" / "__init__.py"
    broken.write_text("print('a banner')\nraise ImportError('built for another machine')\n")
    root = Path(bncheck.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")
    monkeypatch.syspath_prepend(tmp_path)  # type: ignore[no-untyped-call, unused-ignore]
    autograd, loop = bncheck.bench([(N, D)], checks=["autograd", "loop"], rounds=1).costs[::-1]
    assert (autograd.outcome, autograd.said) == (Outcome.FAILED, "ImportError: built for another machine")
    assert loop.outcome is Outcome.MEASURED
    broken.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    (killed,) = bncheck.bench([(N, D)], checks=["autograd"], rounds=1).costs
    assert (killed.outcome, killed.said) == (Outcome.FAILED, "its process ended with -9")


def test_short_work_is_repeated_and_long_work_is_not() -> None:
    runs: list[int] = []
    took = rounds.timed(lambda: runs.append(sum(range(1000))))
    assert len(runs) > 10
    assert took.seconds <= rounds._LEAST / len(runs) * 2
    runs.clear()
    rounds.timed(lambda: runs.append(sum(range(3_000_000))))
    assert len(runs) <= 2


# ---- what is shown ----


@pytest.mark.parametrize("name", BENCH_FORMATS)
def test_every_format(name: str) -> None:
    text = renderer(name, Look(verbose=True))(REPORT, Look(verbose=True))
    assert isinstance(text, str)
    golden(f"bench.{ {'table': 'txt', 'markdown': 'md'}.get(name, name) }", text)


@pytest.mark.parametrize("terminal", [False, True])
def test_tables_fit_eighty_columns(terminal: bool) -> None:
    widest = [
        cost(name, passes=999999.0, seconds=steady(0.000123), times_bncheck=steady(1234.5), **MEASURED)
        for name in CONTESTANTS
    ]
    look = Look(terminal=terminal)
    report = BenchReport(REPORT.date, REPORT.machine, REPORT.settings, tuple(widest), "0")
    text = str(renderer("table", look)(report, look))
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in text.splitlines()]
    rows = [line for line in lines if re.match(r" ?(check|[a-z ]+?) +(verifies|every|one) ", line)]
    assert len(rows) == 1 + len(CONTESTANTS)
    assert max(map(len, rows)) <= 80


def test_json_and_csv_hold_the_same() -> None:
    parsed = strictly(str(renderer("json", Look())(REPORT, Look())))
    assert (parsed["schema"], parsed["command"], parsed["machine"]["cores"]) == (1, "bench", 2)
    rows = list(csv.DictReader(io.StringIO(str(renderer("csv", Look())(REPORT, Look())))))
    assert len(rows) == len(parsed["costs"]) == len(REPORT.costs)
    for row, record in zip(rows, parsed["costs"], strict=True):
        assert list(row) == list(record)
        assert [row[k] or None for k in row] == [None if v in (None, "") else str(v) for v in record.values()]
    assert parsed["costs"][0]["verifies"] == Verifies.ENTRIES
    assert parsed["costs"][1]["times_bncheck_high"] == pytest.approx(68.75)
    assert parsed["costs"][4]["outcome"] == "extrapolated"


def test_the_swing_is_half_of_the_range() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([3.0, 1.0, 2.0]).swing == pytest.approx(0.5)
    assert Spread.of([0.0]).swing == 0


# ---- the command ----


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--n", "8"], "--n is given 1 times and --d 0"),
        (["--n", "1", "--d", "2"], "1 is not in the range"),
        (["--limit", "0"], "0.0 is not in the range"),
        (["--limit", "nan"], "limit is nan"),
        (["--check", "theano"], "there is no check 'theano'"),
        (["--n", "100000000", "--d", "100000"], "needs"),
        (["--format", "npz"], "npz"),
        (["batch.npy"], "batch.npy"),
    ],
)
def test_bad_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *arguments]) is Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in one_line(captured.err)


def test_the_library_refuses_the_same() -> None:
    asked: Any = (([], {}), ([(8, 2)], {"rounds": 0}), ([(1, 2)], {}), ([(8, 2)], {"checks": ()}))
    for sizes, options in asked:
        with pytest.raises(BadInput):
            bncheck.bench(sizes, **options)


def test_the_command(tmp_path: Path) -> None:
    done = shell("bncheck bench --n 8 --d 2 --check loop --rounds 1 -o costs.md && cat costs.md", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| loop | every entry | no | 40 |" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_it_can_be_interrupted_and_shows_how_far_it_is() -> None:
    many = [part for _ in range(30) for part in ("--n", "64", "--d", "10")]
    code, shown = on_a_terminal(["bench", "--check", "loop", "--rounds", "3", *many], interrupt_at=b"checks")
    assert code == Exit.INTERRUPTED
    assert "interrupted" in shown
    assert "Traceback" not in shown
