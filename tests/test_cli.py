"""The command line as scripts and people meet it: exit codes, pipes, terminals, failures."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck.cli import run
from bncheck.cli.exits import Exit

BNCHECK = [sys.executable, "-m", "bncheck"]


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = script.replace("bncheck ", f"{sys.executable} -W error -m bncheck ")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


def on_a_terminal(arguments: list[str], **environment: str) -> tuple[int, str]:
    """Exit code and everything shown where both streams are a terminal."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [*BNCHECK, *arguments], stdout=secondary, stderr=secondary, stdin=secondary, env={**os.environ, **environment}
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    return process.wait(), shown.decode()


def one_line(text: str) -> str:
    assert text.startswith("bncheck: "), text
    assert text.count("\n") == 1, text
    return text


def test_exit_codes_are_the_contract() -> None:
    assert {e.name: e.value for e in Exit} == {
        "PASS": 0, "FAIL": 1, "USAGE": 2, "BLIND": 3, "RAISED": 4, "BUG": 70, "INTERRUPTED": 130,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["grad"], Exit.PASS),
        (["grad", "--n", "5", "--d", "3", "--mode", "test"], Exit.PASS),
        (["grad", "--rtol", "0"], Exit.FAIL),
        (["grad", "--n", "1"], Exit.BLIND),
        (["grad", "nothing.npy"], Exit.USAGE),
        (["forward"], Exit.PASS),
        (["backward", "--mode", "test"], Exit.PASS),
        (["generate", "--format", "csv"], Exit.PASS),
        (["--version"], Exit.PASS),
        *[([command, "--help"], Exit.PASS) for command in ("grad", "forward", "backward", "generate")],
    ],
)
def test_exit_codes(arguments: list[str], code: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) is code
    shown = capsys.readouterr()
    assert bool(shown.out) is (code is not Exit.USAGE)
    assert (shown.err == "") is (code is not Exit.USAGE)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "command"),
        (["grda"], "grda"),
        (["grad", "--nn", "3"], "--nn"),
        (["grad", "--n", "0"], "--n"),
        (["grad", "--n", "x"], "--n"),
        (["grad", "--seed", "-1"], "--seed"),
        (["grad", "--method", "magic"], "magic"),
        (["grad", "--eps", "-1"], "eps is -1"),
        (["grad", "--eps", "nan"], "eps is nan"),
        (["grad", "--momentum", "1.5"], "momentum is 1.5"),
        (["grad", "--step", "0"], "step is 0"),
        (["grad", "--rtol", "-1"], "rtol is -1"),
        (["grad", "--scale", "0"], "scale is 0"),
        (["grad", "--channel-axis", "1"], "--channel-axis"),
        (["grad", "--n", "1000000000", "--d", "1000000"], "would fit"),
        (["grad", "--output", "report.npz"], "npz"),
        (["grad", "--stats", "missing.npz", "--mode", "test"], "missing.npz"),
        (["forward", "--output", "/nowhere/at/all.csv"], "/nowhere/at/all.csv"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) is Exit.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert word in one_line(shown.err)


@pytest.mark.parametrize("option", ["--n", "--d", "--scale", "--offset"])
def test_what_generates_does_not_go_with_a_batch(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", np.eye(3))
    assert run(["grad", str(tmp_path / "x.npy"), option, "3"]) is Exit.USAGE
    assert option in one_line(capsys.readouterr().err)


def test_our_own_bugs_exit_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("bncheck.checks.gradients.check_gradients", broken)
    assert run(["grad"]) is Exit.BUG
    assert "a bug of bncheck's own: ZeroDivisionError: by zero at test_cli.py" in one_line(capsys.readouterr().err)


def test_ctrl_c_exits_130_and_writes_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*BNCHECK, "grad", "--n", "4000", "--d", "200", "--output", "report.json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert out == ""
    assert one_line(err) == "bncheck: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_pipelines(tmp_path: Path) -> None:
    done = shell("bncheck generate --n 64 --d 10 | bncheck forward - --mode train --format csv > out.csv", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    out = np.loadtxt(tmp_path / "out.csv", delimiter=",")
    assert out.shape == (64, 10)
    done = shell("bncheck generate | bncheck grad - --format json", tmp_path)
    assert json.loads(done.stdout)["verdict"] == "pass"
    assert json.loads(done.stdout)["batch"]["source"] == "<stdin>"
    done = shell("bncheck generate --format csv | bncheck grad - --quiet", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_statistics_go_from_one_run_to_the_next(tmp_path: Path) -> None:
    script = (
        "bncheck generate -o b.npz; bncheck forward b.npz --save-stats s.npz -q; bncheck forward b.npz --stats s.npz"
    )
    assert shell(script, tmp_path).returncode == 0
    x, held = np.load(tmp_path / "b.npz")["x"], np.load(tmp_path / "s.npz")
    assert np.allclose(held["running_mean"], 0.1 * x.mean(0))
    assert np.allclose(held["running_var"], 0.9 + 0.1 * x.var(0))
    done = shell("bncheck forward b.npz --mode test --stats s.npz --format json", tmp_path)
    assert np.allclose(json.loads(done.stdout)["running_mean"], held["running_mean"])


def test_test_mode_warms_up_on_the_same_population(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forward", "--mode", "test", "--format", "json", "--offset", "50"]) is Exit.PASS
    mean = np.mean(json.loads(capsys.readouterr().out)["running_mean"])
    assert mean == pytest.approx(50, abs=3)


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    for command in ("generate --n 5000 --d 50 --format csv", "grad", "--help", "generate --n 20000 --d 20"):
        done = shell(f"bncheck {command} | head -c 10 > /dev/null", tmp_path)
        assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    for script in ("bncheck grad > /dev/full", "bncheck generate > /dev/full", "bncheck grad -o /dev/full"):
        done = shell(script, tmp_path)
        assert done.returncode == Exit.USAGE
        assert "no space left" in one_line(done.stderr)


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "report.json"
    target.write_text("before")

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert run(["grad", "-o", str(target)]) is Exit.USAGE
    assert "no space left" in one_line(capsys.readouterr().err)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
    assert target.read_text() == "before"


@pytest.mark.parametrize(
    ("name", "start"), [("r.json", "{"), ("r.csv", "gradient,"), ("r.md", "**"), ("r.xml", "<?xml"), ("r.txt", "ref")]
)
def test_the_name_of_the_file_chooses_the_format(name: str, start: str, tmp_path: Path) -> None:
    assert run(["grad", "-o", str(tmp_path / name)]) is Exit.PASS
    assert (tmp_path / name).read_text().startswith(start)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_terminal_gets_colour_unless_told_otherwise() -> None:
    code, shown = on_a_terminal(["grad"], TERM="xterm-256color")
    assert code == 0
    assert "\x1b[32m" in shown
    code, shown = on_a_terminal(["grad"], TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[32m" not in shown
    assert "pass" in shown


def test_binary_does_not_go_to_a_terminal() -> None:
    code, shown = on_a_terminal(["generate", "--format", "npz"])
    assert code == Exit.USAGE
    assert "binary" in shown
    code, shown = on_a_terminal(["generate"])
    assert code == Exit.PASS
    assert "PK" not in shown


def test_progress_shows_on_a_terminal_after_a_second() -> None:
    _, shown = on_a_terminal(["grad", "--n", "1200", "--d", "200", "--format", "csv"], COLUMNS="100")
    assert "forward passes" in shown
    _, shown = on_a_terminal(["grad", "--format", "csv"], COLUMNS="100")
    assert "forward passes" not in shown


def test_a_pipe_gets_whole_lines(tmp_path: Path) -> None:
    done = subprocess.run(
        [*BNCHECK, "grad"], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "30"}
    )
    assert "\x1b" not in done.stdout
    assert "every entry of dx, dgamma and dbeta agrees with finite differences within its error bar" in done.stdout


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (
        subprocess.run([*BNCHECK, "generate", "--seed", seed], capture_output=True, check=True).stdout
        for seed in ("3", "3", "4")
    )
    assert first == second != other


def test_verbose_says_how_the_numbers_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    run(["grad", "--verbose"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("method central", "precision float64", "step auto", "noise"))
