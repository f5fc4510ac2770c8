"""What a check could have seen, measured on the very batch, dout and dtype that it was made on.

The gradients of every known mistake are formed from closed form, at the cost of a few passes over the batch.
A mistake is caught if the check is certain to reject it.  Let r be the right gradient and m the mistaken one.  A
layer that makes the mistake returns m within the rounding R that is allowed, the numerical value is r within
its error bar B, and the check rejects beyond R + B: so it rejects for certain where |m - r| > 2 (R + B).  Both
closed forms are computed in float64, which for a float64 batch adds R twice: |m - r| > 4 (R + B) is what
is asked for here.  A mistake may round worse than the right gradient does, and where that is zero may round to it: so m
as the batch's own dtype makes it must be rejected as well.  A mistake that is not caught in this sense is named, so
that none is passed in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.findings import blindness
from bncheck.findings.entry import Entry, Wrong
from bncheck.findings.known import dx, parameters
from bncheck.findings.textbook import RIGHT, Quantities, gradients, made, normalize
from bncheck.layers.protocol import Call
from bncheck.report import Blind, Power
from bncheck.views import ENTRIES, View, seen
from bncheck.vocabulary import Mode

_CERTAIN = 4.0
_KNOWN = tuple(entry for entry in (*dx.ENTRIES, *parameters.ENTRIES) if entry.known)


class Evidence(NamedTuple):
    """One gradient as a check has it."""

    numeric: Array
    allowed: Array
    """What an entry may be off by; infinite where the numerical value is none."""


class Missed(NamedTuple):
    """A known mistake that is not certain to be rejected."""

    code: str
    title: str
    reason: str
    ratio: float
    """How plain it is; above 1 it would be rejected."""


def power_of(name: str, train: bool, missed: tuple[Missed, ...], smallest: float) -> Power:
    """The power of a check that misses these of the known mistakes in the gradient of that name."""
    known = sum(any(_step(wrong, name, train) for wrong in entry.mutants) for entry in _KNOWN)
    blind = tuple(Blind(m.code, m.title, m.reason) for m in missed)
    return Power(known - len(blind), known, blind, smallest)


def _step(wrong: Wrong, gradient: str, train: bool) -> Callable[..., Any] | None:
    return wrong.get("dx_in_test_mode" if gradient == "dx" and not train else gradient)


class Sight:
    """What the check of one batch can see."""

    def __init__(
        self, call: Call, dout: Array, evidence: dict[str, Evidence], rtol: float | None, view: View = ENTRIES
    ) -> None:
        self.evidence, self.rtol, self.dtype, self.view = evidence, rtol, call.x.dtype, view
        self.train = call.settings.mode is Mode.TRAIN
        self.call, self.dout = call, dout

    @cached_property
    def known(self) -> Quantities:
        """In float64."""
        return _quantities(self.call.astype(np.float64), self.dout.astype(np.float64))

    @cached_property
    def right(self) -> Gradients:
        return seen(Gradients(*gradients(RIGHT, self.known, self.train)), self.view)

    @cached_property
    def narrow(self) -> Quantities | None:
        """As the dtype of the batch makes them; None where that is float64."""
        # Half precision is a format to store in: like every framework, compute in single.
        dtype = np.dtype(np.float32 if self.dtype == np.float16 else self.dtype)
        return _quantities(self.call.astype(dtype), self.dout.astype(dtype)) if dtype != np.float64 else None

    def power(self, name: str) -> Power:
        """Over every known mistake in the gradient of that name."""
        return power_of(name, self.train, self.missed(name), self.smallest(name))

    def missed(self, name: str, among: Collection[str] | None = None) -> tuple[Missed, ...]:
        """The known mistakes, or those with a code ``among`` them, that are not certain to be rejected."""
        looked_at = [entry for entry in _KNOWN if among is None or entry.code in among]
        views = [(entry, min(ratios)) for entry in looked_at if (ratios := list(self._ratios(entry, name)))]
        return tuple(Missed(e.code, e.title, self._reason(e, name, r), r) for e, r in views if r <= 1)

    def hidden(self, name: str) -> bool:
        """Whether zeros would pass for that gradient, wherever it has a number."""
        numeric, allowed = self.evidence[name]
        return not np.any(np.abs(numeric) > allowed)

    def why_zero(self, name: str) -> str:
        return blindness.of_zero(name, self.train, self.known)

    def _ratios(self, entry: Entry, name: str) -> Iterator[float]:
        """For each form of the mistake that alters this gradient, how plain it is there; above 1 it is caught."""
        for wrong in entry.mutants:
            if step := _step(wrong, name, self.train):
                yield self._ratio(name, step)

    def _ratio(self, name: str, step: Callable[..., Any]) -> float:
        right, (numeric, allowed) = getattr(self.right, name), self.evidence[name]
        plain = self._plain(self._looked(name, made(step, self.known)), right, allowed, _CERTAIN)
        if plain <= 1 or self.narrow is None:
            return plain
        stored = self._looked(name, made(step, self.narrow).astype(self.dtype).astype(np.float64))
        return min(plain, self._plain(stored, numeric.astype(np.float64), allowed, 1))

    def _looked(self, name: str, mistaken: Array) -> Array:
        return self.view.of(mistaken) if name == "dx" else mistaken

    def _plain(self, mistaken: Array, right: Array, allowed: Array, times: float) -> float:
        """The largest difference in units of so many ``times`` what is allowed; above 1 it is rejected."""
        if mistaken.size != right.size:
            return np.inf
        mistaken = mistaken.reshape(right.shape)
        off = np.subtract(mistaken, right)
        np.abs(off, out=off)
        limit = times * allowed
        if self.rtol is not None:
            limit = limit + self.rtol * (np.abs(mistaken) + np.abs(right))
        with np.errstate(all="ignore"):
            most = float((off / limit).max())
        if not np.isnan(most):
            return most
        ratio = np.divide(off, limit, out=np.full_like(off, np.inf), where=limit > 0)
        ratio[off == 0] = 0
        # A mistake that is no number is seen wherever the right value is one.
        return float(np.where(np.isnan(off), np.where(np.isfinite(limit), np.inf, 0), ratio).max())

    def _reason(self, entry: Entry, name: str, ratio: float) -> str:
        if not np.isfinite(self.evidence[name].allowed).any():
            return "the numerical gradient is no number, or in doubt"
        hidden = np.all(np.abs(getattr(self.right, name)) <= self.evidence[name].allowed)
        if hidden and (zero := self.why_zero(name)):
            return zero
        if self.rtol is not None:
            return next(blindness.said(entry.unseen, self.known), f"its relative error is below the rtol {self.rtol:g}")
        by = f"it moves {name} by {_CERTAIN * ratio:.2g} times what is allowed in {self.dtype}"
        by_size = by if _CERTAIN * ratio <= 1 else f"{by}, which is not certain to be rejected"
        return next(blindness.said(entry.unseen, self.known), by_size)

    def smallest(self, name: str) -> float:
        numeric, allowed = self.evidence[name]
        size = np.abs(numeric.astype(np.float64))
        ratio = np.divide(2 * allowed, size, out=np.full_like(size, np.inf), where=size > 0)
        ratio[~np.isfinite(ratio)] = np.inf
        by_rtol = 2 * self.rtol / (1 - self.rtol) if self.rtol is not None and self.rtol < 1 else 0.0
        return float(ratio.min()) + by_rtol if self.rtol is None or self.rtol < 1 else np.inf


def _quantities(call: Call, dout: Array) -> Quantities:
    """What the steps of the textbook layer are made of, as far as the right forward pass."""
    known: Quantities = {"x": call.x, "gamma": call.gamma, "beta": call.beta, "dout": dout, "n": len(call.x)}
    known |= {"eps": call.settings.eps, "momentum": call.settings.momentum, "g": dout * call.gamma}
    if call.running is not None:
        known |= {"running_mean": call.running.mean, "running_var": call.running.var}
    normalize(RIGHT, known, call.settings.mode is Mode.TRAIN)
    return known
