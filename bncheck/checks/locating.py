"""Which entries of a column are wrong: bisection over the rows, all columns at once.

A direction that is zero outside of some rows measures the sum over these rows alone.  Of two halves those that are
off by more than is allowed are halved again, until single rows are left; the widest discrepancies are followed first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.checks.numeric import Columns
from bncheck.projections import Slopes, improbable, slopes
from bncheck.report import Worst
from bncheck.stream import Stream

NAMED = 12
"""Entries that are named, at the most."""
_PATTERNS = 2  # of signs: errors of several rows may cancel in one of them
_LANES = 1 << 20  # entries evaluated at once


class Rows(NamedTuple):
    """Some rows of one column, and by how much their sum is off, in units of what is allowed."""

    column: int
    start: int
    stop: int
    excess: float = np.inf
    found: Worst | None = None


def locate(
    whole: Columns, packs: bool, analytic: Array, rounding: Array, suspects: list[int], seed: int
) -> tuple[list[tuple[int, int, Worst]], int]:
    """(row, column, what is wrong there), the worst first, and how many others there are at least.

    ``analytic`` and ``rounding`` (what that may do to it) are of the shape of x, ``suspects`` the columns in question.
    """
    bisection = _Bisection(whole, packs, analytic, rounding, seed)
    left = [Rows(column, 0, len(analytic)) for column in suspects]
    dropped = 0
    while any(rows.stop - rows.start > 1 for rows in left):
        halves = [half for rows in left if rows.stop - rows.start > 1 for half in _halves(rows)]
        wrong = [rows for rows in bisection.measured(halves) if rows.excess > 1]
        wrong += [rows for rows in left if rows.stop - rows.start == 1]
        wrong.sort(key=lambda rows: -rows.excess)
        dropped += len(wrong[NAMED:])
        left = wrong[:NAMED]
    if left and left[0].found is None:
        left = [rows for rows in bisection.measured(left) if rows.excess > 1]
    return [(rows.start, rows.column, rows.found) for rows in left if rows.found is not None], dropped


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    middle = (rows.start + rows.stop) // 2
    return Rows(rows.column, rows.start, middle), Rows(rows.column, middle, rows.stop)


class _Bisection(NamedTuple):
    whole: Columns
    packs: bool
    """The function takes any selection of columns."""
    analytic: Array
    rounding: Array
    seed: int

    def measured(self, some: list[Rows]) -> Iterator[Rows]:
        """The same with how far they are off."""
        for lanes, group in self._groups(some):
            found, signs = self._slopes(lanes, group)
            for rows, lane in group:
                yield self._judged(rows, lane, found, signs)

    def _groups(self, some: list[Rows]) -> Iterator[tuple[Array, list[tuple[Rows, int]]]]:
        """Columns to evaluate at once, and in which of them which rows are moved."""
        height, width = self.whole.x.shape
        if self.packs:
            count = max(1, _LANES // height)
            for first in range(0, len(some), count):
                part = some[first : first + count]
                yield np.array([rows.column for rows in part]), [(rows, lane) for lane, rows in enumerate(part)]
            return
        while some:
            # All columns at once, and in each of them one thing at a time.
            part = list({rows.column: rows for rows in reversed(some)}.values())
            some = [rows for rows in some if rows not in part]
            yield np.arange(width), [(rows, rows.column) for rows in part]

    def _slopes(self, lanes: Array, group: list[tuple[Rows, int]]) -> tuple[Slopes, Array]:
        height = len(self.whole.x)
        signs = np.array([Stream(self.seed, "bisection", k).signs(height) for k in range(_PATTERNS)])
        mask, reach = np.zeros((height, len(lanes))), np.ones(len(lanes))
        for rows, lane in group:
            mask[rows.start : rows.stop, lane] = 1
            # The fewer rows move, the further they may.
            reach[lane] = np.sqrt(height / (rows.stop - rows.start))
        x, dout = (np.asfortranarray(table[:, lanes]) for table in (self.whole.x, self.whole.dout))
        on = self.whole.line(x, dout, lanes)
        directions = (mask * pattern[:, None] for pattern in signs)
        return slopes(
            on, directions, self.whole.scale[lanes] * reach, self.whole.noise[lanes], self.whole.linear
        ), signs

    def _judged(self, rows: Rows, lane: int, found: Slopes, signs: Array) -> Rows:
        part = (slice(rows.start, rows.stop), rows.column)
        allowed = float(found.error[lane]) + improbable(self.rounding[part])
        off = np.abs(signs[:, part[0]] @ self.analytic[part].astype(np.float64) - found.value[:, lane])
        # What is no number is wrong in the analytic gradient, and nobody's fault in the numerical one.
        off = np.where(np.isfinite(found.value[:, lane]), np.where(np.isnan(off), np.inf, off), 0)
        excess = float(off.max() / allowed) if allowed > 0 else np.inf
        if rows.stop - rows.start > 1:
            return rows._replace(excess=excess)
        numeric = float(found.value[0, lane] * signs[0, rows.start])
        allowed_to_it = float(self.rounding[rows.start, rows.column])
        at = (rows.start, rows.column)
        worst = Worst(at, float(self.analytic[at]), numeric, float(found.error[lane]), allowed_to_it)
        return rows._replace(excess=excess, found=worst)
