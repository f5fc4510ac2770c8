"""Does the layer lose digits that the batch costs nobody?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.batch import assemble
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.normalization import Reading
from bncheck.layers.reference import Reference
from bncheck.report import Finding
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


def check(subject: Subject, reading: Reading | None) -> Outcome:
    """Batches of unit spread and a growing mean, against what the forward pass was read as, in extended precision."""
    if reading is None or "BN306" in reading.codes:
        return Outcome((), "not examined: what the forward pass computes has to be known first")
    largest = float(np.finfo(subject.dtype).max)
    offsets = [offset for offset in _OFFSETS if offset < largest / 16]
    lost = [_loss(subject, reading, offset) for offset in offsets]
    findings = _half(subject) if subject.batch.x.dtype == np.float16 else ()
    if max(loss.excess for loss in lost) <= _SLACK:
        return Outcome(findings, f"means up to {offsets[-1]:g} times the spread cost no more than they must")
    growth = ", ".join(f"{loss.excess:.2g} at mean {loss.offset:g}" for loss in lost)
    code = "BN503" if _grows_otherwise(lost) else "BN501"
    found = CATALOGUE[code].found("out", f"error in units of what the batch costs: {growth}")
    return Outcome((found, *findings), growth)


def _loss(subject: Subject, reading: Reading, offset: float) -> Loss:
    base = subject.probe(12)
    spread = np.random.default_rng(12).standard_normal(base.x.shape)
    x = (offset + spread).astype(subject.dtype).astype(np.float64)
    call = subject.call(assemble({"x": x, "gamma": base.gamma, "beta": base.beta}), Mode.TRAIN)
    off = np.abs(np.array(subject.layer.forward(call).out) - reading.out(call.astype(np.longdouble)))
    off = np.where(np.isfinite(off), off, np.inf)
    return Loss(offset, float((off / np.abs(base.gamma)).max()), float((off / subject.allowed(call)).max()))


def _grows_otherwise(lost: list[Loss]) -> bool:
    """Whether what is lost beyond the bound does not grow with the mean, as it does in E[x²] - E[x]²."""
    seen = [loss for loss in lost if loss.error < _UNSATURATED and loss.excess > 1]
    if len(seen) < 2:
        return False
    first, last = seen[0], seen[-1]
    return float(np.log(last.excess / first.excess) / np.log(last.offset / first.offset)) < _SLOW


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
            evidence = f"a float16 batch of spread {spread:g} leaves no digit of xhat"
            return (CATALOGUE["BN502"].found("out", evidence),)
    return ()
