"""The layer's own forward pass, as far as its derivative goes: what its dx is to be read against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import centre
from bncheck.findings.normalization import Reading
from bncheck.layers.protocol import Call
from bncheck.vocabulary import Mode

_STEP = 1e-30  # of a complex step, which has no rounding to fear


class Own(NamedTuple):
    """out = gamma * centred * inv(var) + beta, with d inv / d x_i = -bend * centred_i / N."""

    centred: Array
    """(N, D), x - mean."""
    inv: Array
    """(D,), what the layer multiplies by: 1 / sqrt(var + eps) if it is the definition."""
    bend: Array
    """(D,), inv³ if it is the definition."""
    gamma: Array
    """(D,), ones where the layer forgets it."""

    @classmethod
    def of_definition(cls, call: Call) -> Own:
        running = call.running if call.settings.mode is Mode.TEST else None
        centred, inv = centre(call.x, call.settings.eps, running)
        return cls(centred, inv, inv**3, call.gamma)

    @classmethod
    def of(cls, call: Call, reading: Reading) -> Own | None:
        """Of what a forward pass was read as; None where its columns meet."""
        mean, var = reading.statistics(call)
        if np.shape(mean) != call.gamma.shape:
            return None
        factor = reading.ways[2].does(len(call.x))
        stepped = reading.denominator.does(var + 1j * _STEP, call.settings.eps)
        root, slope = np.real(stepped), np.imag(stepped) / _STEP
        affine = reading.ways[4].does
        one = np.ones_like(call.gamma)
        gamma = affine(one, call.gamma, 0 * one) - affine(0 * one, call.gamma, 0 * one)
        return cls(call.x - mean, 1 / root, 2 * factor * slope / root**2, gamma)

    def paths(self, dout: Array) -> Array:
        """(3, N, D): the direct path, that through the mean, that through the variance; dx is their sum."""
        g = dout * self.gamma
        direct = self.inv * g
        mean = -self.inv * g.mean(axis=0) * np.ones_like(g)
        return np.stack([direct, mean, -self.bend * self.centred * (g * self.centred).mean(axis=0)])
