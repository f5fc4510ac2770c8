"""The check of a batch that is too large to be looked at entry by entry: every column along random directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.checks.blocks import Part, Projected, measure_projected
from bncheck.checks.judgement import Quantity, Seen, blinded, failure, judge
from bncheck.checks.locating import NAMED, locate
from bncheck.checks.numeric import Meter, Numeric, Progress, Question, shaped
from bncheck.checks.oracle import defined, own
from bncheck.checks.power import power_of
from bncheck.large import at_once, column_block
from bncheck.layers.protocol import Pass
from bncheck.report import Coverage, Finding, GradientResult, Worst
from bncheck.rounding import allowance
from bncheck.vocabulary import Mode, Verdict


def look(asked: Question, made: Pass | None, coverage: Coverage, progress: Progress | None = None) -> Seen:
    """``made`` is the forward pass on the batch."""
    measured = measure_projected(asked, made, progress)
    whole, directions = measured.whole, measured.directions
    coverage = coverage._replace(directions=len(directions.signs), miss_probability=directions.missed, sure=whole.sure)
    results = [_judged(asked, whole, q) for q in whole.quantities]
    findings: tuple[Finding, ...] = ()
    if any(result.verdict is Verdict.FAIL for result in results):
        from bncheck.checks.sampling import diagnose_sample

        suspects = _suspects(whole.quantities)
        if results[0].verdict is Verdict.FAIL:
            results[0] = _located(asked, measured, results[0])
        findings = tuple(diagnose_sample(asked, tuple(results), suspects))
    return Seen(tuple(results), findings, coverage, measured.passes, whole.precision, whole.step, whole.noise)


def _judged(asked: Question, whole: Part, q: Quantity) -> GradientResult:
    power = power_of(q.name, asked.settings.mode is Mode.TRAIN, whole.missed[q.name], whole.smallest[q.name])
    layout, d = asked.batch.layout, asked.batch.d
    axes, channels = (len(layout.shape), layout.channel_axis) if layout else (2, 1)

    def place(_: int, column: int) -> tuple[int | None, ...]:
        return tuple(column if axis == channels and not asked.entangled else None for axis in range(axes))

    shape = asked.batch.x.shape if q.name == "dx" else (d,)
    judged = judge(q, asked.check.rtol, place)._replace(power=power, shape=shape)
    return blinded(judged, lambda name: whole.zero[name], asked.check.strict)


def _suspects(quantities: tuple[Quantity, ...]) -> list[int]:
    """The columns in which something is wrong, the worst first."""
    worst = np.zeros(quantities[0].numeric.shape[-1])
    for q in quantities:
        worst = np.maximum(worst, _excess(q))
    return [int(j) for j in np.argsort(-worst, kind="stable") if worst[j] > 1]


def _excess(q: Quantity) -> Array:
    """(D,), by how much each column is off at the worst, in units of what is allowed."""
    with np.errstate(all="ignore"):
        excess = np.abs(q.analytic - q.numeric) / q.allowed
    excess = np.where(q.silent, 0, np.where(np.isnan(excess), np.inf, excess))
    return np.asarray(np.atleast_2d(excess).max(axis=0), dtype=np.float64)


def _located(asked: Question, measured: Projected, result: GradientResult) -> GradientResult:
    """The result for dx with the entries that are wrong, as far as they are found."""
    suspects = _suspects(measured.whole.quantities[:1])
    with np.errstate(all="ignore"):
        followed = min(NAMED, at_once(asked.batch))
        wrong, dropped = _wrong_entries(asked, measured.returned, suspects[:followed])
    more = dropped + len(suspects[followed:])
    columns = f"{len(suspects)} of {asked.batch.d} columns {'is' if len(suspects) == 1 else 'are'}"
    which = "it is" if asked.entangled else columns
    if not wrong:
        return result._replace(reason=f"{which} wrong along random directions", more=len(suspects))
    reason = f"{which} wrong: {failure(result.name, wrong[0])}"
    reason += f"; {len(wrong) - 1} other{'s' if len(wrong) > 2 else ''} found" if len(wrong) > 1 else ""
    reason += f", and there are at least {more} more" if more else ""
    return result._replace(worst=wrong[0], wrong=wrong, more=more, reason=reason)


def _wrong_entries(asked: Question, returned: Gradients | None, suspects: list[int]) -> tuple[tuple[Worst, ...], int]:
    """The wrong entries found in these columns of dx, the worst first, and how many more there are at least."""
    apart = asked.layer.traits.packs and not asked.entangled
    part = asked._replace(batch=column_block(asked.batch, suspects)) if apart else asked
    if returned is None:
        dx = shaped(part.layer.forward(part.call).backward(part.batch.dout), part.call).dx
    else:
        dx = shaped(returned, asked.call).dx
        dx = dx[:, suspects] if apart else dx
    numeric, instead = Numeric(part, part.call, Meter(0, None)), None
    if not asked.entangled:
        instead = own(part.call, out := numeric.out(), defined(numeric.wide, out))
    whole = numeric.columns()
    rounding = allowance(part.call, part.batch.dout, part.batch.x.dtype, instead).rounding.dx
    names = dict(enumerate(suspects)) if apart else {column: column for column in suspects}
    given = dx.reshape(whole.x.shape), rounding.reshape(whole.x.shape)
    found, dropped = locate(whole, apart, *given, list(names), asked.batch.seed or 0)

    def place(row: int, column: int) -> tuple[int, ...]:
        return asked.batch.place(*(divmod(row, asked.batch.d) if asked.entangled else (row, names[column])))

    return tuple(replace(wrong, index=place(row, column)) for row, column, wrong in found), dropped
