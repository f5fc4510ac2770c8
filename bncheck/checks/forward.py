"""Is the forward pass batch normalization, in training?"""

from __future__ import annotations

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import batch_statistics
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.normalization import Reading, read
from bncheck.layers.protocol import Call
from bncheck.rounding import forward_allowance
from bncheck.vocabulary import Mode, Verdict

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
    lost = reading is None and subject.dtype == np.float64
    if lost:
        # Nobody is read as float32 who can be read as what x is.
        reading = read(
            [(call, out, forward_allowance(call, np.dtype(np.float32))) for call, out, _ in seen], test=False
        )
    if reading is None and _restless(subject, seen):
        return Outcome((), "not examined: two passes on one batch differ", Verdict.FAIL), None
    if reading is None:
        return _unread(subject, seen, entangled), None
    findings = [CATALOGUE[code].found("out", f"the forward pass computes: {reading.said}") for code in reading.codes]
    if lost:
        evidence = f"the digits of float32 and no more, for a {subject.dtype} batch, of: {reading.said}"
        findings.append(CATALOGUE["BN503"].found("out", evidence))
    return Outcome(tuple(findings), f"{len(seen)} batches: {reading.said}"), reading


def _restless(subject: Subject, seen: Observed) -> bool:
    call, out, _ = seen[0]
    return not np.array_equal(np.array(subject.layer.forward(call).out), out, equal_nan=True)


def _unread(subject: Subject, seen: Observed, entangled: bool) -> Outcome:
    """What can be said of a forward pass that is like no variant of the definition."""
    said = "like no variant of the definition"
    broken = next(((call, out) for call, out, _ in seen if not np.isfinite(out).all()), None)
    if broken:
        call, out = broken
        places = f"{np.sum(~np.isfinite(out))} of {out.size} entries are not finite with eps = {call.settings.eps:g}"
        return Outcome((CATALOGUE["BN003"].found("out", places),), said)
    off = max(float(np.abs(out - _definition(call)).max()) for call, out, _ in seen)
    if _mixes_axes(subject, entangled):
        code = "BN306"
    elif entangled:
        return Outcome((), f"{said}, for its columns leak", Verdict.FAIL)
    else:
        code = "BN308"
    return Outcome((CATALOGUE[code].found("out", f"off by up to {off:.3g} from the definition"),), said)


def _mixes_axes(subject: Subject, entangled: bool) -> bool:
    """An image layer whose channels meet, or that is right for images of one place, mixes up its axes."""
    if "(N, C, H, W)" in subject.layer.traits.recognised and entangled:
        return True
    single = read(observe(subject, _PRIME), test=False)
    return single is not None and not single.codes


def _definition(call: Call) -> Array:
    from bncheck.batchnorm import forward

    return forward(call.x, call.gamma, call.beta, call.settings.eps)
