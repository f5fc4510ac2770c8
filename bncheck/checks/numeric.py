"""What a layer's own forward pass says its gradients are, beside those that it returned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bncheck import memory
from bncheck.arrays import Array, DTypeLike
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.oracle import closed_form, defined, disagreements, own
from bncheck.checks.response import Response, parameters_of
from bncheck.differences import Derivative, Function, differentiate, evaluations
from bncheck.layers.protocol import Call, Layer, Pass, Walk
from bncheck.rounding import allowance, bending_scale
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.stencils import STENCILS, Stencil
from bncheck.vocabulary import Mode

if TYPE_CHECKING:
    from bncheck.findings.own import Own
    from bncheck.layers.travelling import Traveller
    from bncheck.projections import Directions, Line, Slopes

Progress = Callable[[float, float], object]
"""Told (forward passes made, forward passes expected); may raise in order to stop."""

# A column is ill-conditioned where a rounding of x is this large in units of the bending scale ...
_ILL_CONDITIONED = 1e-12
# ... and extended precision is then worth its price, some eight times float64's, up to so many evaluated entries.
_EXTENDED_LIMIT = 1 << 24
BYTES_PER_ENTRY = 18 * 8
"""Of a full check: x, dout, three gradients thrice, and what the allowance needs, in float64."""


class Measured(NamedTuple):
    """The gradients that a layer returned, and what its forward pass says they are."""

    call: Call
    own: Own | None
    """What the forward pass computes, where that is not the definition and is known."""
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


class Workers(NamedTuple):
    """Others who carry the blocks of a large batch."""

    executor: Any
    """As ``executors.run_all`` takes it."""
    layer: Traveller
    """The layer as it is sent to them."""


class Question(NamedTuple):
    """What is asked about a layer."""

    batch: Batch
    layer: Layer
    settings: LayerSettings
    check: CheckSettings
    entangled: bool = False
    """The columns of the layer are not independent."""
    workers: Workers | None = None
    entries: bool = False
    """Where every entry is looked at, they are wanted in the answer."""

    @property
    def call(self) -> Call:
        return Call(self.batch.x, self.batch.gamma, self.batch.beta, self.batch.running, self.settings)

    @property
    def cost(self) -> int:
        """Forward passes that a check of every entry makes, as a rule."""
        stencil, linear = STENCILS[self.check.method], self.settings.mode is Mode.TEST
        once = evaluations(self.batch.n, stencil, linear) + evaluations(2, stencil, True) + 1
        return once * self.batch.d if self.entangled else once


def measure(asked: Question, made: Pass, progress: Progress | None = None) -> Measured:
    """One backward pass after the pass ``made``, and finite differences of as many forward passes as it takes."""
    batch, call = asked.batch, asked.call
    memory.require(batch.n, batch.d, BYTES_PER_ENTRY, "a full check")
    meter = Meter(asked.cost, progress)
    with np.errstate(all="ignore"):
        returned = made.backward(batch.dout)
        shapes, analytic = tuple(np.shape(g) for g in returned), shaped(returned, call)
        numeric = Numeric(asked, call, meter)
        dx, parameters = numeric.dx(), numeric.parameters()
        values = Gradients(dx.value, *parameters.value)
        bars = Gradients(dx.error, parameters.error, parameters.error)
        out = numeric.out()
        agrees = defined(numeric.wide, out)
        instead = own(call, out, agrees)
        allowed = allowance(call, batch.dout, batch.x.dtype, instead)
        truth = closed_form(numeric.wide, numeric.dout)
        working = allowance(numeric.wide, numeric.dout, numeric.dtype).rounding
        doubtful = disagreements(agrees, values, bars, truth, working)
    return Measured(call, instead, shapes, analytic, dx, parameters, allowed.rounding, doubtful, meter.passes)


def input_noise(call: Call, dtype: DTypeLike = np.float64) -> Array:
    """(M,), what one rounding of x to ``dtype`` is, in units of the distance over which the layer bends."""
    scale = bending_scale(call).astype(np.float64)
    return np.asarray(float(np.finfo(dtype).eps) * np.maximum(1, np.abs(call.x).max(axis=0) / scale))


def working_dtype(noise: Array, cost: float) -> np.dtype[Any]:
    """What to evaluate differences in: float64, or more where that is worth so many evaluated entries."""
    return np.dtype(np.longdouble if noise.max() > _ILL_CONDITIONED and cost <= _EXTENDED_LIMIT else np.float64)


def shaped(made: Gradients, call: Call) -> Gradients:
    """The gradients, with not-a-number throughout for one that has not the shape of what it is the gradient of."""
    expected = Gradients(call.x, call.gamma, call.beta)
    kept = (
        np.asarray(g) if np.shape(g) == e.shape else np.full_like(e, np.nan)
        for g, e in zip(made, expected, strict=True)
    )
    return Gradients(*kept)


class Meter:
    """Counts forward passes of the whole batch, and tells of them."""

    def __init__(self, expected: float, progress: Progress | None) -> None:
        self.expected, self.passes = expected, 0.0
        self._progress = progress

    def tick(self, done: float) -> None:
        self.passes += done
        if self._progress is not None:
            self._progress(self.passes, self.expected)


class Columns(NamedTuple):
    """out as a function of x, column by column."""

    f: Function
    x: Array
    """(P, M)"""
    dout: Array
    scale: Array
    """(M,), the distance over which it bends."""
    noise: Array
    """(M,), the rounding of x in that unit, at the least."""
    linear: bool
    walk: Callable[[Array, Array, Array], Walk | None]
    """The same function on lines through (x, dout, columns), by the layer itself; None where it does not offer that."""

    def line(self, x: Array, dout: Array, lanes: Array, tick: Callable[[float], object] | None = None) -> Line:
        """On lines through x, (P, L), whose columns are copies of those in ``lanes``."""
        from bncheck.projections import line, walked

        walk = self.walk(x, dout, lanes)
        if walk is None:
            return line(lambda argument, which: self.f(argument, lanes[which]), x, dout, tick)
        return walked(walk.along, dout, walk.out, tick)


class Numeric:
    """The three numerical gradients of L_j = sum_i dout_ij * out_ij."""

    def __init__(self, asked: Question, call: Call, meter: Meter, share: float = 1.0) -> None:
        """``share`` is the part of the whole batch that this is."""
        self.asked, self.call, self.meter, self.share = asked, call, meter, share
        self.base: Array | None = None
        self.layer, self.entangled = self.asked.layer, self.asked.entangled
        self.stencil: Stencil = STENCILS[self.asked.check.method]
        # In test mode the statistics are constants and out is linear in x.
        self.linear = self.call.settings.mode is Mode.TEST
        self.noise, widest = input_noise(self.call), np.dtype(self.layer.traits.widest)
        wider = widest == np.longdouble
        self.dtype = working_dtype(self.noise, self.meter.expected * self.call.x.size if wider else math.inf)
        if widest.itemsize < self.dtype.itemsize:
            self.dtype, self.noise = widest, input_noise(self.call, widest)
        self.wide = self.call.astype(self.dtype)
        self.dout = self.asked.batch.dout.astype(self.dtype, copy=False)
        self.response = Response(self.layer, self.wide)

    def out(self) -> Array:
        """The forward pass itself, in the precision worked in."""
        if self.base is None:
            self._tick(1)
            self.base = np.asarray(self.layer.forward(self.wide).out)
        return self.base

    def slopes(self, directions: Directions) -> Slopes:
        """dx, projected."""
        # Loaded for what is projected: small checks start sooner without.
        from bncheck.projections import slopes

        whole = self.columns()
        on = whole.line(whole.x, whole.dout, np.arange(whole.x.shape[1]), self._tick)
        self.base = on.base.reshape(self.wide.x.shape)
        return slopes(on, directions, whole.scale, whole.noise, whole.linear)

    def columns(self) -> Columns:
        """out as a function of x; all columns as a single one, for a layer in which they meet."""
        scale, noise = bending_scale(self.wide), self.noise.astype(self.dtype)
        if not self.entangled:
            return Columns(self.response.of_x, self.wide.x, self.dout, scale, noise, self.linear, self.response.walk)
        f, x, dout = self._flat(self.response.of_x, self.wide.x), self.wide.x.reshape(-1, 1), self.dout.reshape(-1, 1)
        return Columns(f, x, dout, scale.min(keepdims=True), noise.max(keepdims=True), False, lambda *_: None)

    def dx(self) -> Derivative:
        return self._differentiate(self.response.of_x, self.wide.x, bending_scale(self.wide), self.linear)

    def parameters(self) -> Derivative:
        """dgamma and dbeta, one row each: out is linear in both together."""
        both, scale = parameters_of(self.wide)
        return self._differentiate(self.response.of_parameters, both, scale, True)

    def _differentiate(self, f: Function, at: Array, scale: Array, linear: bool) -> Derivative:
        if self.entangled:
            return self._one_by_one(f, at, scale)
        # Part of a batch fills the cache as it is, and copies beside it would not fit.
        whole = self.share < 1 or not self.layer.traits.packs or self.layer.traits.compiles
        return self._run(f, at, self.dout, scale, linear, whole)

    def _one_by_one(self, f: Function, at: Array, scale: Array) -> Derivative:
        """Of a layer whose columns meet: all entries as the rows of a single column."""
        flat, dout = self._flat(f, at), self.dout.reshape(-1, 1)
        found = self._run(flat, at.reshape(-1, 1), dout, scale.min(keepdims=True), False, whole=True)
        wide = np.ones_like(scale)
        return Derivative(found.value.reshape(at.shape), *(part * wide for part in found[1:]))

    def _flat(self, f: Function, at: Array) -> Function:
        columns = np.arange(at.shape[1])
        return lambda argument, _: f(argument.reshape(at.shape), columns).reshape(-1, 1)

    def _run(self, f: Function, at: Array, dout: Array, scale: Array, linear: bool, whole: bool) -> Derivative:
        return differentiate(
            f,
            at,
            dout,
            scale,
            stencil=self.stencil,
            step=self.asked.check.step,
            linear=linear,
            whole=whole,
            seed=self.asked.batch.seed or 0,
            tick=self._tick,
        )

    def _tick(self, done: float) -> None:
        self.meter.tick(done * self.share)
