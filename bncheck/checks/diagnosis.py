"""Which mistake a gradient that has failed is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.checks.numeric import Measured
from bncheck.findings import paths, sums
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.own import Own
from bncheck.report import Finding, GradientResult
from bncheck.vocabulary import Mode, Verdict

_ROUNDINGS = 16


def diagnose(
    measured: Measured, dout: Array, allowed: Gradients, results: tuple[GradientResult, ...]
) -> Iterator[Finding]:
    """The findings in the gradients that failed."""
    made, right = (Gradients(*(g.astype(np.float64) for g in each)) for each in (measured.analytic, measured.numeric))
    failed = {r.name: r for r in results if r.verdict is Verdict.FAIL}
    for name, shape, value in zip(Gradients._fields, measured.shapes, measured.analytic, strict=True):
        if name in failed and shape != value.shape:
            yield wrong_shape(name, shape, value.shape, measured.call.x.size)
            del failed[name]
    for name in [name for name in failed if not np.isfinite(getattr(made, name)).all()]:
        yield CATALOGUE["BN003"].found(name, failed.pop(name).reason)
    if not failed:
        return
    case = _case(measured, dout, made, right, allowed)
    if "dx" in failed:
        readable = np.isfinite(right.dx).all() and np.isfinite(case.own.inv).all()
        read_as = paths.read(case) if readable else [paths.Diagnosis("BN110", "the numerical dx is no number")]
        for diagnosis in read_as:
            yield CATALOGUE[diagnosis.code].found("dx", f"{diagnosis.evidence}; {failed['dx'].reason}")
    for name, diagnosis in sums.read(case, made, right, allowed, failed).items():
        yield CATALOGUE[diagnosis.code].found(name, diagnosis.evidence)


def wrong_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...], entries: int) -> Finding:
    """Of a gradient; a dgamma or dbeta that holds as many numbers as x, or one, was not summed as it should be."""
    code = "BN201" if name != "dx" and math.prod(shape) in (1, entries) else "BN002"
    return CATALOGUE[code].found(name, f"{name} has shape {shape} where {expected} is right")


def _case(measured: Measured, dout: Array, made: Gradients, right: Gradients, allowed: Gradients) -> paths.Case:
    call, train = measured.call.astype(np.float64), measured.call.settings.mode is Mode.TRAIN
    # A mistake may be larger than what it stands for, and rounds in proportion.
    own_rounding = _ROUNDINGS * np.finfo(measured.call.x.dtype).eps * np.abs(made.dx)
    within = allowed.dx + own_rounding
    own = measured.own or Own.of_definition(call)
    return paths.Case(call, dout.astype(np.float64), made.dx, right.dx, within, own, train)
