"""How much of dx to look at: every entry while that takes about a second, projections where it takes longer."""

from __future__ import annotations

import time

import numpy as np

from bncheck.checks.numeric import Question
from bncheck.layers.protocol import Pass
from bncheck.projections import BESIDE, how_many
from bncheck.report import Coverage
from bncheck.vocabulary import Coverage as Kind

_SECONDS = 1.0
_GAIN = 2.0  # below it, every entry is worth the time


def chosen(asked: Question) -> tuple[Pass, Coverage]:
    """The forward pass on the batch, by whose time it is decided, and the decision."""
    started = time.perf_counter()
    with np.errstate(all="ignore"):
        made = asked.layer.forward(asked.call)
    taken = time.perf_counter() - started
    kind = asked.check.coverage
    if asked.entries:
        return made, Coverage(Kind.FULL, "")
    if kind is not Kind.AUTO:
        return made, Coverage(kind, "")
    projected = 4 * how_many(asked.check.confidence) + BESIDE
    if asked.cost * taken > _SECONDS and asked.cost > _GAIN * projected:
        # The first pass may have had something to load or to compile.
        started = time.perf_counter()
        with np.errstate(all="ignore"):
            asked.layer.forward(asked.call)
        taken = min(taken, time.perf_counter() - started)
        if asked.cost * taken > _SECONDS:
            why = f"a forward pass takes {taken:.2g} s, and a check of every entry {asked.cost} of them"
            return made, Coverage(Kind.PROJECTED, why)
    return made, Coverage(Kind.FULL, "")
