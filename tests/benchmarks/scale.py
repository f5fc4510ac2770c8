"""How the cost of a check grows with the batch, in units of the forward passes that the check makes.

    python -m tests.benchmarks.scale [largest [plot.png]]

Each batch has a process of its own with one thread, in which a check and plain forward passes of the whole batch are
made in turn; ratios are medians of the rounds, with their range.  ``within`` is the ratio to what the passes took
inside the check itself, where they run on blocks of columns that may be cheaper, or dearer, than the whole.
``largest`` is the number of entries to stop at, 1e8 unless said; the plot draws seconds against entries, with the
line of constant cost an entry.  Seconds are of processor time.  Memory is the peak of the process; the batch itself
(x and dout, 16 bytes an entry) stands beside it.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from bncheck import batchnorm
from bncheck.batch import Batch, generate
from bncheck.checks.gradients import check_gradients
from bncheck.layers.protocol import Call
from bncheck.layers.reference import Reference, ReferencePass
from bncheck.settings import CheckSettings
from bncheck.timing.run import ONE_THREAD
from bncheck.vocabulary import Coverage

PROJECTED = (
    (2_000, 50), (100, 1_000), (20_000, 50), (1_000, 1_000), (200_000, 50), (10_000, 1_000), (65_536, 256),
    (1_000_000, 50), (50_000, 1_000), (2_000_000, 50), (100_000, 1_000),
)  # fmt: skip
FULL = ((256, 64), (512, 256), (1024, 512))
EIGHT = 1 - 2.0**-8
"""The confidence that asks for eight directions."""
ROUNDS, BRIEF = 5, 0.1


def processor(work: Callable[[], object]) -> float:
    """Seconds of processor time of one run; short work is repeated."""
    runs, start, clock = 0, time.process_time(), time.perf_counter()
    while not runs or time.perf_counter() - clock < BRIEF:
        work()
        runs += 1
    return (time.process_time() - start) / runs


class Timed(Reference):
    """Keeps the processor time that its passes take."""

    spent = 0.0

    def forward(self, call: Call, state: object = None) -> ReferencePass:
        started = time.process_time()
        made = super().forward(call, state)
        self.spent += time.process_time() - started
        return made


def within(batch: Batch, settings: CheckSettings) -> float:
    """What a check takes in units of the passes in it."""
    layer, started = Timed(), time.process_time()
    check_gradients(batch, layer, check=settings)
    return (time.process_time() - started) / layer.spent


def measure(n: int, d: int, coverage: str) -> dict[str, float]:
    """In this process: a check and single forward passes, in turn."""
    batch = generate(n, d)
    settings = CheckSettings(coverage=Coverage(coverage), confidence=EIGHT, probes=False)
    rounds: list[tuple[float, float]] = []
    check = partial(check_gradients, batch, check=settings)
    for _ in range(ROUNDS if batch.x.size < 2e7 else 2):
        once = processor(lambda: batchnorm.forward(batch.x, batch.gamma, batch.beta, 1e-5))
        rounds.append((processor(check), once))
    report = check()
    assert report.verdict == "pass"
    ratios = [taken / (report.forward_passes * once) for taken, once in rounds]
    seconds = statistics.median(taken for taken, _ in rounds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    low, high = min(ratios), max(ratios)
    found = {"seconds": seconds, "passes": report.forward_passes, "ratio": statistics.median(ratios)}
    return {**found, "low": low, "high": high, "peak": peak, "within": within(batch, settings)}


def row(n: int, d: int, coverage: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.scale", "measure", str(n), str(d), coverage]
    found = json.loads(subprocess.check_output(command, env={**os.environ, **ONE_THREAD}))
    spread = f"{found['low']:.2f}-{found['high']:.2f}"
    print(
        f"{f'({n}, {d})':>16}{n * d:>10.1e}{found['seconds']:>10.3g}{found['seconds'] / (n * d) * 1e9:>10.0f}"
        f"{found['passes']:>8.0f}{found['ratio']:>8.2f}  {spread:10}{found['within']:>6.2f}"
        f"{found['peak']:>8.0f}{16 * n * d / 2**20:>8.0f}",
        flush=True,
    )
    return float(found["seconds"])


def draw(points: list[tuple[float, float]], path: str) -> None:
    """Seconds against entries, both in decades: where cost is linear, the points lie on the line."""
    from matplotlib.figure import Figure

    entries, seconds = zip(*sorted(points), strict=True)
    rate = statistics.median(taken / count for count, taken in points)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.loglog(entries, seconds, "o", label="projected check, K = 8")
    axes.loglog(entries, [rate * count for count in entries], "--", label=f"{rate * 1e9:.0f} ns an entry")
    axes.set(xlabel="entries, N x D", ylabel="seconds of processor time")
    axes.legend()
    figure.savefig(path)


def main(largest: float, plot: str | None = None) -> None:
    points: list[tuple[float, float]] = []
    for coverage, sizes in (("projected", PROJECTED), ("full", FULL)):
        print(f"{coverage} coverage{', K = 8' if coverage == 'projected' else ''}")
        print("          (N, D)   entries   seconds  ns/entry  passes   ratio  range     within peak, MiB  batch")
        for n, d in sizes:
            if n * d <= largest:
                taken = row(n, d, coverage)
                points += [(n * d, taken)] if coverage == "projected" else []
    if plot is not None:
        draw(points, plot)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1e8, sys.argv[2] if len(sys.argv) > 2 else None)
