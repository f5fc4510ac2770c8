"""The check of every entry of dx, dgamma and dbeta."""

from __future__ import annotations

import numpy as np

from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.judgement import Quantity, Seen, blinded, judge, kept
from bncheck.checks.numeric import Measured, Progress, Question, measure
from bncheck.checks.power import Evidence, Sight
from bncheck.layers.protocol import Pass
from bncheck.report import Coverage, Finding, GradientResult
from bncheck.settings import CheckSettings
from bncheck.vocabulary import Verdict


def look(asked: Question, made: Pass, coverage: Coverage, progress: Progress | None = None) -> Seen:
    """``made`` is the forward pass on the batch."""
    measured = measure(asked, made, progress)
    results = judged(measured, asked.batch, asked.check)
    findings = _findings(measured, asked.batch, results)
    numbers = str(measured.dx.value.dtype), float(np.max(measured.dx.step)), float(np.max(measured.dx.noise))
    entries = tuple(kept(q, asked.check.rtol) for q in quantities(measured)) if asked.entries else ()
    return Seen(results, findings, coverage, measured.passes, *numbers, entries)


def judged(measured: Measured, batch: Batch, check: CheckSettings) -> tuple[GradientResult, ...]:
    """The verdict on each gradient, with what it could have been a verdict on."""
    each = quantities(measured)
    evidence = {q.name: Evidence(q.numeric, q.allowed) for q in each}
    with np.errstate(all="ignore"):
        sight = Sight(measured.call, batch.dout, evidence, check.rtol)
        results = [judge(q, check.rtol, batch.place)._replace(power=sight.power(q.name)) for q in each]
    return tuple(blinded(result, sight.why_zero, check.strict) for result in results)


def quantities(measured: Measured) -> list[Quantity]:
    """dx, dgamma and dbeta, with all that is known of each."""
    errors = (measured.dx.error, measured.parameters.error, measured.parameters.error)
    numbers = (measured.analytic, measured.numeric, errors, measured.rounding, measured.doubtful)
    return [Quantity(*each) for each in zip(Gradients._fields, *numbers, strict=True)]


def _findings(measured: Measured, batch: Batch, results: tuple[GradientResult, ...]) -> tuple[Finding, ...]:
    if all(result.verdict is not Verdict.FAIL for result in results):
        return ()
    # The catalogue is loaded when there is something to look up.
    from bncheck.checks.diagnosis import diagnose

    allowed = Gradients(*(q.allowed for q in quantities(measured)))
    with np.errstate(all="ignore"):
        return tuple(diagnose(measured, batch.dout, allowed, results))
