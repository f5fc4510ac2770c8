"""Does the layer lose digits that the batch costs nobody?"""

from __future__ import annotations

import numpy as np

from bncheck.batch import assemble
from bncheck.batchnorm import forward
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.normalization import Reading
from bncheck.vocabulary import Mode

_OFFSETS = (1e3, 1e5, 1e7)
_SLACK = 30.0  # the bound is of first order; E[x²] - E[x]² is off by a factor of mean / std more


def check(subject: Subject, reading: Reading | None) -> Outcome:
    """Batches of unit spread and a growing mean, against the same formula in extended precision."""
    if reading is None or reading.codes:
        return Outcome((), "not examined: the forward pass has to be right first")
    base = subject.probe(12)
    rng = np.random.default_rng(12)
    lost = []
    for offset in _OFFSETS:
        x = (offset + rng.standard_normal(base.x.shape)).astype(subject.dtype).astype(np.float64)
        batch = assemble({"x": x, "gamma": base.gamma, "beta": base.beta})
        call = subject.call(batch, Mode.TRAIN)
        wide = call.astype(np.longdouble)
        truth = forward(wide.x, wide.gamma, wide.beta, wide.settings.eps)
        out = np.array(subject.layer.forward(call).out)
        off = np.abs(out - truth)
        excess = np.where(np.isfinite(off), off, np.inf) / subject.allowed(call)
        lost.append(float(excess.max()))
    if max(lost) <= _SLACK:
        return Outcome((), f"means up to {_OFFSETS[-1]:g} times the spread cost no more than they must")
    growth = ", ".join(f"{k:.2g} at mean {o:g}" for k, o in zip(lost, _OFFSETS, strict=True))
    found = CATALOGUE["BN501"].found("out", f"error in units of what the batch costs: {growth}")
    return Outcome((found,), growth)
