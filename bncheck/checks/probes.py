"""Batches of our own: what the user's batch could not have shown, these can."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch, generate
from bncheck.batchnorm import Statistics
from bncheck.layers.protocol import Call, Layer
from bncheck.report import Finding
from bncheck.rounding import forward_allowance
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode, Verdict

_ROWS, _COLUMNS = 12, 6
_LARGE_EPS = 0.05


class Subject(NamedTuple):
    """A layer under examination, with what is known about it so far."""

    layer: Layer
    batch: Batch
    settings: LayerSettings
    """With the eps that the layer really uses, once that has been found out."""
    dtype: np.dtype[np.floating]
    """What the layer computes in, as far as its results tell."""

    def call(self, batch: Batch, mode: Mode, running: Statistics | None = None, eps: float | None = None) -> Call:
        settings = replace(self.settings, mode=mode, eps=self.settings.eps if eps is None else eps)
        return Call(batch.x, batch.gamma, batch.beta, running, settings)

    def probe(self, seed: int = 1, rows: int = _ROWS) -> Batch:
        """Columns of many spreads, one in four with a variance near 1e-5; gamma away from 1."""
        columns = _COLUMNS if self.layer.traits.packs else self.batch.d
        return generate(rows, columns, seed)

    def epsilons(self) -> tuple[float, ...]:
        """Two values of eps tell one that is hard-coded."""
        return (self.settings.eps, _LARGE_EPS) if self.layer.traits.takes_eps else (self.settings.eps,)

    def allowed(self, call: Call) -> Array:
        return forward_allowance(call, self.dtype)


class Outcome(NamedTuple):
    """What one section of the check found."""

    findings: tuple[Finding, ...]
    said: str
    verdict: Verdict | None = None
    """None: a failure if any finding is an error, a pass otherwise."""
