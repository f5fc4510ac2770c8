"""One mistake, one finding: what follows from another finding is no second one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, backward
from bncheck.checks.probes import Subject
from bncheck.layers.protocol import Call
from bncheck.report import Finding
from bncheck.rounding import allowance
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode, Severity

if TYPE_CHECKING:
    from bncheck.findings.normalization import Reading

_OF_GRADIENTS = {f"BN1{n:02}" for n in range(1, 11)} | {f"BN2{n:02}" for n in range(1, 6)}
_FOLLOWS: dict[str, set[str | tuple[str, str]]] = {
    # Averages over the same axes, and what normalizes by them, where those are none that can be read.
    "BN306": {"BN007", ("BN412", "running_mean"), ("BN412", "running_var"), ("BN412", "test mode")},
    "BN005": {*_OF_GRADIENTS, "BN007", "BN308", "BN412"},  # of what differs from run to run nothing is known
    "BN502": {"BN003"},
}
_OF_SHAPE = {"BN002", "BN201"}
_NOT_TO_BE_READ = {"BN003", "BN110", "BN205"}
VAGUE = {"BN110", "BN205"}
_FITS = 1e-9


def folded(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Symptoms under their cause, and each finding once."""
    shapes = {f.quantity for f in findings if f.code in _OF_SHAPE and f.severity is Severity.ERROR}
    codes = {f.code for f in findings}
    symptoms: set[str | tuple[str, str]] = set().union(*(_FOLLOWS.get(code, set()) for code in codes))
    kept: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        unread = finding.quantity in shapes and finding.code in _NOT_TO_BE_READ
        if not unread and not symptoms & {finding.code, (finding.code, finding.quantity)}:
            kept.setdefault((finding.code, finding.quantity), finding)
    return tuple(kept.values())


def placed(findings: tuple[Finding, ...], source: tuple[str, ...]) -> tuple[Finding, ...]:
    """With the function that each is in: of the layer's own the last is its backward, the first its forward."""
    if not source:
        return findings
    of_backward = {*Gradients._fields, "dout", "backward"}
    return tuple(f._replace(where=source[-1 if f.quantity in of_backward else 0]) for f in findings)


def clearest(findings: list[Finding]) -> tuple[Finding, ...]:
    """Of what several batches found in one gradient: the batch that shows more than "like nothing known" speaks."""
    best: dict[str, list[Finding]] = {}
    for finding in findings:
        held = best.setdefault(finding.quantity, [finding])
        if finding.code not in {f.code for f in held}:
            held.append(finding)
    chosen = {name: [f for f in held if f.code not in VAGUE] or held for name, held in best.items()}
    return tuple(f for held in chosen.values() for f in held[:1])


def as_taught(subject: Subject, settings: LayerSettings, reading: Reading | None) -> set[str]:
    """The gradients that are the textbook's, so that only the forward pass is to blame for their being wrong.

    Either those of the definition, or the formula with what the forward pass makes of x in place of its xhat.
    """
    batch = subject.probe(13)
    call = subject.call(batch, Mode.TRAIN)._replace(settings=settings)
    made = subject.layer.forward(call)
    out = np.array(made.out)
    gradients = made.backward(batch.dout)
    allowed = allowance(call, batch.dout, subject.dtype).rounding
    right = [backward(batch.dout, call.x, call.gamma, settings.eps)]
    if (own := reading.normalizes(call) if reading else _divides_by(call, out)) is not None:
        right.append(_formula(call, batch.dout, *own))
    return {
        name
        for name, value, *truths, limit in zip(Gradients._fields, gradients, *right, allowed, strict=True)
        if any(np.shape(value) == t.shape and np.all(np.abs(value - t) <= limit + _FITS * np.abs(t)) for t in truths)
    }


def _divides_by(call: Call, out: Array) -> tuple[Array, Array] | None:
    """x - mean, (N, D), and its factor in out / gamma, (D,); None where out is no multiple of it."""
    if out.shape != call.x.shape:
        return None
    centred = call.x - call.x.mean(axis=0)
    scaled = (out - call.beta) / call.gamma
    inv = np.einsum("nd,nd->d", centred, scaled) / np.einsum("nd,nd->d", centred, centred)
    fits = np.abs(scaled - centred * inv) <= _FITS * np.abs(scaled).max(axis=0)
    return (centred, inv) if fits.all() else None


def _formula(call: Call, dout: Array, centred: Array, inv: Array) -> Gradients:
    xhat, g = centred * inv, dout * call.gamma
    dx = inv * (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0))
    return Gradients(dx, (dout * xhat).sum(axis=0), dout.sum(axis=0))
