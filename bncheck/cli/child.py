"""The same command in a child process, which a hang or a crash of the user's layer cannot take us with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bncheck.cli.exits import CONFIRM, Exit
from bncheck.cli.speech import say


def rerun(timeout: float) -> Exit:
    """Run this command line without its --timeout, for so many seconds at most."""
    arguments = _without_timeout(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "exit"
        environment = {**os.environ, CONFIRM: str(told)}
        try:
            command = [sys.executable, "-m", "bncheck", *arguments]
            done = subprocess.run(command, timeout=timeout, check=False, env=environment)
        except subprocess.TimeoutExpired:
            say(f"the layer did not finish within {timeout:g} s")
            return Exit.RAISED
        if told.exists():
            return Exit(int(told.read_text()))
    how = f"by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else f"with exit code {done.returncode}"
    say(f"the layer ended the process {how}")
    return Exit.RAISED


def confirm(code: Exit) -> None:
    """Leave word that the command came to its end."""
    Path(os.environ[CONFIRM]).write_text(str(int(code)))


def _without_timeout(arguments: list[str]) -> list[str]:
    kept, skip = [], False
    for argument in arguments:
        if skip or argument.startswith("--timeout="):
            skip = False
        elif argument == "--timeout":
            skip = True
        else:
            kept.append(argument)
    return kept
