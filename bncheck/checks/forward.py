"""Is the forward pass batch normalization, in training?"""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import batch_statistics
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.normalization import Reading, read
from bncheck.layers.protocol import Call
from bncheck.vocabulary import Mode

Observed = list[tuple[Call, Array, Array]]
_PRIME = 13  # rows that make no image: adapters lay them out as 13 images of one place
_USUAL = (1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def observe(subject: Subject, rows: int = 12) -> Observed:
    """The layer's own outputs on several probes and two values of eps."""
    seen: Observed = []
    for seed in (1, 2):
        batch = subject.probe(seed, rows)
        for eps in subject.epsilons():
            call = subject.call(batch, Mode.TRAIN, eps=eps)
            seen.append((call, np.array(subject.layer.forward(call).out), subject.allowed(call)))
    return seen


def own_eps(subject: Subject, seen: Observed) -> float | None:
    """The eps of a layer that cannot be told one, from the slope of out over x in the column of least variance."""
    if subject.layer.traits.takes_eps:
        return None
    call, out, _ = seen[0]
    var = batch_statistics(call.x).var
    j = int(np.argmin(var))
    centred = call.x[:, j] - call.x[:, j].mean()
    slope = centred @ out[:, j] / (centred @ centred)
    if slope == 0:
        return None
    eps = (call.gamma[j] / slope) ** 2 - var[j]
    return next((usual for usual in _USUAL if abs(eps - usual) <= 1e-3 * usual + 1e-9 * var[j]), None)


def check(subject: Subject, seen: Observed, entangled: bool) -> tuple[Outcome, Reading | None]:
    """The findings, and the reading of the forward pass (None where it is like nothing known)."""
    if any(out.shape != call.x.shape for call, out, _ in seen):
        return Outcome((), "not examined: out has another shape than x"), None
    reading = read(seen, test=False)
    if reading is None:
        call, out, _ = seen[0]
        off = float(np.nanmax(np.abs(out - _definition(call)))) if np.isfinite(out).any() else float("inf")
        code = "BN306" if _mixes_axes(subject, entangled) else "BN308"
        found = CATALOGUE[code].found("out", f"off by up to {off:.3g} from the definition")
        return Outcome((found,), "like no variant of the definition"), None
    findings = tuple(
        CATALOGUE[code].found("out", f"the forward pass computes: {reading.said}") for code in reading.codes
    )
    return Outcome(findings, f"{len(seen)} batches: {reading.said}"), reading


def _mixes_axes(subject: Subject, entangled: bool) -> bool:
    """An image layer whose channels meet, or that is right for images of one place, mixes up its axes."""
    if "(N, C, H, W)" in subject.layer.traits.recognised and entangled:
        return True
    single = read(observe(subject, _PRIME), test=False)
    return single is not None and not single.codes


def _definition(call: Call) -> Array:
    from bncheck.batchnorm import forward

    return forward(call.x, call.gamma, call.beta, call.settings.eps)
