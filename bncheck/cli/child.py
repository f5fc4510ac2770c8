"""The same command in a child process, which a hang or a crash of the user's layer cannot take us with."""

from __future__ import annotations

import signal
import subprocess
import sys

from bncheck.cli.exits import Exit
from bncheck.cli.speech import say
from bncheck.errors import BadInput


def rerun(timeout: float) -> Exit:
    """Run this command line without its --timeout, for so many seconds at most."""
    arguments = _without_timeout(sys.argv[1:])
    try:
        done = subprocess.run([sys.executable, "-m", "bncheck", *arguments], timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        say(f"the layer did not finish within {timeout:g} s")
        return Exit.RAISED
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        say(f"the layer ended the process by {name}")
        return Exit.RAISED
    try:
        return Exit(done.returncode)
    except ValueError:
        raise BadInput(f"the layer ended the process with exit code {done.returncode}") from None


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
