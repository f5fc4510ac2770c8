"""What `bncheck grad --n 64 --d 10` costs as a whole process, in units of `python -c "import numpy"`.

    python tests/benchmarks/startup.py --pairs 40

It is the installed command that is timed, one that is not installed as editable for choice; run it with one thread
(OMP_NUM_THREADS=1).  Processor time is what is compared: another program on the same machine does not count in it,
though it slows all of them down together.  So each command is run beside its like, in turns, and the median is that of
the ratios of such pairs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from pathlib import Path

BARE = [sys.executable, "-c", "pass"]
PAIRS = {
    "bncheck grad --n 64 --d 10": "import numpy",
    "bncheck grad --n 64 --d 10 --format json": "import numpy",
    "bncheck --help": "import click",
    "bncheck --version": "import click",
}


def seconds(command: list[str]) -> float:
    """Of processor time, user's and system's, until the process has gone."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=silent)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    pairs = parser.parse_args().pairs
    beside = str(Path(sys.executable).parent)
    installed = shutil.which("bncheck", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if installed is None:
        raise SystemExit("there is no bncheck command: install it first")
    print(f"Python alone: {1e3 * min(seconds(BARE) for _ in range(pairs)):.0f} ms")
    for whole, part in PAIRS.items():
        command, like = [installed, *whole.split()[1:]], [sys.executable, "-c", part]
        times = [(seconds(command), seconds(like)) for _ in range(pairs)]
        least, least_like = (1e3 * min(each) for each in zip(*times, strict=True))
        ratio = statistics.median(ours / theirs for ours, theirs in times)
        print(f"{whole:42} {ratio:.2f} times {part} (at the least {least:.0f} and {least_like:.0f} ms)")


if __name__ == "__main__":
    main()
