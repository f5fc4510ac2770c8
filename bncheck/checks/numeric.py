"""What a layer's own forward pass says its gradients are, beside those that it returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bncheck import memory
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.oracle import disagreements
from bncheck.checks.response import Response, parameters_of
from bncheck.differences import Derivative, Function, differentiate, evaluations
from bncheck.layers.protocol import Call, Layer
from bncheck.passes import require_finite
from bncheck.rounding import allowance, bending_scale
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.stencils import STENCILS, Stencil
from bncheck.vocabulary import Mode

Progress = Callable[[float, float], object]
"""Told (forward passes made, forward passes expected); may raise in order to stop."""

# A column is ill-conditioned where a rounding of x is this large in units of the bending scale ...
_ILL_CONDITIONED = 1e-12
# ... and extended precision is then worth its price, some eight times float64's, up to so many evaluated entries.
_EXTENDED_LIMIT = 1 << 24
_BYTES_PER_ENTRY = 18 * 8  # x, dout, three gradients thrice, and what the allowance needs, in float64


class Measured(NamedTuple):
    """The gradients that a layer returned, and what its forward pass says they are."""

    call: Call
    out: Array
    """The forward pass itself, in the precision of the differences."""
    shapes: tuple[tuple[int, ...], ...]
    """Of the gradients that the layer returned."""
    analytic: Gradients
    """Not-a-number throughout where the shape was another."""
    dx: Derivative
    parameters: Derivative
    """dgamma and dbeta, one row each."""
    rounding: Gradients
    """What rounding may make of the analytic ones."""
    doubtful: Gradients
    """Where the finite differences contradict the closed form of the forward pass that was found."""
    passes: float

    @property
    def numeric(self) -> Gradients:
        return Gradients(self.dx.value, *self.parameters.value)


def measure(
    batch: Batch,
    layer: Layer,
    settings: LayerSettings,
    check: CheckSettings,
    progress: Progress | None = None,
    entangled: bool = False,
) -> Measured:
    """One backward pass, and finite differences of as many forward passes as it takes."""
    memory.require(batch.n, batch.d, _BYTES_PER_ENTRY, "a full check")
    call = Call(batch.x, batch.gamma, batch.beta, batch.running, settings)
    require_finite(call)
    with np.errstate(all="ignore"):
        made = layer.forward(call).backward(batch.dout)
        shapes, analytic = tuple(np.shape(g) for g in made), _shaped(made, call)
        numeric = Numeric(layer, call, batch, check, progress, entangled)
        dx, parameters = numeric.dx(), numeric.parameters()
        allowed = allowance(call, batch.dout, batch.x.dtype)
        values = Gradients(dx.value, *parameters.value)
        bars = Gradients(dx.error, parameters.error, parameters.error)
        out = numeric.out()
        doubtful = disagreements(numeric.wide, numeric.dout, out, values, bars)
    return Measured(call, out, shapes, analytic, dx, parameters, allowed.rounding, doubtful, numeric.passes)


def _shaped(made: Gradients, call: Call) -> Gradients:
    """The gradients, with not-a-number throughout for one that has not the shape of what it is the gradient of."""
    expected = Gradients(call.x, call.gamma, call.beta)
    kept = (
        np.asarray(g) if np.shape(g) == e.shape else np.full_like(e, np.nan)
        for g, e in zip(made, expected, strict=True)
    )
    return Gradients(*kept)


@dataclass
class Numeric:
    """The three numerical gradients of L_j = sum_i dout_ij * out_ij, and what they cost."""

    layer: Layer
    call: Call
    batch: Batch
    check: CheckSettings
    progress: Progress | None
    entangled: bool
    passes: float = 0.0

    def __post_init__(self) -> None:
        self.stencil: Stencil = STENCILS[self.check.method]
        # In test mode the statistics are constants and out is linear in x.
        self.linear = self.call.settings.mode is Mode.TEST
        self.expected = evaluations(self.batch.n, self.stencil, self.linear) + evaluations(2, self.stencil, True) + 1
        scale = bending_scale(self.call).astype(np.float64)
        noise = np.finfo(np.float64).eps * np.max(np.abs(self.call.x).max(axis=0) / scale)
        cost = self.expected * self.batch.x.size
        wider = np.dtype(self.layer.traits.widest) == np.longdouble
        extended = wider and noise > _ILL_CONDITIONED and cost <= _EXTENDED_LIMIT
        self.dtype = np.dtype(np.longdouble if extended else np.float64)
        self.wide = self.call.astype(self.dtype)
        self.dout = self.batch.dout.astype(self.dtype)
        self.response = Response(self.layer, self.wide)

    def out(self) -> Array:
        """The forward pass itself, in the precision worked in."""
        self._tick(1)
        return np.asarray(self.layer.forward(self.wide).out)

    def dx(self) -> Derivative:
        return self._differentiate(self.response.of_x, self.wide.x, bending_scale(self.wide), self.linear)

    def parameters(self) -> Derivative:
        """dgamma and dbeta, one row each: out is linear in both together."""
        both, scale = parameters_of(self.wide)
        return self._differentiate(self.response.of_parameters, both, scale, True)

    def _differentiate(self, f: Function, at: Array, scale: Array, linear: bool) -> Derivative:
        if self.entangled:
            return self._one_by_one(f, at, scale)
        return self._run(f, at, self.dout, scale, linear, whole=not self.layer.traits.packs)

    def _one_by_one(self, f: Function, at: Array, scale: Array) -> Derivative:
        """Of a layer whose columns meet: all entries as the rows of a single column."""
        columns = np.arange(at.shape[1])

        def flat(argument: Array, _: Array) -> Array:
            return f(argument.reshape(at.shape), columns).reshape(-1, 1)

        found = self._run(
            flat, at.reshape(-1, 1), self.dout.reshape(-1, 1), scale.min(keepdims=True), False, whole=True
        )
        wide = np.ones_like(scale)
        return Derivative(found.value.reshape(at.shape), *(part * wide for part in found[1:]))

    def _run(self, f: Function, at: Array, dout: Array, scale: Array, linear: bool, whole: bool) -> Derivative:
        return differentiate(
            f,
            at,
            dout,
            scale,
            stencil=self.stencil,
            step=self.check.step,
            linear=linear,
            whole=whole,
            seed=self.batch.seed or 0,
            tick=self._tick,
        )

    def _tick(self, done: float) -> None:
        self.passes += done
        if self.progress is not None:
            self.progress(self.passes, self.expected)
