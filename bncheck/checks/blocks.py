"""A large batch in blocks of columns: what is measured of each, and of all of them.

Columns do not meet, so a large batch is as many small ones as it has blocks of columns.  A block fits a cache,
where it is walked along every direction in turn (projections.py); what remains of it is a few numbers for each column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.judgement import Quantity
from bncheck.checks.numeric import Meter, Numeric, Progress, Question, shaped
from bncheck.checks.oracle import disagreements
from bncheck.checks.power import Evidence, Missed, Sight
from bncheck.checks.views import Flat, View, bounds, seen
from bncheck.layers.protocol import Pass
from bncheck.projections import BESIDE, Directions
from bncheck.rounding import allowance

_BLOCK = 1 << 17  # entries of a block: its dozen arrays fit the last cache
_TALL = 1024  # rows from which a block is laid out column by column


class Part(NamedTuple):
    """What is known of one block of columns, and of all of them in the end."""

    quantities: tuple[Quantity, ...]
    """dx is (K, D): along every direction."""
    missed: dict[str, tuple[Missed, ...]]
    smallest: dict[str, float]
    zero: dict[str, str]
    """Why a gradient is zero, if that is known."""
    sure: float
    """An entry of dx is seen for certain if it is off by more than this, in units of what the terms of dx are like."""
    step: float
    noise: float


class Projected(NamedTuple):
    returned: Gradients | None
    """What the layer returned; None where it was asked block by block."""
    whole: Part
    directions: Directions
    passes: float


def measure_projected(asked: Question, made: Pass | None, progress: Progress | None = None) -> Projected:
    """``made`` is the forward pass of the whole batch; None, where that does not fit, makes one for each block."""
    batch, check = asked.batch, asked.check
    directions = Directions.enough(batch.x.size if asked.entangled else batch.n, check.confidence, batch.seed or 0)
    meter = Meter(4 * len(directions.signs) + BESIDE, progress)
    with np.errstate(all="ignore"):
        returned = made.backward(batch.dout) if made is not None else None
        parts: list[Part] = []
        for block in blocks(asked):
            part = asked._replace(batch=columns(batch, block))
            own = returned or part.layer.forward(part.call).backward(part.batch.dout)
            which = block if returned else slice(None)
            analytic = Gradients(*(g[..., which] for g in shaped(own, (asked if returned else part).call)))
            # What the first block shows need not be looked for in the others.
            unseen = {name: {m.code for m in missed} for name, missed in parts[0].missed.items()} if parts else None
            parts.append(_part(part, analytic, _Along(directions, meter, part.batch.d / batch.d), unseen))
    return Projected(returned, _joined(parts), directions, meter.passes)


class _Along(NamedTuple):
    directions: Directions
    meter: Meter
    share: float
    """Of the whole batch, that a block is."""


def blocks(asked: Question) -> Iterator[slice]:
    """Blocks of columns; a layer that wants all of its columns at once gets them."""
    n, d = asked.batch.n, asked.batch.d
    width = max(1, _BLOCK // n) if asked.layer.traits.packs and not asked.entangled else d
    return (slice(left, min(left + width, d)) for left in range(0, d, width))


def columns(batch: Batch, block: slice | list[int]) -> Batch:
    """The batch that these columns make; of many rows, one column after the other in memory."""
    laid_out = np.asfortranarray if batch.n >= _TALL else np.ascontiguousarray
    which = np.arange(batch.d)[block]
    return replace(
        batch,
        x=laid_out(batch.x[:, block]),
        gamma=batch.gamma[block],
        beta=batch.beta[block],
        dout=laid_out(batch.dout[:, block]),
        running=batch.running.take(which) if batch.running else None,
        layout=None,
        columns=(),
    )


def _part(asked: Question, analytic: Gradients, along: _Along, unseen: dict[str, set[str]] | None) -> Part:
    """One block, whose batch ``asked`` holds and of which the layer returned ``analytic``."""
    view: View = Flat(along.directions) if asked.entangled else along.directions
    numeric = Numeric(asked, asked.call, along.meter, along.share)
    found, parameters = numeric.slopes(along.directions), numeric.parameters()
    call, dout = asked.call, asked.batch.dout
    allowed = allowance(call, dout, call.x.dtype)
    values = Gradients(found.value, *parameters.value)
    bars = Gradients(found.error, parameters.error, parameters.error)
    doubtful = Gradients(*(np.zeros(v.shape, bool) for v in values))
    if not asked.entangled:
        doubtful = disagreements(numeric.wide, numeric.dout, numeric.out(), values, bars, view, numeric.dtype)
    rounding = bounds(allowed.rounding, view)
    rounding = rounding._replace(dx=rounding.dx + view.rounding(analytic.dx))
    numbers = zip(Gradients._fields, seen(analytic, view), values, bars, rounding, doubtful, strict=True)
    quantities = tuple(Quantity(n, a, v, e, np.broadcast_to(r, v.shape), d) for n, a, v, e, r, d in numbers)
    sight = Sight(call, dout, {q.name: Evidence(q.numeric, q.allowed) for q in quantities}, asked.check.rtol, view)
    typical = np.sqrt(np.mean(allowed.natural_scale.dx**2, axis=0))
    return Part(
        quantities,
        {q.name: sight.missed(q.name, unseen and unseen[q.name]) for q in quantities},
        {q.name: sight.smallest(q.name) for q in quantities},
        {q.name: sight.why_zero(q.name) for q in quantities},
        _largest(2 * quantities[0].allowed.max(axis=0) / typical),
        float(np.max(found.step)),
        float(np.max(found.noise)),
    )


def _largest(values: Array) -> float:
    """Among the columns of which anything can be said."""
    return float(np.max(values, initial=0, where=np.isfinite(values)))


def _joined(parts: list[Part]) -> Part:
    """All columns; a mistake is missed where every block misses it."""
    first, names = parts[0], Gradients._fields
    quantities = tuple(
        Quantity(
            name, *(np.concatenate(each, axis=-1) for each in zip(*(p.quantities[k][1:] for p in parts), strict=True))
        )
        for k, name in enumerate(names)
    )
    missed = {name: first.missed[name] for name in names}
    for part in parts[1:]:
        missed = {name: tuple(_plainest(missed[name], part.missed[name])) for name in names}
    return Part(
        quantities,
        missed,
        {name: min(part.smallest[name] for part in parts) for name in names},
        {name: first.zero[name] if len({p.zero[name] for p in parts}) == 1 else "" for name in names},
        max(part.sure for part in parts),
        max(part.step for part in parts),
        max(part.noise for part in parts),
    )


def _plainest(some: tuple[Missed, ...], others: tuple[Missed, ...]) -> Iterator[Missed]:
    """What both miss, with the reason of the block that came nearest to seeing it."""
    also = {m.code: m for m in others}
    return (max(m, also[m.code], key=lambda missed: missed.ratio) for m in some if m.code in also)
