"""Which mistake a gradient that has failed is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.paths import read_dx, read_parameters
from bncheck.layers.protocol import Call
from bncheck.report import Finding, GradientResult
from bncheck.vocabulary import Mode, Verdict


def diagnose(
    call: Call, dout: Array, made: Gradients, right: Gradients, results: tuple[GradientResult, ...]
) -> Iterator[Finding]:
    """A finding for each gradient that failed; ``right`` are the numerical ones."""
    failed = {r.name: r for r in results if r.verdict is Verdict.FAIL}
    for name, result in failed.items():
        if not np.isfinite(getattr(made, name)).all():
            yield CATALOGUE["BN003"].found(name, result.reason)
    finite = [name for name in failed if np.isfinite(getattr(made, name)).all()]
    wide = call.astype(np.float64)
    values, truth = (Gradients(*(g.astype(np.float64) for g in each)) for each in (made, right))
    if "dx" in finite:
        if call.settings.mode is Mode.TEST or not np.isfinite(truth.dx).all():
            yield CATALOGUE["BN110"].found("dx", results[0].reason)
        else:
            read = read_dx(wide, dout.astype(np.float64), values.dx, truth.dx)
            yield CATALOGUE[read.code].found("dx", f"{read.evidence}; {results[0].reason}")
    parameters = [name for name in finite if name != "dx"]
    if parameters:
        known = read_parameters(wide, dout.astype(np.float64), values, truth)
        for name, read in known.items():
            yield CATALOGUE[read.code].found(name, read.evidence)
        if not known:
            yield CATALOGUE["BN205"].found(parameters[0], failed[parameters[0]].reason)
