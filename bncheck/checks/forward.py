"""Is the forward pass batch normalization, in training?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bncheck.batchnorm import batch_statistics
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.normalization import Observed, Reading, nearest, read, worst_of
from bncheck.rounding import forward_allowance
from bncheck.vocabulary import Mode, Verdict

_PRIME = 13  # rows that make no image: adapters lay them out as 13 images of one place
_TINY = (1e-9, 1e-8)  # spreads of x whose variance is next to nothing beside any eps that is meant to be one
_AGREE = 1e-3
_OF_MACHINES = tuple(float(np.finfo(dtype).eps) for dtype in (np.float64, np.float32))


def observe(subject: Subject, rows: int = 12) -> Observed:
    """The layer's own outputs on several probes and two values of eps."""
    seen: Observed = []
    for seed in (1, 2):
        batch = subject.probe(seed, rows)
        for eps in subject.epsilons():
            call = subject.call(batch, Mode.TRAIN, eps=eps)
            seen.append((call, np.array(subject.layer.forward(call).out), subject.allowed(call)))
    return seen


def settle(subject: Subject, rows: int = 12) -> tuple[Subject, Observed]:
    """The subject with the eps that the layer really uses, if it is one that nobody can tell it; and its outputs."""
    asked = subject, observe(subject, rows)
    if subject.layer.traits.takes_eps or any(out.shape != call.x.shape for call, out, _ in asked[1]):
        return asked
    settings = (replace(subject.settings, eps=eps) for eps in _own_eps(subject, rows))
    others = [subject._replace(settings=each) for each in settings]
    found = min([asked, *((other, observe(other, rows)) for other in others)], key=lambda each: _mistakes(each[1]))
    if rows == _PRIME or np.isfinite(_mistakes(found[1])):
        return found
    # What mixes up the axes of an image may still show its eps where the image is one place.
    single, _ = settle(subject, _PRIME)
    return single, observe(single, rows)


def _mistakes(seen: Observed) -> float:
    reading = read(seen, test=False)
    return float("inf") if reading is None else len(reading.codes)


def _own_eps(subject: Subject, rows: int) -> list[float]:
    """What eps may be, from the slope of out over x where the variance is next to nothing: out is x * gamma / root.

    With sqrt(var + eps) the root is sqrt(eps) there, with sqrt(var) + eps or without a root it is eps; gamma may
    have been forgotten.  A guess that follows the variance is none.
    """
    found: list[float] = []
    for guesses in zip(*(_guesses(subject, spread, rows) for spread in _TINY), strict=True):
        small, large = guesses
        if abs(small - large) > _AGREE * small or not 0 < small < 1:
            continue
        rounded = float(f"{small:.0e}")
        # 2e-5 is 1e-5 added twice.
        meant = [*([rounded] if f"{rounded:e}"[0] != "2" else []), *_OF_MACHINES]
        found += [eps for near in meant if abs(near - small) <= _AGREE * small for eps in (near, small)]
    return list(dict.fromkeys(found))


def _guesses(subject: Subject, spread: float, rows: int) -> list[float]:
    batch = subject.probe(1, rows)
    centred = batch.x - batch.x.mean(axis=0)
    x = spread * centred / np.sqrt(batch_statistics(batch.x).var)
    # Without beta, whose digits would drown those of x.
    bare = batch._replace(x=x, beta=np.zeros_like(batch.beta))
    out = np.array(subject.layer.forward(subject.call(bare, Mode.TRAIN)).out)
    j = int(np.argmax(np.abs(batch.gamma)))
    slope = abs(float(x[:, j] @ (out[:, j] - out[:, j].mean()) / (x[:, j] @ x[:, j])))
    if not 0 < slope < np.inf:
        return [0.0] * 6
    roots = (abs(float(batch.gamma[j])) / slope, 1 / slope)
    return [guess for root in roots for guess in (root**2 - spread**2, root - spread, root - spread**2)]


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
    evidence = f"training computes {reading.said}, {reading.explains(seen, test=False)}"
    findings = [CATALOGUE[code].found("out", evidence) for code in reading.codes]
    if lost:
        evidence = f"training computes {reading.said}, for a {subject.dtype} batch in the digits of float32 and no more"
        evidence += "" if reading.codes else f"; {worst_of(seen, test=False)}"
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
    if why := _mixes_axes(subject, entangled):
        return Outcome((CATALOGUE["BN306"].found("out", f"{why}; {worst_of(seen, test=False)}"),), said)
    if entangled:
        return Outcome((), f"{said}, for its columns leak", Verdict.FAIL)
    return Outcome((CATALOGUE["BN308"].found("out", nearest(seen, test=False)),), said)


def _mixes_axes(subject: Subject, entangled: bool) -> str:
    """How an image layer whose channels meet, or that is right for images of one place, mixes up its axes."""
    if "(N, C, H, W)" in subject.layer.traits.recognised and entangled:
        return "the channels of an image meet"
    single = read(settle(subject, _PRIME)[1], test=False)
    right = single is not None and not single.codes
    return "images of one place are normalized as they should be, and others are not" if right else ""
