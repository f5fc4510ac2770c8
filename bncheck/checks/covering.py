"""How much of dx to look at: every entry while that takes about a second, projections where it takes longer."""

from __future__ import annotations

import time

import numpy as np

from bncheck import memory
from bncheck.checks.numeric import BYTES_PER_ENTRY, Question
from bncheck.errors import BadInput
from bncheck.layers.protocol import Pass
from bncheck.passes import require_finite
from bncheck.report import Coverage
from bncheck.vocabulary import Coverage as Kind

_SECONDS = 1.0
_GAIN = 2.0  # below it, every entry is worth the time


def chosen(asked: Question) -> tuple[Pass | None, Coverage]:
    """The forward pass on the batch, by whose time it is decided, and the decision.

    A batch on disk is never passed forward as a whole: it is projected.
    """
    if asked.batch.budget is not None:
        _require_columns(asked)
        return None, Coverage(Kind.PROJECTED, "the batch is larger than the memory that may be used")
    require_finite(asked.call)
    started = time.perf_counter()
    with np.errstate(all="ignore"):
        made = asked.layer.forward(asked.call)
    taken = time.perf_counter() - started
    kind = asked.check.coverage
    if kind is not Kind.AUTO or not asked.check.own_step:
        return made, Coverage(Kind.PROJECTED if kind is Kind.PROJECTED else Kind.FULL, "")
    needed = asked.batch.x.size * BYTES_PER_ENTRY
    if asked.layer.traits.packs and not memory.fits(needed):
        return made, Coverage(
            Kind.PROJECTED, f"every entry (--coverage full) would take {memory.said(needed)} of memory"
        )
    if asked.cost * taken > _SECONDS and asked.cost > _GAIN * _projected(asked):
        # The first pass may have had something to load or to compile.
        started = time.perf_counter()
        with np.errstate(all="ignore"):
            asked.layer.forward(asked.call)
        taken = min(taken, time.perf_counter() - started)
        if asked.cost * taken > _SECONDS:
            why = f"a forward pass takes {taken:.2g} s, and every entry (--coverage full) {asked.cost} of them"
            return made, Coverage(Kind.PROJECTED, why)
    return made, Coverage(Kind.FULL, "")


def _projected(asked: Question) -> int:
    """Forward passes that a projected check makes."""
    from bncheck.projections import BESIDE, how_many

    return 4 * how_many(asked.check.confidence) + BESIDE


def _require_columns(asked: Question) -> None:
    if not asked.layer.traits.packs or asked.entangled:
        raise BadInput(f"{asked.layer.name} takes all columns at once, and {asked.batch.source} is larger than memory")
    if asked.check.coverage is Kind.FULL:
        raise BadInput(f"{asked.batch.source} is larger than memory, and --coverage full wants it there")
