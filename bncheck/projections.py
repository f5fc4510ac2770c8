"""Numerical derivatives along random directions, with error bars.  Nothing here knows of batch normalization.

Where N is large, a gradient of N * D entries need not be formed to be checked.  Let s be a vector of random signs
and t a length: the derivative of L_j(x + t s) at t = 0 is the sum over i of s_i dL_j/dx_ij, the *projection* of
column j of the gradient, and two evaluations give it in every column at once.

**What a projection shows.**  Let e be the error of one column of an analytic gradient.  Its projection is off by s · e.

* One wrong entry is never missed: |s · e| = |e_i|, whatever the signs.
* Whatever the pattern, s · e takes two values that are 2 max|e| apart, depending on the sign of the largest entry, and
  an open interval of that length holds one of them at the most: |s · e| < max|e| has a probability of at most 1/2
  (Erdős, "On a lemma of Littlewood and Offord", Bull. Amer. Math. Soc. 51, 1945).  K independent directions miss it
  with a probability of at most 2^-K.

**What rounding does to it.**  Entries that may be off by r_i each have a projection that is off by no more than
t |r|_2 with a probability of 1 - 2 exp(-t²/2), however the roundings depend on each other, since the signs know
nothing of them (Hoeffding, J. Amer. Stat. Assoc. 58, 1963, theorem 2).

**Where the error bar comes from.**  L_j is evaluated at t = ±h and ±2h.  C(h) = (L(h) - L(-h)) / 2h has an error of
h², and R = (4 C(h) - C(2h)) / 3, one step of Richardson's extrapolation, of h⁴: |R - C(h)| is what C(h) is off by, and
more than R is.  The fourth difference of the five values, in which h, h² and h³ vanish, shows the noise of one
evaluation (Hamming); the step is chosen for it, and what it comes to in R is added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.differences import Function, Tick
from bncheck.stream import Stream

Along = Callable[[Array, Array, tuple[int, ...]], tuple[Array, Array]]
"""(direction (N, 1) or (N, D), lengths (D,), K multiples) -> what L_j changes by at each of x + multiple * lengths *
direction, (K, D), and the sum of the squares of what f changes by at the first, (D,)."""
BESIDE = 16
"""Evaluations that a projected check makes beside the four of each direction, at the most."""
_SAFETY = 4.0
_NOISE_FOUND = 30.0  # measured above expected noise by this factor: the function rounds more coarsely
_LARGEST_NOISE = 1e-3
_OFFSETS = (1, -1, 2, -2)
_CENTRAL = np.array([1 / 2, -1 / 2, 0, 0])
_RICHARDSON = np.array([2 / 3, -2 / 3, -1 / 12, 1 / 12])
_FLUTTER = np.array([-4, -4, 1, 1]) / math.sqrt(70)  # the fourth difference, of the size of one value's noise
_KEPT = 1 << 26  # bytes
_SPARE = 1 << 21  # numbers; larger blocks go back to the system in any case
_IMPROBABLE = 8.0  # t above: a sum of random signs beyond it has a probability below 3e-14


class Evaluated(NamedTuple):
    """L_j along one direction."""

    changes: Array
    """(4, D), L(h) - L(0), L(-h) - L(0), L(2h) - L(0), L(-2h) - L(0)."""
    swing: Array
    """(D,), the root mean square over the rows of how far f moves by h."""


class Line(NamedTuple):
    """A function on the lines through one point, and what rounding is bound to do to L_j there, (D,) each."""

    at: Callable[[Array, Array], Evaluated]
    """(direction (N, 1) or (N, D), lengths (D,))"""
    norm: Array
    """The 2-norm of the weights: by how much more the roundings of single rows tell in L_j than in f."""
    lump: Array
    """|sum of the weights|: the same for what moves all rows alike, as the rounding of a mean does."""
    storing: Array
    """What it comes to that f's values are stored, and that f may be off by a common factor."""
    base: Array
    """(N, D), f at the point itself."""


class Slopes(NamedTuple):
    """sum_i s_i dL_j/dx_ij for K directions, with what is known about its error."""

    value: Array
    """(K, D)"""
    error: Array
    """(D,), a bound for the error of every projection of the column."""
    noise: Array
    """(D,), the rounding error of L_j relative to how far L_j can move within one scale."""
    step: Array
    """(D,), how far every entry was moved."""


def how_many(confidence: float) -> int:
    """Directions after which a wrong column is missed with a probability of at most 1 - confidence."""
    return max(1, math.ceil(-math.log2(1 - confidence)))


def improbable(table: Array) -> Array:
    """What sums over the rows with random signs hardly exceed, where each entry may be off by so much."""
    return unlikely(np.linalg.norm(table, axis=0), len(table))


def unlikely(norms: Array, rows: int) -> Array:
    """The same, where the 2-norms of the columns are known."""
    return np.asarray((_IMPROBABLE if rows > 1 else 1) * norms)


class Directions:
    """K random directions for N rows; the same signs in every column, each of which is an experiment of its own."""

    def __init__(self, rows: int, count: int, seed: int) -> None:
        draws = (Stream(seed, "direction", k).signs(rows) for k in range(count))
        # As numbers they need not be converted for every block; of very many rows, they take too much memory.
        kept = np.float64 if rows * count * 8 <= _KEPT else np.int8
        self.signs = np.array([draw.astype(kept) for draw in draws])
        self.lumps = self.signs.sum(axis=1, dtype=np.float64)[:, None]
        """(K, 1), the projections of a column of ones."""

    @classmethod
    def enough(cls, rows: int, confidence: float, seed: int) -> Directions:
        return cls(rows, how_many(confidence), seed)

    def __iter__(self) -> Iterator[Array]:
        """Each as a column of float64."""
        return (row.astype(np.float64, copy=False)[:, None] for row in self.signs)

    @property
    def missed(self) -> float:
        """A bound for the probability of missing an error of several entries; that of one entry is never missed."""
        return float(2.0 ** -len(self.signs))

    def of(self, table: Array) -> Array:
        """(K, D), the projections of a table (N, D), in float64 or what is wider."""
        wide = table.astype(np.promote_types(table.dtype, np.float64), copy=False)
        if self.signs.dtype == np.float64:
            return np.asarray(self.signs @ wide)
        return np.array([signs[:, 0] @ wide for signs in self])

    def bound(self, table: Array) -> Array:
        """(D,), what the projections may be off by where the entries may be off by ``table``, (N, D)."""
        return improbable(table)

    def rounding(self, table: Array) -> Array:
        """(D,), what summing the projections in float64 may be off by."""
        terms, sizes = len(table), np.abs(table, dtype=np.float64).sum(axis=0)
        if not np.isfinite(sizes).all():
            sizes = np.abs(table, dtype=np.float64).sum(axis=0, where=np.isfinite(table))
        return np.asarray(np.finfo(np.float64).eps * min(terms, 4 * math.sqrt(terms)) * sizes)


def line(f: Function, x: Array, weights: Array, tick: Tick | None = None) -> Line:
    """L_j = sum(weights[:, j] * f(x)[:, j]) along the lines through ``x``, (N, D); all in the memory order of x.

    Nothing stays in memory but two arrays of the size of x.
    """
    columns = np.arange(x.shape[1])
    # As in differences.py: a larger block freed before keeps the memory of the evaluations at hand.
    np.empty(min(16 * x.size, _SPARE))

    def evaluated(argument: Array) -> Array:
        out = np.asarray(f(argument, columns), dtype=argument.dtype)
        if tick is not None:
            tick(1)
        return out

    base = evaluated(x)
    change, argument = np.empty_like(x), np.empty_like(x)

    def at(direction: Array, lengths: Array) -> Evaluated:
        changes, swing = [], None
        np.multiply(direction, lengths, out=change)
        for offset in _OFFSETS:
            if offset == 2:
                np.add(change, change, out=change)
            out = evaluated((np.add if offset > 0 else np.subtract)(x, change, out=argument))
            moved = np.subtract(out, base, out=out)
            changes.append(inner(weights, moved))
            swing = np.sqrt(inner(moved, moved) / len(x)) if swing is None else swing
        assert swing is not None
        return Evaluated(np.array(changes), swing)

    return _line(at, weights, base)


def walked(along: Along, weights: Array, base: Array, tick: Tick | None = None) -> Line:
    """The same of a function that is evaluated elsewhere; ``base`` (N, D) is its value at x."""

    def at(direction: Array, lengths: Array) -> Evaluated:
        changes, squares = along(direction, lengths, _OFFSETS)
        if tick is not None:
            tick(len(_OFFSETS))
        return Evaluated(changes, np.sqrt(squares / len(base)))

    if tick is not None:
        tick(1)
    return _line(at, weights, base)


def _line(at: Callable[[Array, Array], Evaluated], weights: Array, base: Array) -> Line:
    norm, eps = np.sqrt(inner(weights, weights)), np.finfo(base.dtype).eps
    common = math.log2(2 * len(base)) * np.abs(inner(weights, base))
    storing = eps * (norm * np.abs(base).max(axis=0) + common)
    return Line(at, norm, np.abs(weights.sum(axis=0)), storing, base)


def slopes(line: Line, directions: Iterable[Array], scale: Array, expected: Array, linear: bool = False) -> Slopes:
    """The derivative of L_j along every direction: tables of signs, (N, 1), or (N, D) with one for each column.

    ``scale`` (D,) is the distance over which f bends in each column, ``expected`` (D,) its noise at the least,
    relative to how far L_j moves within one scale; ``linear`` promises that f is linear, so that a step of one scale
    has no truncation.
    """
    rest = iter(directions)
    one = next(rest)
    step = _step(expected, linear)
    first = [line.at(one, step * scale)]
    noise, _ = _noise(line, first, step, expected)
    if np.any(noise > _NOISE_FOUND * expected):
        step = _step(noise, linear)
        first = [line.at(one, step * scale)]
    h = step * scale
    every = first + [line.at(direction, h) for direction in rest]
    noise, rounding = _noise(line, every, step, expected)
    changes = np.array([e.changes for e in every])
    value, plain = (np.tensordot(changes, weights, axes=(1, 0)) / h for weights in (_RICHARDSON, _CENTRAL))
    seen = np.abs(value - plain).max(axis=0) + rounding / h
    # Where f has not moved, it is constant or the step is lost in its rounding: nothing can be said of it.
    seen[np.max([e.swing for e in every], axis=0) == 0] = np.inf
    error = _SAFETY * seen + 2 * np.finfo(scale.dtype).eps * np.abs(value).max(axis=0)
    return Slopes(value, error, noise, h)


def _noise(line: Line, every: list[Evaluated], step: Array, expected: Array) -> tuple[Array, Array]:
    """The rounding of L_j in one evaluation, relative to how far it can move within one scale, and as it is."""
    rate = np.max([e.swing for e in every], axis=0) / step
    seen = np.sqrt(np.mean([(_FLUTTER @ e.changes) ** 2 for e in every], axis=0))
    least = expected * (line.norm + line.lump) * rate + line.storing
    # A few directions may show little of it by chance; a function that rounds coarsely does so in most columns.
    coarse = np.divide(seen, least, out=np.ones_like(seen), where=least > 0)
    rounding = np.maximum(seen, max(1.0, float(np.median(coarse))) * least)
    # Where f does not move at all, whatever was seen is noise through and through.
    reach = line.norm * rate
    return np.maximum(expected, np.divide(seen, reach, out=np.ones_like(seen), where=reach > 0)), rounding


def _step(noise: Array, linear: bool) -> Array:
    """In units of scale; between noise^(1/3), where C(h) is best, and noise^(1/5), where R is.

    The truncation of C(h), by which R is judged, is then above the rounding of R, which few directions can but guess.
    """
    return np.ones_like(noise) if linear else np.asarray(np.minimum(noise, _LARGEST_NOISE) ** (2 / 7))


def inner(a: Array, b: Array) -> Array:
    """(D,), the inner products of the columns."""
    if a.flags.fnc and b.flags.fnc and a.dtype == b.dtype:
        # Column by column in memory, they are inner products of vectors.
        return np.asarray(np.matmul(a.T[:, None, :], b.T[:, :, None])[:, 0, 0])
    return np.asarray(np.einsum("nd,nd->d", a, b))
