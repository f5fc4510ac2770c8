"""Does the layer lose digits that the batch costs nobody?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import assemble
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.explained import worst
from bncheck.findings.normalization import Reading
from bncheck.layers.protocol import Call
from bncheck.layers.reference import Reference
from bncheck.report import Finding
from bncheck.rounding import variance_allowance
from bncheck.vocabulary import Mode

_OFFSETS = (1e2, 1e3, 1e5, 1e7)
_SLACK = 30.0  # the bound is of first order; E[x²] - E[x]² is off by a factor of mean / std more
_UNSATURATED = 0.1  # an error of out in units of gamma, beyond which it grows no more
_SLOW = 0.5  # in powers of mean / std: the excess of E[x²] - E[x]² over the bound has 1
_HALF_SPREADS = (600.0, 2e-4)  # squares of float16 overflow beyond 256, and are 0 below 1.7e-4
_HALF_OFFSET = 4096.0  # a sum of 16 such rows or more overflows


class Loss(NamedTuple):
    """What out is off by at one mean of x."""

    offset: float
    error: float
    """The largest, in units of gamma; infinite where out is not finite."""
    excess: float
    """The largest, in units of what the batch costs."""


def check(subject: Subject, reading: Reading | None, unknown: bool) -> Outcome:
    """Batches of unit spread and a growing mean, in which nothing but that mean changes.

    out is held against what the forward pass was read as, in extended precision.  Of a forward pass that is like
    nothing known (``unknown``), and of the running variance, all that is known is that they go by x - mean: they are
    held against themselves on the same batch of mean 0.
    """
    if (reading is None and not unknown) or (reading and "BN306" in reading.codes):
        return Outcome((), "not examined: what the forward pass computes has to be known first")
    largest = float(np.finfo(subject.dtype).max)
    offsets = [offset for offset in _OFFSETS if offset < largest / 16]
    of_out, of_var = zip(*(_losses(subject, reading, offset) for offset in offsets), strict=True)
    findings = _half(subject) if subject.batch.x.dtype == np.float16 else ()
    if (reading or of_out[0].error < _UNSATURATED) and _beyond(of_out):
        code, evidence = "BN503" if _grows_otherwise(of_out) else "BN501", _growth(of_out)
        return Outcome((CATALOGUE[code].found("out", evidence), *findings), evidence)
    if of_var[0].error < _UNSATURATED and _beyond(of_var) and not _grows_otherwise(of_var):
        evidence = _growth(of_var)
        return Outcome((CATALOGUE["BN501"].found("running_var", evidence), *findings), evidence)
    return Outcome(findings, f"means up to {offsets[-1]:g} times the spread cost no more than they must")


def _losses(subject: Subject, reading: Reading | None, offset: float) -> tuple[Loss, Loss]:
    """Of out, and of the running variance."""
    base = subject.probe(12)
    spread = np.random.default_rng(12).standard_normal(base.x.shape)
    x = (offset + spread).astype(subject.dtype).astype(np.float64)
    # Exact: x has no digits that x - offset has not.
    call, centred = (
        subject.call(assemble({"x": each, "gamma": base.gamma, "beta": base.beta}), Mode.TRAIN)
        for each in (x, x - offset)
    )
    out, var = _made(subject, call)
    own_out, own_var = _made(subject, centred)
    allowed, gamma = subject.allowed(call), np.abs(base.gamma)
    if reading:
        of_out = _loss(offset, out - reading.out(call.astype(np.longdouble)), gamma, allowed)
    else:
        # What the definition may lose, in proportion to the size that the layer's out has.
        growth = np.maximum(1, own_out.std(axis=0) / gamma)
        of_out = _loss(offset, out - own_out, growth * gamma, growth * allowed)
    # The batch's own variance is 1, and the average holds a share of it.
    size = 1 + np.abs(own_var)
    return of_out, _loss(offset, var - own_var, size, size * variance_allowance(call, subject.dtype))


def _made(subject: Subject, call: Call) -> tuple[Array, Array]:
    """out, and the running variance; nothing moves in one that is not kept or shown."""
    made = subject.layer.forward(call)
    out, after = np.array(made.out), made.running() if subject.layer.traits.keeps_statistics else None
    shown = after is not None and np.shape(after.var) == call.gamma.shape
    return out, np.array(after.var) if after is not None and shown else np.zeros_like(call.gamma)


def _loss(offset: float, off: Array, size: Array, allowed: Array) -> Loss:
    off = np.where(np.isfinite(off), np.abs(off), np.inf)
    return Loss(offset, float((off / size).max()), float((off / allowed).max()))


def _beyond(lost: Sequence[Loss]) -> bool:
    return max(loss.excess for loss in lost) > _SLACK


def _growth(lost: Sequence[Loss]) -> str:
    said = ", ".join(f"{loss.excess:.2g} at mean {loss.offset:g}" for loss in lost)
    power = _power(lost)
    grows = "" if power is None else f"; it grows with the power {max(power, 0.0):.1f} of the mean"
    return f"error in units of what the batch costs: {said}{grows}"


def _grows_otherwise(lost: Sequence[Loss]) -> bool:
    """Whether what is lost beyond the bound does not grow with the mean, as it does in E[x²] - E[x]²."""
    power = _power(lost)
    return power is not None and power < _SLOW


def _power(lost: Sequence[Loss]) -> float | None:
    """Of the mean, with which the excess grows; None where that cannot be told."""
    seen = [loss for loss in lost if loss.error < _UNSATURATED and loss.excess > 1]
    if len(seen) < 2:
        return None
    first, last = seen[0], seen[-1]
    return float(np.log(last.excess / first.excess) / np.log(last.offset / first.offset))


def _half(subject: Subject) -> tuple[Finding, ...]:
    """Batches that float16 holds and whose squares it does not, against the reference, which computes in float32."""
    base = subject.probe(15)
    draw = np.random.default_rng(15).standard_normal(base.x.shape)
    for spread in _HALF_SPREADS:
        x = spread * draw + (_HALF_OFFSET if spread > 1 else 0)
        arrays = {"x": x, "gamma": base.gamma, "beta": base.beta}
        call = subject.call(assemble(arrays, dtype="float16"), Mode.TRAIN)
        with np.errstate(all="ignore"):
            right = Reference().forward(call).out.astype(np.float64)
            out = np.array(subject.layer.forward(call).out, dtype=np.float64)
        # Of xhat there must be a digit left, as far as beta leaves room for one; how many more, other sections judge.
        rounding = 4 * float(np.finfo(np.float16).eps) * np.abs(right).max(axis=0)
        if not np.all(np.abs(out - right).max(axis=0) <= np.abs(right - call.beta).max(axis=0) / 2 + rounding):
            evidence = f"a float16 batch of spread {spread:g} leaves no digit of xhat: {worst('out', out, right)}"
            return (CATALOGUE["BN502"].found("out", evidence),)
    return ()
