"""Timing one contestant in turn with bncheck's own check: what a process does that is there for this alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bncheck.batch import Batch, generate
from bncheck.benchmark import Outcome, Spread
from bncheck.timing.checker import Checked, Checker
from bncheck.timing.registry import CONTESTANTS, Contestant

_LEAST = 0.02  # seconds that are worth being timed: shorter work is repeated
_SMALL = (32, 8)  # on which passes are counted, and everything is loaded and compiled for the first time


class _Timed(NamedTuple):
    """For one run."""

    seconds: float
    """Of processor time, of all threads."""
    passed: float
    """Seconds that went by."""


def timed(work: Callable[[], object], least: float = _LEAST) -> _Timed:
    """Repeats work that is short."""
    runs, processor, clock = 0, time.process_time(), time.perf_counter()
    while not runs or time.perf_counter() - clock < least:
        work()
        runs += 1
    return _Timed((time.process_time() - processor) / runs, (time.perf_counter() - clock) / runs)


def measure(name: str, n: int, d: int, seed: int, rounds: int, limit: float) -> dict[str, Any]:
    """What ``Cost`` says of the check of that name on a generated batch, but for what is known beforehand.

    Rounds begin until there are so many of them, or ``limit`` seconds have passed.
    """
    contestant, batch = CONTESTANTS[name], generate(n, d, seed)
    checker = contestant.checker(batch)
    passes, seconds = _expected(contestant, checker, batch)
    found: dict[str, Any] = {"version": checker.version, "passes": passes}
    if seconds > limit:
        return found | {"outcome": Outcome.EXTRAPOLATED, "seconds": Spread(seconds, seconds, seconds)}
    return found | _rounds(checker, _rival(contestant, batch, limit), rounds, limit)


def _expected(contestant: Contestant, checker: Checker, batch: Batch) -> tuple[float, float]:
    """The number of its passes, by a small batch, and the seconds that these take by themselves."""
    small = generate(min(batch.n, _SMALL[0]), min(batch.d, _SMALL[1]))
    counted = contestant.checker(small).check().passes
    passes = counted * contestant.growth.between((small.n, small.d), (batch.n, batch.d))
    once = min(timed(checker.forward, least=0).passed for _ in range(2))
    return passes, passes * once


def _rival(contestant: Contestant, batch: Batch, limit: float) -> Checker | None:
    """bncheck's own check that verifies alike, if it does so within the limit."""
    if contestant.rival is None:
        return None
    checker = contestant.rival.checker(batch)
    return checker if _expected(contestant.rival, checker, batch)[1] <= limit else None


def _rounds(checker: Checker, rival: Checker | None, rounds: int, limit: float) -> dict[str, Any]:
    made: list[tuple[_Timed, float, float | None]] = []
    results: list[Checked] = []
    started = time.perf_counter()
    while len(made) < rounds and (not made or time.perf_counter() - started < limit):
        own = timed(rival.check).seconds if rival else None
        check = timed(lambda: results.append(checker.check()))
        made.append((check, timed(checker.forward).seconds, own))
    # The first round has something to load or to compile.
    kept, last = made[1:] if len(made) > 2 else made, results[-1]
    ratios = [check.seconds / own for check, _, own in kept if own]
    return {
        "outcome": Outcome.MEASURED,
        "passes": last.passes,
        "accepted": last.accepted,
        "rounds": len(kept),
        "seconds": Spread.of([check.seconds for check, _, _ in kept]),
        "own_passes": Spread.of([check.seconds / (last.passes * once) for check, once, _ in kept]),
        "times_bncheck": Spread.of(ratios) if ratios else None,
        "cores": Spread.of([check.seconds / check.passed for check, _, _ in kept]).median,
    }
