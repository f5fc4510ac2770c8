"""The command line as scripts and people meet it: exit codes, pipes, terminals, failures."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck.batchnorm import Gradients
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.layers.reference import ReferencePass

BNCHECK = [sys.executable, "-m", "bncheck"]


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed write leaves in Python's buffers shows only where there are any."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = script.replace("bncheck ", f"{sys.executable} -W error -m bncheck ")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


def strictly(text: str) -> Any:
    """JSON as every parser reads it: Python's own would take NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def on_a_terminal(arguments: list[str], interrupt_at: bytes = b"", **environment: str) -> tuple[int, str]:
    """Exit code and everything shown where both streams are a terminal; Ctrl-C once ``interrupt_at`` is seen."""
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
        if interrupt_at and interrupt_at in shown:
            process.send_signal(signal.SIGINT)
            interrupt_at = b""
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
        (["grad", "--n", "1", "--no-probes"], Exit.BLIND),
        (["grad", "--strict"], Exit.PASS),
        (["grad", "--dtype", "float16"], Exit.PASS),
        (["grad", "--dtype", "float16", "--strict"], Exit.BLIND),
        (["check", "tests/layers/readme_layers.py:batchnorm_backward_alt", "--strict", "--no-probes"], Exit.PASS),
        (["explain"], Exit.PASS),
        (["explain", "BN407"], Exit.PASS),
        (["explain", "--run", "BN407"], Exit.PASS),
        (["explain", "--run", "BN101"], Exit.FAIL),
        (["explain", "--run", "BN001"], Exit.RAISED),
        (["explain", "BN000"], Exit.USAGE),
        (["grad", "nothing.npy"], Exit.USAGE),
        (["forward"], Exit.PASS),
        (["backward", "--mode", "test"], Exit.PASS),
        (["generate", "--format", "csv"], Exit.PASS),
        (["--version"], Exit.PASS),
        *[
            ([command, "--help"], Exit.PASS)
            for command in ("grad", "check", "forward", "backward", "generate", "stress", "explain")
        ],
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


def test_an_unusable_batch_is_said_even_if_all_is_to_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["grad", "missing.npy", "--quiet"]) is Exit.USAGE
    assert "missing.npy" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("dout", ["ones", "zeros"])
def test_a_dout_that_hides_dx_is_blind(dout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((16, 3))
    np.savez(tmp_path / "b.npz", x=x, dout=getattr(np, dout)(x.shape))
    assert run(["grad", str(tmp_path / "b.npz"), "--format", "json"]) is Exit.BLIND
    shown = strictly(capsys.readouterr().out)
    assert (shown["verdict"], shown["gradients"]["dx"]["verdict"]) == ("blind", "blind")


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("command", "forms"),
    [
        ("grad", ("table", "json", "csv", "markdown", "junit")),
        ("forward", ("table", "json", "csv", "tsv", "markdown", "npy", "npz")),
        ("backward", ("table", "json", "csv", "tsv", "markdown", "npy", "npz")),
    ],
)
def test_every_format_of_every_command(
    command: str, forms: tuple[str, ...], dtype: str, mode: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for form in forms:
        assert run([command, "--n", "9", "--d", "5", "--dtype", dtype, "--mode", mode, "--format", form]) is Exit.PASS
        shown = capfdbinary.readouterr()
        assert shown.err == b""
        assert b"\x1b" not in shown.out or form in ("npy", "npz")
        assert b"nan" not in shown.out
        if form == "json":
            strictly(shown.out.decode())


def test_what_is_not_finite_is_null_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: ReferencePass, dout: Any) -> Gradients:
        return Gradients(dout * np.nan, dout.sum(0) + np.inf, dout.sum(0))

    monkeypatch.setattr(ReferencePass, "backward", broken)
    assert run(["grad", "--n", "4", "--d", "3", "--format", "json"]) is Exit.FAIL
    shown = strictly(capsys.readouterr().out)
    assert {name: g["verdict"] for name, g in shown["gradients"].items()} == {
        "dx": "fail", "dgamma": "fail", "dbeta": "pass",
    }  # fmt: skip
    assert shown["gradients"]["dx"]["worst"]["analytic"] is None
    assert {(f["code"], f["quantity"]) for f in shown["findings"]} == {("BN003", "dx"), ("BN003", "dgamma")}
    assert run(["backward", "--n", "4", "--d", "3", "--format", "json"]) is Exit.PASS
    assert strictly(capsys.readouterr().out)["dgamma"] == [None, None, None]


def test_our_own_bugs_exit_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("bncheck.checks.gradients.check_gradients", broken)
    assert run(["grad"]) is Exit.BUG
    assert "a bug of bncheck's own: ZeroDivisionError: by zero at test_cli.py" in one_line(capsys.readouterr().err)


def test_ctrl_c_exits_130_and_writes_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*BNCHECK, "grad", "--n", "4000", "--d", "200", "--coverage", "full", "--output", "report.json"],
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
    outputs = ("> /dev/full", "-o /dev/full", "-o - > /dev/full")
    scripts = [f"bncheck grad {output}" for output in outputs]
    scripts += ["bncheck generate > /dev/full", "bncheck --help > /dev/full", "bncheck forward --save-stats /dev/full"]
    for script in scripts:
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


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("before")

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    for command in (["generate", "--n", "500", "-o", "x.csv"], ["forward", "--d", "900", "--save-stats", "s.npz"]):
        done = subprocess.run(
            [*BNCHECK, *command], cwd=tmp_path, capture_output=True, text=True, preexec_fn=small_files_only, check=False
        )
        assert (done.returncode, done.stdout) == (Exit.USAGE, "")
        assert f"{command[-1]}: cannot be written: file too large" in one_line(done.stderr)
        assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    assert (tmp_path / "x.csv").read_text() == "before"


def test_what_a_file_is_survives_its_content(tmp_path: Path) -> None:
    for name in ("private.json", "target.json"):
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "link.json").symlink_to("target.json")
    (tmp_path / ("n" * 250 + ".json")).touch()
    before = {p.name: p.lstat().st_mode for p in tmp_path.iterdir()}
    for name in before:
        assert run(["grad", "-o", str(tmp_path / name)]) is Exit.PASS
        assert strictly((tmp_path / name).read_text())["verdict"] == "pass"
    assert {p.name: p.lstat().st_mode for p in tmp_path.iterdir()} == before
    assert run(["grad", "-o", str(tmp_path / "new.json")]) is Exit.PASS
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o666 & ~mask


def test_a_dash_is_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["grad", "-o", "-", "--format", "csv"]) is Exit.PASS
    assert capsys.readouterr().out.startswith("gradient,")
    assert not list(tmp_path.iterdir())
    assert run(["grad", "-o", ""]) is Exit.USAGE
    assert "the file name is empty" in one_line(capsys.readouterr().err)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.npy")
    np.save(name, np.eye(5))
    for form in ("table", "json", "markdown", "junit", "csv"):
        assert run(["grad", name, "--format", form]) is Exit.PASS
    shown = capfd.readouterr()
    assert "\\udcff.npy" in shown.out
    assert shown.err == ""
    assert run(["grad", f"{name}\n\x1b[31m"]) is Exit.USAGE
    assert "\\udcff.npy \\x1b[31m: no such file" in one_line(capfd.readouterr().err)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(closed: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((8, 3)))
    assert shell(f"bncheck grad x.npy {closed}", tmp_path).returncode == Exit.PASS
    done = shell(f"bncheck grad missing.npy {closed}", tmp_path)
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert done.stderr == "" if "2>&-" in closed else "missing.npy" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["grad"], 0), (["grad", "--rtol", "0"], 1), (["--help"], 0), (["grad", "--help"], 0), (["grad", "nothing"], 2)],
)
def test_nobody_reads_what_is_said(arguments: list[str], code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    # Both streams are that pipe, so that a traceback could not be seen; it would exit 1 or 120.
    assert subprocess.run([*BNCHECK, *arguments], stdout=writing, stderr=writing, check=False).returncode == code
    done = subprocess.run([*BNCHECK, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == code
    assert done.stderr == "" or code == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("bncheck gr", "plain,grad\n"),
        ("bncheck grad --cov", "plain,--coverage\n"),
        ("bncheck explain bn10", "".join(f"plain,BN10{n}\n" for n in range(1, 10))),
        ("bncheck check lay", "file,lay\n"),
        ("bncheck grad --impl lay", "file,lay\n"),
    ],
)
def test_the_shell_completes(words: str, offered: str) -> None:
    count = str(len(words.split()) - 1)
    asked = {"COMP_WORDS": words, "COMP_CWORD": count, "_BNCHECK_COMPLETE": "bash_complete"}
    done = subprocess.run(BNCHECK, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, offered, "")


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
    assert not re.search(r"\x1b\[[\d;]*[349]\d", shown)
    assert "pass" in shown


def test_binary_does_not_go_to_a_terminal() -> None:
    code, shown = on_a_terminal(["generate", "--format", "npz"])
    assert code == Exit.USAGE
    assert "binary" in shown
    code, shown = on_a_terminal(["generate"])
    assert code == Exit.PASS
    assert "PK" not in shown


def test_what_is_done_in_a_second_shows_no_progress() -> None:
    code, shown = on_a_terminal(["grad", "--format", "csv"], COLUMNS="100")
    assert code == Exit.PASS
    assert "forward passes" not in shown


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["grad", "--n", "4000", "--d", "200", "--coverage", "full"], "forward passes"),
        (["forward", "--mode", "test", "--warmup", "1000000"], "warm-up batches"),
    ],
)
def test_progress_on_a_terminal_can_be_interrupted(arguments: list[str], what: str) -> None:
    started = time.monotonic()
    code, shown = on_a_terminal(arguments, interrupt_at=what.encode(), COLUMNS="100")
    assert time.monotonic() - started > 1
    assert what in shown
    # The bar hides the cursor, and whoever interrupts it wants it back.
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert code == Exit.INTERRUPTED
    assert shown.endswith("\nbncheck: interrupted\r\n")


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


@pytest.mark.parametrize("command", ["grad", "forward", "backward"])
def test_the_same_seed_gives_the_same_numbers(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((9, 5)))
    shown = []
    for batch, seed in ((["--n", "9"], "7"), ([str(tmp_path / "x.npy")], "7"), ([str(tmp_path / "x.npy")], "8")):
        for _ in range(2):
            assert run([command, *batch, "--seed", seed, "--mode", "test", "--format", "csv"]) is Exit.PASS
            shown.append(capsys.readouterr().out)
    assert shown[::2] == shown[1::2]
    assert len(set(shown)) == 3


def test_verbose_says_how_the_numbers_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    run(["grad", "--verbose"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("method central", "precision float64", "step auto", "noise"))
