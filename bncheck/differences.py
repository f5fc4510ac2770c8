"""Numerical derivatives with error bars.  Nothing here knows of batch normalization.

The problem: ``f`` maps an argument (P, D) to an output (N, D) *column by column*, and

    L_j(x) = sum_i weights[i, j] * f(x)[i, j]

is to be differentiated with respect to every entry of ``x``.  Since the columns do not meet, one
evaluation with one row perturbed measures a derivative in every column, and perturbed copies can
stand side by side in one call as additional columns, called *lanes* here.  All P * D derivatives
cost 2 P evaluations by central differences instead of 2 P D.

**Where the error bar comes from.**  A second step size for every entry would double the cost.
Instead the finished gradient n is confronted with an independent witness: along a direction s,
the derivative measured by a sixth-order stencil must equal s · n.  If n is off by e, the residual is
s · e, and over the directions used here (signs of a Hadamard matrix, scrambled) the mean square of
s · e is |e|², so that a few directions bound *every* entry's error, truncation and rounding
alike, without assuming anything about how it is distributed.  With P <= 8 this is an identity
(Parseval), not an estimate.  The bar has a floor, the rounding of one evaluation divided by the
step, so that residuals that happen to vanish cannot make it collapse.

**Where the step comes from.**  A stencil of order p has truncation ~ h^p and rounding ~ noise / h,
so the best step is noise^(1/(p+1)) in units of the distance over which the function bends
(Press et al., Numerical Recipes, section 5.7).  The noise is bounded beforehand (the argument itself is known to
one rounding) and measured by sixth differences along the directions (Hamming; Moré & Wild,
"Estimating computational noise", SIAM J. Sci. Comput. 33, 2011).  A function that computes in a narrower dtype than
its argument is noticed in this way and gets the longer steps, and the wider bars, that it deserves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.stencils import CENTRAL, Stencil
from bncheck.stream import Stream

Function = Callable[[Array, Array], Array]
"""f(argument (P, M), columns (M,)) -> output (N, M); lane m is a copy of column columns[m]."""
Tick = Callable[[float], object]


class _Probe(NamedTuple):
    """A stencil for whole directions, and a difference at its offsets that sees rounding alone."""

    stencil: Stencil
    difference: tuple[int, ...]
    """Of the highest order that the offsets and 0 allow: polynomials of lower degree vanish in it."""

    @property
    def amplification(self) -> float:
        """What the difference multiplies white noise by; its coefficients sum to 0, that of f(0) included."""
        return math.hypot(*self.difference, sum(self.difference))


_SMOOTH = _Probe(
    Stencil("sixth order", (1, -1, 2, -2, 3, -3), (3 / 4, -3 / 4, -3 / 20, 3 / 20, 1 / 60, -1 / 60), order=6),
    difference=(15, 15, -6, -6, 1, 1),
)
_LINEAR = _Probe(CENTRAL, difference=(1, 1))
# The witness is asked for the noise as well, which its truncation must not drown: steps as if of order 4.
_WITNESS_ORDER = 4
_HADAMARD = np.array([[(-1.0) ** (k & c).bit_count() for c in range(8)] for k in range(8)])
_SAFETY = 4.0
_NOISE_FOUND = 30.0  # measured above expected noise by this factor: the function rounds more coarsely
_LARGEST_NOISE = 1e-3  # beyond it steps stop growing: the function bends within one unit of scale
# The shape of one evaluation.  Below _SMALL entries the overhead of a NumPy call tells, above _LARGE the temporaries
# fall out of the last-level cache, and blocks narrower than _WIDE pay for every row in each reduction.
_SMALL, _LARGE, _WIDE, _NARROW = 1 << 14, 1 << 19, 512, 16
_SPARE = 31 << 17  # numbers: glibc keeps no memory for blocks beyond 32 MiB, whatever it has seen freed


class Derivative(NamedTuple):
    """dL_j/dx, with what is known about its error."""

    value: Array
    """(P, D), in the dtype of the argument."""
    error: Array
    """(D,), a bound for the error of each entry of the column."""
    noise: Array
    """(D,), the rounding error of L_j in one evaluation, relative to how far L_j moves within one scale."""
    step: Array
    """(D,), the step taken, in units of x."""


def differentiate(
    f: Function,
    x: Array,
    weights: Array,
    scale: Array,
    *,
    stencil: Stencil = CENTRAL,
    step: float | None = None,
    linear: bool = False,
    whole: bool = False,
    seed: int = 0,
    tick: Tick | None = None,
) -> Derivative:
    """Every derivative of L_j = sum(weights[:, j] * f(x)[:, j]), with an error bar for each column.

    ``x`` is (P, D), ``weights`` (N, D), both of the dtype in which to work; ``scale`` (D,) is the distance
    over which f bends in each column.  ``step``, in units of scale, overrides the choice described above;
    ``linear`` promises that f is linear, so that a step of one scale has no truncation (a broken promise shows as a
    wide bar); ``whole`` evaluates all columns once in each call, for an f that takes neither fewer nor copies.
    What f returns is overwritten.  ``tick`` is told of evaluations, in units of one
    evaluation of all of x, and may raise in order to stop.
    """
    run = _Run(f, x, weights, tick, whole)
    precision = np.finfo(x.dtype).eps
    expected = precision * np.maximum(1, np.abs(x).max(axis=0) / scale)
    probe = _LINEAR if linear else _SMOOTH
    signs = _directions(len(x), linear, seed).astype(x.dtype)
    witness = run.along(probe, signs, scale, _step(expected, _WITNESS_ORDER, linear), expected)
    if np.any(witness.noise > _NOISE_FOUND * expected):
        witness = run.along(probe, signs, scale, _step(witness.noise, _WITNESS_ORDER, linear), expected)
    # Length is measured over the whole column: one entry alone moves by sqrt(P) where all of P move by 1.
    unit = scale * np.sqrt(x.dtype.type(len(x)))
    best = _step(witness.noise, stencil.order, linear) if stencil.cancels else precision**2
    h = best * unit if step is None else step * scale
    value = run.entries(stencil, h)
    residual = witness.slope - signs @ value
    observed = np.sqrt(np.mean(residual**2, axis=0))
    rounding = witness.rounding / (h if stencil.cancels else scale)
    # The value itself is rounded, where the steps are summed and where it is divided.
    error = _safety(len(signs)) * np.maximum(observed, rounding) + 2 * precision * np.abs(value).max(axis=0)
    return Derivative(value, error, witness.noise, h)


def quotients(
    f: Function,
    x: Array,
    weights: Array,
    stencil: Stencil,
    step: Array,
    *,
    whole: bool = False,
    tick: Tick | None = None,
) -> Array:
    """(P, D), the difference quotients of L_j at the ``step`` given, (D,) in units of x: no choice and no error bar.

    The other arguments are those of ``differentiate``.  Where the step moves nothing there is no number.
    """
    return _Run(f, x, weights, tick, whole).entries(stencil, step)


def evaluations(rows: int, stencil: Stencil, linear: bool) -> int:
    """Evaluations of f that ``differentiate`` makes on an argument of so many rows, as a rule."""
    entries = rows * sum(offset != 0 for offset in stencil.offsets)
    probe = _LINEAR if linear else _SMOOTH
    return 1 + _count(rows, linear) * len(probe.stencil.offsets) + entries


def _safety(directions: int) -> float:
    """By how much the bar exceeds what was observed: a mean square over few directions may be small by chance."""
    return _SAFETY * (1 + 2 / directions**2)


def _step(noise: Array, order: int, linear: bool) -> Array:
    """The step, in units of the bending scale, at which truncation and rounding are alike."""
    if linear:
        return np.ones_like(noise)
    return np.asarray(np.minimum(noise, _LARGEST_NOISE) ** (1 / (order + 1)))


def _count(rows: int, linear: bool) -> int:
    """How many directions: where there is no truncation to be found, one confirms it."""
    return 1 if linear else min(len(_HADAMARD), 1 << (rows - 1).bit_length())


def _directions(rows: int, linear: bool, seed: int) -> Array:
    """(K, P) signs with random lengths in [1/2, 3/2], K <= 8 a power of two.

    Row i gets the signs of one column of the K x K Hadamard matrix (Sylvester's, whose corners nest).
    Those columns are orthogonal, so errors in rows of different columns add up in the mean square and
    cannot cancel.  Rows that share one are told apart by random signs and lengths (with equal lengths, equal
    errors could cancel exactly).
    """
    draw = Stream(seed, "directions")
    count = _count(rows, linear)
    lengths = draw.uniform(0.5, 1.5, rows) * draw.signs(rows)
    return np.asarray(_HADAMARD[:count, draw.permutation(rows) % count] * lengths)


class _Witness(NamedTuple):
    slope: Array
    """(K, D), the derivative along each direction."""
    noise: Array
    """(D,), the rounding error of L_j, relative to how far L_j can move when the argument moves by one scale."""
    rounding: Array
    """(D,), the same error as it is."""


class _Run:
    """The evaluations of one f around one x."""

    def __init__(self, f: Function, x: Array, weights: Array, tick: Tick | None, whole: bool) -> None:
        self.f, self.x, self.weights, self.tick = f, x, weights, tick
        rows = max(len(x), len(weights))
        self.lanes = x.shape[1] if whole else max(_SMALL // rows, min(_WIDE, _LARGE // rows), _NARROW)
        # glibc returns a freed block to the system, and pays for its pages again at the next evaluation, unless it has
        # seen a larger one freed before.
        np.empty(min(16 * max(_SMALL, self.lanes * rows), _SPARE))
        self.base = self.evaluate(x, np.arange(x.shape[1]))

    def evaluate(self, argument: Array, columns: Array) -> Array:
        out = np.asarray(self.f(argument, columns), dtype=argument.dtype)
        if self.tick is not None:
            self.tick(len(columns) / self.x.shape[1])
        return out

    def blocks(self, copies: int) -> Iterator[tuple[slice, int]]:
        """Blocks of columns, each with how many of its copies to evaluate at once: a cacheful, evenly shared out."""
        width = min(self.x.shape[1], self.lanes)
        for left in range(0, self.x.shape[1], width):
            columns = slice(left, min(left + width, self.x.shape[1]))
            rounds = math.ceil(copies * (columns.stop - left) / self.lanes)
            yield columns, math.ceil(copies / rounds)

    def entries(self, stencil: Stencil, h: Array) -> Array:
        """(P, D), one entry of each lane perturbed at a time."""
        value = np.empty_like(self.x)
        dtype = np.result_type(self.x, *(() if stencil.cancels else (np.complex64,)))
        for columns, depth in self.blocks(len(self.x)):
            width = columns.stop - columns.start
            lanes = np.tile(np.arange(columns.start, columns.stop), depth)
            # A copy in any case: it is written to.
            argument = _copies(self.x[:, columns], depth).astype(dtype)
            weights = _copies(self.weights[:, columns], depth)
            for top in range(0, len(self.x), depth):
                # The last block may want fewer copies than there are; those left over repeat the last row.
                rows = np.minimum(np.arange(top, top + depth), len(self.x) - 1)
                change, moved = self.perturb(argument, rows, lanes, stencil, h[columns])
                slope = np.einsum("nm,nm->m", weights, change).reshape(depth, width) / moved
                value[top : top + depth, columns] = slope.real[: len(self.x) - top]
        return value

    def perturb(
        self, argument: Array, rows: Array, lanes: Array, stencil: Stencil, steps: Array
    ) -> tuple[Array, Array]:
        """What the stencil makes of f when row rows[k] of copy k moves by ``steps``, and what that row moved by."""
        copies = argument.reshape(len(argument), len(rows), -1)
        entries = (rows, np.arange(len(rows)))
        old = copies[entries]
        total: Array | None = None
        moved = np.zeros_like(old)
        for offset, weight in zip(stencil.offsets, stencil.weights, strict=True):
            new = old + offset * steps
            copies[entries] = new
            out = self.base[:, lanes] if offset == 0 else self.evaluate(argument, lanes)
            total = _add(total, out, weight / stencil.weights[0])
            # The step after rounding is what one divides by, with the weights that the outputs have.
            moved += weight / stencil.weights[0] * (new - old)
        copies[entries] = old
        assert total is not None
        return total, moved

    def along(self, probe: _Probe, signs: Array, scale: Array, step: Array, expected: Array) -> _Witness:
        """The witness: L_j along whole directions, its slope and its noise."""
        offsets, count = probe.stencil.offsets, len(signs)
        change = np.empty((len(offsets), count, self.x.shape[1]), self.x.dtype)
        swing = np.zeros(change.shape[1:], self.x.dtype)
        length = step * scale
        for columns, depth in self.blocks(count):
            width = columns.stop - columns.start
            for top in range(0, count, depth):
                block = slice(top, min(top + depth, count))
                copies = block.stop - top
                lanes = np.tile(np.arange(columns.start, columns.stop), copies)
                here, base, weights = (_copies(a[:, columns], copies) for a in (self.x, self.base, self.weights))
                direction = np.repeat(signs[block].T, width, axis=1) * length[lanes]
                argument = np.empty_like(here)
                for k, offset in enumerate(offsets):
                    np.multiply(direction, offset, out=argument)
                    argument += here
                    out = self.evaluate(argument, lanes)
                    out -= base
                    change[k, block, columns] = np.einsum("nm,nm->m", weights, out).reshape(copies, width)
                    if abs(offset) == 1:
                        moved = np.einsum("nm,nm->m", out, out).reshape(copies, width)
                        swing[block, columns] = np.maximum(swing[block, columns], moved)
        tilt, flutter = np.tensordot(np.array([probe.stencil.weights, probe.difference]), change, axes=1)
        norm = np.sqrt(np.einsum("nd,nd->d", self.weights, self.weights))
        reach = norm * np.sqrt(swing.max(axis=0) / len(self.base)) / step
        storing = np.finfo(self.x.dtype).eps * norm * np.abs(self.base).max(axis=0)
        seen = np.maximum(np.sqrt(np.mean(flutter**2, axis=0)) / probe.amplification, storing)
        # Where f does not move at all, whatever was seen is noise through and through.
        relative = np.divide(seen, reach, out=np.sign(seen), where=reach > 0)
        noise = np.maximum(expected, relative)
        return _Witness(tilt / length, noise, np.maximum(noise * reach, seen))


def _copies(table: Array, count: int) -> Array:
    """``count`` copies side by side, (N, count * width), in the memory order of the table; one is the table itself."""
    if count == 1:
        return table
    return np.tile(table.T, (count, 1)).T if table.flags.fnc else np.tile(table, (1, count))


def _add(total: Array | None, out: Array, ratio: complex) -> Array:
    """total + ratio * out, without a temporary; what f returned is ours to overwrite."""
    if total is None:
        return out
    if ratio == -1:
        return np.subtract(total, out, out=total)
    return np.add(total, np.multiply(out, ratio, out=out), out=total)
