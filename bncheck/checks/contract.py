"""Does the layer keep to what any caller relies on: shapes, finite numbers, arguments left alone, the same twice?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients, Statistics, backward
from bncheck.checks.diagnosis import wrong_shape
from bncheck.checks.probes import Outcome, Subject
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.findings.catalogue import CATALOGUE
from bncheck.layers.protocol import Call, Pass, limit_of
from bncheck.report import Finding
from bncheck.vocabulary import Mode

BFLOAT16 = "bfloat16"
BACKWARD: Final = "backward"
"""The quantity of a finding that leaves the forward to be judged."""
_MOVED = 1e-9  # relative to the largest entry
_NEAR = 1e-3


def check(subject: Subject) -> Outcome:
    batch = subject.probe()
    call = subject.call(batch, Mode.TRAIN)
    try:
        made = subject.layer.forward(call)
        out = np.array(made.out)
        gradients, failed = _gradients(subject, made, batch.dout)
        findings = [
            *_conventions(subject),
            *_forward(subject, batch, call, out),
            *_backward(batch, made, gradients),
            *_statistics(made),
            *failed,
        ]
        if gradients is not None and _uses_stepped(call, batch.dout, made, gradients):
            evidence = "the backward pass steps gamma in place, and computes dx with what gamma is then"
            findings.append(CATALOGUE["BN004"].found("dx", evidence))
    except LayerRaised as raised:
        return Outcome((_raised(raised),), str(raised))
    return Outcome(tuple(findings), "shapes, numbers, arguments and repetition")


def _gradients(subject: Subject, made: Pass, dout: Array) -> tuple[Gradients | None, tuple[Finding, ...]]:
    """A backward pass that fails leaves the forward to be judged."""
    if not subject.layer.traits.has_backward:
        return None, ()
    try:
        return made.backward(dout), ()
    except LayerRaised as raised:
        return None, (_raised(raised, BACKWARD),)


def _conventions(subject: Subject) -> Iterator[Finding]:
    if subject.layer.traits.bare:
        evidence = "it has neither, and so no dgamma and no dbeta: bncheck applies both to what it returns"
        yield CATALOGUE["BN305"].noted("gamma and beta", evidence)


def _raised(raised: LayerRaised, quantity: str = "layer") -> Finding:
    code = "BN008" if isinstance(raised, NotImplementedByLayer) else "BN001"
    return CATALOGUE[code].found(quantity, str(raised))


def _forward(subject: Subject, batch: Batch, call: Call, out: Array) -> Iterator[Finding]:
    if out.shape != batch.x.shape:
        yield CATALOGUE["BN002"].found("out", f"out has shape {out.shape} where x has {batch.x.shape}")
        return
    finite = np.isfinite(out).all()
    if not finite:
        yield _not_finite("out", out)
    again = np.array(subject.layer.forward(call).out)
    with np.errstate(invalid="ignore"):
        off = np.max(np.abs(out - again), where=np.isfinite(out - again), initial=0)
    if not np.array_equal(out, again, equal_nan=True):
        yield CATALOGUE["BN005"].found("out", f"two forward passes on the same batch differ by up to {off:.3g}")
    if not limit_of(subject.layer.traits) and (narrow := narrower(subject, call, out)):
        yield CATALOGUE["BN006"].found("out", f"a {call.x.dtype} batch comes back with the digits of {narrow}")
    # What moves by itself cannot be seen to move with another column.
    if finite and off <= _MOVED * np.abs(out).max() and (where := leak(subject, batch, out)):
        yield CATALOGUE["BN007"].found("out", where)


def _backward(batch: Batch, made: Pass, gradients: Gradients | None) -> Iterator[Finding]:
    if gradients is not None:
        shapes = {"dx": batch.x.shape, "dgamma": batch.gamma.shape, "dbeta": batch.beta.shape}
        for name, shape in shapes.items():
            value = np.asarray(getattr(gradients, name))
            if value.shape == shape:
                if not np.isfinite(value).all():
                    yield _not_finite(name, value)
                continue
            yield wrong_shape(name, value.shape, shape, batch.x.size)
    for name, shape in zip(Gradients._fields, getattr(made, "shapes", ()), strict=False):
        if name != "dx" and shape != batch.gamma.shape and np.prod(shape) == batch.d:
            yield CATALOGUE["BN002"].noted(name, f"{name} has shape {shape}, which holds the same numbers")
    other: Array | None = getattr(made, "differentiated", None)
    if other is not None and np.abs(other - made.out).max() > _MOVED * np.abs(made.out).max():
        off = np.abs(other - made.out).max()
        evidence = f"out is another by up to {off:.3g} where it is differentiated: its rule has a forward of its own"
        yield CATALOGUE["BN005"].found("out", evidence)
    written = dict.fromkeys(getattr(made, "written", ()))
    if written:
        yield CATALOGUE["BN004"].found(next(iter(written)), f"the layer changed {', '.join(written)} in place")


def _uses_stepped(call: Call, dout: Array, made: Pass, gradients: Gradients) -> bool:
    """Whether dx goes by the gamma that this very backward pass has written."""
    new: Array | None = getattr(made, "stepped", None)
    if new is None or new.shape != call.gamma.shape or gradients.dx.shape != call.x.shape:
        return False
    used = backward(dout, call.x, new, call.settings.eps).dx
    right = backward(dout, call.x, call.gamma, call.settings.eps).dx
    off, moved = (float(np.linalg.norm(used - one)) for one in (gradients.dx, right))
    return off < _NEAR * moved


def _statistics(made: Pass) -> Iterator[Finding]:
    for name, value in (made.running() or Statistics(np.empty(0), np.empty(0)))._asdict().items():
        if not np.isfinite(value).all():
            yield _not_finite(f"running_{name}", value)


def _not_finite(name: str, value: Array) -> Finding:
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
    return CATALOGUE["BN003"].found(name, f"{name}{list(place)} is {float(value[place]):g}")


def narrower(subject: Subject, call: Call, out: Array) -> str | None:
    """The dtype that the layer seems to compute in, if it is narrower than the one it was given."""
    if call.x.dtype.itemsize > 2 and _is_bfloat16(out):
        return BFLOAT16
    if call.x.dtype != np.float64:
        return None
    for dtype in (np.float16, np.float32):
        with np.errstate(all="ignore"):
            if np.isfinite(out).all() and out.any() and np.array_equal(out.astype(dtype), out):
                return np.dtype(dtype).name
    # Steps that float32 cannot see must move a float64 output.
    if _moves(subject, call, out, 1e-13):
        return None
    return "float32" if _moves(subject, call, out, 3e-8) else "float16"


def _is_bfloat16(out: Array) -> bool:
    """The upper half of float32's bits, and no more."""
    if not np.isfinite(out).all() or not out.any():
        return False
    with np.errstate(all="ignore"):
        single = np.ascontiguousarray(out, dtype=np.float32)
    return np.array_equal(single, out) and not np.any(single.view(np.uint32) & 0xFFFF)


def _moves(subject: Subject, call: Call, out: Array, step: float) -> bool:
    """Whether out is another where x moves by a few relative steps."""
    nudged = call._replace(x=call.x * (1 + step * np.arange(1, len(call.x) + 1))[:, None])
    return not np.array_equal(np.array(subject.layer.forward(nudged).out), out)


def leak(subject: Subject, batch: Batch, out: Array) -> str | None:
    """Which column moves when another is perturbed, in 2 ceil(log2 D) passes; None if none does.

    The columns whose index has bit b set are perturbed, then those in which it is clear: any two columns
    differ in some bit, so a leak shows whatever the pair.
    """
    d = batch.d
    wave = 0.3 * np.std(batch.x, axis=0) * np.cos(np.arange(batch.n))[:, None] + 0.01 * np.abs(batch.x)
    for bit in range(max(1, (d - 1).bit_length())):
        for value in (0, 1):
            moved = (np.arange(d) >> bit) & 1 == value
            if not moved.any() or moved.all():
                continue
            x = batch.x + np.where(moved, wave, 0)
            call = subject.call(batch, Mode.TRAIN)._replace(x=x)
            off = np.abs(np.array(subject.layer.forward(call).out) - out)[:, ~moved]
            if np.nanmax(off) > _MOVED * np.nanmax(np.abs(out)):
                column = np.flatnonzero(~moved)[int(np.argmax(np.nanmax(off, axis=0)))]
                return f"out[:, {column}] moves when only other columns of x do"
    return None
