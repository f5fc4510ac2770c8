"""The cost of checks on this machine, bncheck's and those of others that are installed."""

from __future__ import annotations

import datetime
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

from bncheck import __version__, memory
from bncheck.benchmark import BenchReport, Cost, Outcome, Spread
from bncheck.errors import BadInput
from bncheck.timing import machine
from bncheck.timing.registry import CONTESTANTS, Contestant

SIZES = ((64, 10), (256, 64), (512, 256), (65536, 256))
NAMES = tuple(CONTESTANTS)
Progress = Callable[[float, float], object]
"""Told (checks timed, checks to be timed); may raise in order to stop."""

# Everything that would start threads is told so before it is loaded: BLAS and OpenMP, and XLA, which asks for NPROC.
# torch has a function for it besides.
_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB")
ONE_THREAD = {**{f"{name}_NUM_THREADS": "1" for name in _THREADS}, "VECLIB_MAXIMUM_THREADS": "1", "NPROC": "1"}
_GRACE = 60.0  # seconds beside its rounds, for a package to load and a batch to be generated
_BYTES_PER_ENTRY = 24 * 8  # what automatic differentiation keeps of one pass, on both sides of a round


def bench(
    sizes: Sequence[tuple[int, int]] = SIZES,
    *,
    checks: Collection[str] = NAMES,
    rounds: int = 5,
    limit: float = 20.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> BenchReport:
    """Time the ``checks`` named on a generated float64 batch of each size (N, D).

    Each check of another has a process of its own with one thread, in which it is made in turn with bncheck's check
    that verifies alike and with a forward pass: so ratios hold while the speed of the machine drifts.  The
    first of at least three rounds is not counted.  A check that would take more than ``limit`` seconds, by the
    number of its passes and the time of one, is not run.  Raises BadInput.
    """
    _require(sizes, checks, rounds, limit)
    wanted = [contestant for contestant in CONTESTANTS.values() if contestant.name in checks]
    costs: list[Cost] = []
    for n, d in sizes:
        for contestant in wanted:
            costs.append(_timed(contestant, n, d, seed, rounds, limit))
            if progress is not None:
                progress(len(costs), len(sizes) * len(wanted))
    settings = {"rounds": rounds, "limit": limit, "seed": seed, "dtype": "float64", "threads": 1}
    today = datetime.datetime.now().astimezone().date().isoformat()
    return BenchReport(today, machine.describe(), settings, tuple(costs), __version__)


def _require(sizes: Sequence[tuple[int, int]], checks: Collection[str], rounds: int, limit: float) -> None:
    unknown = sorted(set(checks) - set(NAMES))
    if unknown or not checks:
        raise BadInput(
            f"there is no check {unknown[0]!r}" if unknown else f"no check is named: give {', '.join(NAMES)}"
        )
    if not sizes:
        raise BadInput("no size is named: give one (N, D) at the least")
    if rounds < 1:
        raise BadInput(f"rounds is {rounds}: at least 1 is needed")
    if not (math.isfinite(limit) and limit > 0):
        raise BadInput(f"limit is {limit:g}: give a number of seconds above 0")
    for n, d in sizes:
        if n < 2 or d < 1:
            raise BadInput(f"(N, D) is ({n}, {d}): at least two rows and a column are needed")
        memory.require(n, d, _BYTES_PER_ENTRY, "a benchmark")


def _timed(contestant: Contestant, n: int, d: int, seed: int, rounds: int, limit: float) -> Cost:
    blank = Cost(contestant.name, n, d, contestant.verifies, contestant.error_bar, Outcome.ABSENT)
    if not contestant.installed:
        return blank
    asked = {"name": contestant.name, "n": n, "d": d, "seed": seed, "rounds": rounds, "limit": limit}
    found = _asked(asked, 3 * limit + _GRACE)
    for name in ("seconds", "own_passes", "times_bncheck"):
        found[name] = Spread(**found[name]) if found.get(name) else None
    return blank._replace(**{**found, "outcome": Outcome(found["outcome"])})


def _asked(asked: dict[str, Any], timeout: float) -> dict[str, Any]:
    """The answer of a process that is there for this question alone."""
    command = [sys.executable, "-m", "bncheck.timing.child", json.dumps(asked)]
    environment = {**os.environ, **ONE_THREAD}
    try:
        said = subprocess.check_output(command, timeout=timeout, env=environment, stderr=subprocess.DEVNULL)
        answer: dict[str, Any] = json.loads(said)
    except subprocess.TimeoutExpired:
        return {"outcome": Outcome.STOPPED, "said": f"it was stopped after {timeout:g} s"}
    except subprocess.CalledProcessError as error:
        return {"outcome": Outcome.FAILED, "said": f"its process ended with {error.returncode}"}
    return answer
