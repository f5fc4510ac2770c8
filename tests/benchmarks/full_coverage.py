"""A full check with error bars against the loop that everybody writes, on the same NumPy forward.

    python tests/benchmarks/full_coverage.py

Run it with one thread (OMP_NUM_THREADS=1).  The two are timed in turn in one process; the ratio is taken round
by round, so that it holds while the speed of the machine drifts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batch import Batch, generate
from bncheck.checks.gradients import check_gradients

SIZES = ((64, 10, 15, 10), (256, 64, 3, 60))  # N, D, rounds, the factor asked for


def loop(batch: Batch, eps: float = 1e-5, h: float = 1e-5) -> Array:
    """Two forward passes for each entry of x, one number at a time."""
    x, numeric = batch.x.copy(), np.empty_like(batch.x)
    for i in range(batch.n):
        for j in range(batch.d):
            kept = x[i, j]
            x[i, j] = kept + h
            above = np.sum(batch.dout * batchnorm.forward(x, batch.gamma, batch.beta, eps))
            x[i, j] = kept - h
            below = np.sum(batch.dout * batchnorm.forward(x, batch.gamma, batch.beta, eps))
            x[i, j] = kept
            numeric[i, j] = (above - below) / (2 * h)
    return numeric


def best(work: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several runs: what the work takes when nothing gets in its way."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    print("(N, D)      loop, s  bncheck, s  times faster  asked for")
    for n, d, rounds, asked in SIZES:
        batch = generate(n, d)
        times = 3 if n * d < 10_000 else 1
        pairs = [
            (best(partial(loop, batch), times), best(partial(check_gradients, batch), times)) for _ in range(rounds)
        ]
        ratio = statistics.median(a / b for a, b in pairs)
        slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{f'({n}, {d})':10}  {slow:7.4f}  {fast:10.5f}  {ratio:12.1f}  {asked:9}")


if __name__ == "__main__":
    main()
