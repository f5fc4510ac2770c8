"""A large batch in blocks of columns: what is measured of each, and of all of them.

Columns do not meet, so a large batch is as many small ones as it has blocks of columns.  A block fits a cache,
where it is walked along every direction in turn (projections.py); what remains of it is a few numbers for each column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from bncheck.along import Sums
from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.checks.judgement import Quantity
from bncheck.checks.numeric import Meter, Numeric, Progress, Question, Workers, shaped
from bncheck.checks.oracle import defined, disagreements, own
from bncheck.checks.power import Evidence, Missed, Sight
from bncheck.errors import LayerRaised
from bncheck.large import BLOCK, Strips, blocks, column_block
from bncheck.layers.protocol import Pass
from bncheck.layers.reference import Reference
from bncheck.layers.travelling import Traveller, arrived
from bncheck.passes import require_finite
from bncheck.projections import BESIDE, Directions
from bncheck.rounding import allowance
from bncheck.views import Flat, View, bounds, seen

_WALKED = 1 << 19  # entries of a block for a layer that walks by itself: its kernels want several columns at once


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
    precision: str
    """The dtype that the differences were computed in."""


class Projected(NamedTuple):
    returned: Gradients | None
    """What the layer returned; None where it was asked block by block."""
    whole: Part
    directions: Directions
    passes: float


def measure_projected(asked: Question, made: Pass | None, progress: Progress | None = None) -> Projected:
    """``made`` is the forward pass of the whole batch; None, where that does not fit, makes one for each block.

    So does a layer that may be asked block by block: its tables of a block stay in the cache.
    """
    batch, apart = asked.batch, asked.layer.traits.packs and not asked.entangled
    directions = Directions.enough(
        batch.x.size if asked.entangled else batch.n, asked.check.confidence, batch.seed or 0
    )
    meter = Meter(4 * len(directions.signs) + BESIDE, progress)
    with np.errstate(all="ignore"):
        whole_pass = None if asked.layer.traits.apart else made
        returned = whole_pass.backward(batch.dout) if whole_pass is not None else None
        whole = shaped(returned, asked.call) if returned is not None else None
        tables = Strips(batch.x, batch.budget), Strips(batch.dout, batch.budget)
        dx = Strips(whole.dx, batch.budget) if whole else None

        def piece(block: slice, unseen: dict[str, set[str]] | None = None) -> _Piece:
            part = asked._replace(batch=column_block(batch, block, tables), workers=None)
            own = Gradients(dx.cut(block), whole.dgamma[block], whole.dbeta[block]) if whole and dx else None
            return _Piece(part, block.start, own, directions, part.batch.d / batch.d, made is not None, unseen)

        first, *rest = blocks(batch, apart, _WALKED if hasattr(asked.layer, "walk") else BLOCK)
        parts = [_measured(piece(first), meter)]
        # What the first block shows need not be looked for in the others.
        unseen = {name: {m.code for m in missed} for name, missed in parts[0].missed.items()}
        pieces = (piece(block, unseen) for block in rest)
        if asked.workers is None:
            parts += [_measured(each, meter) for each in pieces]
        else:
            parts += _carried(asked.workers, pieces, [block.start for block in rest], meter)
    return Projected(returned, _joined(parts), directions, meter.passes)


class _Piece(NamedTuple):
    """One block, with all that its measuring takes."""

    asked: Question
    first: int
    """Its first column."""
    analytic: Gradients | None
    """None where the layer is asked for the block alone."""
    directions: Directions
    share: float
    """Of the whole batch, that it is."""
    finite: bool
    """The whole batch is known to have a finite normalization."""
    unseen: dict[str, set[str]] | None
    """The codes of the mistakes that no other block has shown; None for all."""


def _measured(piece: _Piece, meter: Meter) -> Part:
    asked, analytic = piece.asked, piece.analytic
    if analytic is None:
        if not piece.finite:
            require_finite(asked.call, piece.first)
        analytic = shaped(asked.layer.forward(asked.call).backward(asked.batch.dout), asked.call)
    return _part(asked, analytic, _Along(piece.directions, meter, piece.share), piece.unseen)


def _carried(workers: Workers, pieces: Iterable[_Piece], firsts: list[int], meter: Meter) -> list[Part]:
    """The blocks measured by others, in order."""
    # Loaded where there are others: it takes as long to load as a small check.
    from bncheck.executors import Killed, Task, run_all

    def tick(_: object, result: tuple[Part, float] | Killed) -> None:
        if isinstance(result, Killed):
            raise LayerRaised(f"the layer ended its process, {result.tries} times on the same columns")
        meter.tick(result[1])

    bare = (piece._replace(asked=piece.asked._replace(layer=Reference())) for piece in pieces)
    tasks = (Task(piece.first, partial(_elsewhere, workers.layer, piece)) for piece in bare)
    results = run_all(tasks, workers.executor, tick)
    return [results[first][0] for first in firsts]


def _elsewhere(layer: Traveller, piece: _Piece) -> tuple[Part, float]:
    """In another process: the part, and the forward passes that it took."""
    meter = Meter(0, None)
    with np.errstate(all="ignore"):
        asked = piece.asked._replace(layer=arrived(layer)[0])
        return _measured(piece._replace(asked=asked), meter), meter.passes


class _Along(NamedTuple):
    directions: Directions
    meter: Meter
    share: float


def _part(asked: Question, analytic: Gradients, along: _Along, unseen: dict[str, set[str]] | None) -> Part:
    """One block, whose batch ``asked`` holds and of which the layer returned ``analytic``."""
    view: View = Flat(along.directions) if asked.entangled else along.directions
    numeric = Numeric(asked, asked.call, along.meter, along.share)
    found, parameters = numeric.slopes(along.directions), numeric.parameters()
    values = Gradients(found.value, *parameters.value)
    bars = Gradients(found.error, parameters.error, parameters.error)
    if asked.entangled:
        allowed = _as_one(asked, analytic, view, values)
    else:
        allowed = _apart(numeric, analytic, along.directions, values, bars)
    rounding = allowed.rounding._replace(dx=allowed.rounding.dx + view.rounding(analytic.dx))
    numbers = zip(Gradients._fields, allowed.looked, values, bars, rounding, allowed.doubtful, strict=True)
    quantities = tuple(Quantity(n, a, v, e, np.broadcast_to(r, v.shape), d) for n, a, v, e, r, d in numbers)
    evidence = {q.name: Evidence(q.numeric, q.allowed) for q in quantities}
    sight = Sight(asked.call, asked.batch.dout, evidence, asked.check.rtol, view)
    return Part(
        quantities,
        {q.name: sight.missed(q.name, unseen and unseen[q.name]) for q in quantities},
        {q.name: sight.smallest(q.name) for q in quantities},
        {q.name: sight.why_zero(q.name) if sight.hidden(q.name) else "" for q in quantities},
        _largest(2 * quantities[0].allowed.max(axis=0) / allowed.typical),
        float(np.max(found.step)),
        float(np.max(found.noise)),
        str(numeric.dtype),
    )


class _Allowed(NamedTuple):
    looked: Gradients
    """What the layer returned, dx as it is looked at."""
    rounding: Gradients
    doubtful: Gradients
    typical: Array
    """(D,), what the terms of dx are like."""


def _as_one(asked: Question, analytic: Gradients, view: View, values: Gradients) -> _Allowed:
    """Of a layer in which columns meet."""
    allowed = allowance(asked.call, asked.batch.dout, asked.batch.x.dtype)
    rounding = bounds(allowed.rounding, view)
    typical = np.sqrt(np.mean(allowed.natural_scale.dx**2, axis=0))
    return _Allowed(seen(analytic, view), rounding, Gradients(*(np.zeros(v.shape, bool) for v in values)), typical)


def _apart(
    numeric: Numeric, analytic: Gradients, directions: Directions, values: Gradients, bars: Gradients
) -> _Allowed:
    """Of a layer in which they do not."""
    agrees = defined(numeric.wide, out := numeric.out())
    instead, dtype = own(numeric.call, out, agrees), numeric.call.x.dtype
    sums, of_dx = Sums.of(numeric.wide, numeric.dout, directions, analytic.dx)
    limits = sums.limits(dtype, instead)
    working = limits if dtype == numeric.dtype and instead is None else sums.limits(numeric.dtype)
    doubtful = disagreements(agrees, values, bars, sums.truth(), working.entries)
    return _Allowed(analytic._replace(dx=of_dx), limits.along, doubtful, limits.typical)


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
        # The one of which least can be said.
        max((part.precision for part in parts), key=lambda name: np.finfo(name).eps),
    )


def _plainest(some: tuple[Missed, ...], others: tuple[Missed, ...]) -> Iterator[Missed]:
    """What both miss, with the reason of the block that came nearest to seeing it."""
    also = {m.code: m for m in others}
    return (max(m, also[m.code], key=lambda missed: missed.ratio) for m in some if m.code in also)
