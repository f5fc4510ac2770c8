"""Batches of our own: what the user's batch could not have shown, these can."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch, assemble, generate
from bncheck.batchnorm import Statistics, batch_statistics
from bncheck.layers.protocol import Call, Layer
from bncheck.report import Finding
from bncheck.rounding import forward_allowance
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode, Verdict

_ROWS, _COLUMNS = 12, 6
_LARGE_EPS = 0.05
_USUAL_EPS = 1e-5  # which generated batches have variances near
_SEED = 13


def probe(layer: Layer, d: int, seed: int, rows: int = _ROWS) -> Batch:
    """Columns of many spreads, one in four with a variance near 1e-5; gamma away from 1; a random dout."""
    return generate(rows, _COLUMNS if layer.traits.packs else d, seed)


def beside(layer: Layer, settings: LayerSettings, d: int, dtype: str, seed: int = _SEED) -> Batch:
    """A probe with variances near the eps in use, to stand beside a batch of the user's with ``d`` columns."""
    made = probe(layer, d, seed)
    x = made.x.copy()
    x[:, 3::4] *= np.sqrt((settings.eps or _USUAL_EPS) / _USUAL_EPS)
    raw = {"x": x, "gamma": made.gamma, "beta": made.beta, "dout": made.dout}
    found = assemble(raw, seed=seed, dtype=dtype, source="generated")
    return found if settings.mode is Mode.TRAIN else found._replace(running=batch_statistics(found.x))


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
        return probe(self.layer, self.batch.d, seed, rows)

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
