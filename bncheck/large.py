"""Batches that are larger than memory: x and dout stay on disk, and are worked on in blocks of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bncheck import memory, storage
from bncheck.arrays import Array
from bncheck.batch import BYTES_PER_ENTRY, DTYPES, Batch, absent, natural
from bncheck.errors import BadInput
from bncheck.stream import Stream

BLOCK = 1 << 17  # entries of a block: its dozen arrays fit the last cache
_LINE = 64  # bytes of a line of the cache, nearly everywhere
_TALL = 1024  # rows from which a block is laid out column by column
BYTES_IN_WORK = 26 * 8
"""What an entry of a block takes while it is checked: x, dout, the gradients and bounds, in float64."""


def blocks(batch: Batch, apart: bool, entries: int = BLOCK) -> Iterator[slice]:
    """Blocks of columns that fit a cache (``entries``) and the budget; all at once where they cannot be taken apart."""
    width = max(1, entries // batch.n) if apart else batch.d
    if batch.budget is not None:
        width = min(width, at_once(batch))
    return (slice(left, min(left + width, batch.d)) for left in range(0, batch.d, width))


def at_once(batch: Batch) -> int:
    """Columns that may be in memory together."""
    return batch.d if batch.budget is None else max(1, batch.budget // (batch.n * BYTES_IN_WORK))


class Strips:
    """Blocks of the columns of one table, taken from left to right, in memory; of many rows, one column after another.

    A line of the cache holds several numbers of a row: of a table that lies row by row, narrow blocks are cut from
    strips of so many columns, each of which is gathered once.
    """

    def __init__(self, table: Array, budget: int | None = None) -> None:
        apart = len(table) >= _TALL and budget is None and not table.flags.fnc
        self.table, self.width = table, _LINE // table.itemsize if apart else 1
        self.left, self.strip = 0, table[:, :0]

    def cut(self, block: slice | list[int]) -> Array:
        if not isinstance(block, slice):
            return laid_out(self.table[:, block])
        if not self.left <= block.start <= block.stop <= self.left + self.strip.shape[1]:
            self.left = block.start
            self.strip = laid_out(self.table[:, self.left : max(block.stop, self.left + self.width)])
        return self.strip[:, block.start - self.left : block.stop - self.left]


def column_block(batch: Batch, block: slice | list[int], tables: tuple[Strips, Strips] | None = None) -> Batch:
    """The batch that these columns make, in memory; ``tables`` are x and dout where blocks are taken one after another.

    The arrays are not to be written to.
    """
    which = np.arange(batch.d)[block]
    x, dout = (table.cut(block) for table in tables or (Strips(batch.x, 0), Strips(batch.dout, 0)))
    storage.release(batch.x)
    storage.release(batch.dout)
    running = batch.running.take(which) if batch.running else None
    part = batch._replace(x=x, gamma=batch.gamma[block], beta=batch.beta[block], dout=dout, running=running)
    return part._replace(layout=None, columns=(), budget=None)


def laid_out(table: Array) -> Array:
    """A copy in memory, with many rows one column after the other."""
    if len(table) < _TALL:
        return np.array(table, order="C")
    copy = np.empty(table.shape, table.dtype, order="F")
    # A row of the table is a line of the cache or more, of which every column takes its part before it is lost.
    for top in range(0, len(table), _TALL):
        copy[top : top + _TALL] = table[top : top + _TALL]
    return copy


def fits(x: Array, budget: int | None) -> bool:
    """Whether a batch with this x can be worked on in memory."""
    return budget is None or x.size * BYTES_PER_ENTRY <= budget


def on_disk(x: Array, source: str, *, budget: int, seed: int = 0, dtype: str | None = None) -> Batch:
    """The batch that ``assemble`` would make of a mapped table (N, D), the same numbers, with x and dout on disk.

    Raises BadInput where x is no table of finite real numbers, or a single column of it is beyond ``budget``.
    """
    if x.ndim != 2 or x.dtype.kind not in "fiub" or 0 in x.shape:
        raise BadInput(f"x in {source} has shape {x.shape} and dtype {x.dtype}: a batch on disk is a table of numbers")
    (n, d), target = x.shape, DTYPES[dtype] if dtype else natural(x)
    if n * BYTES_IN_WORK > budget:
        raise BadInput(
            f"{source}: working on one column of {n} rows takes {memory.said(n * BYTES_IN_WORK)}, and "
            f"{memory.said(budget)} may be used: give a larger --memory"
        )
    table = storage.by_rows(_finite(x, target, source), n, d, target)
    draws = storage.rows_of(Stream(seed, "dout").normals(n * d), d)
    dout = storage.by_rows((part.astype(target) for part in draws), n, d, target)
    rest = absent(seed, n, d, target, {"dout": dout})
    return Batch(table, rest["gamma"], rest["beta"], dout, source=source, seed=seed, budget=budget)


def _finite(x: Array, dtype: np.dtype[Any], source: str) -> Iterator[Array]:
    top = 0
    for part in storage.pieces(x):
        with np.errstate(over="ignore", invalid="ignore"):
            cast = part.astype(dtype)
        if not np.isfinite(cast).all():
            row, column = np.argwhere(~np.isfinite(cast))[0]
            raise BadInput(f"x[{top + row}, {column}] in {source} is {part[row, column]:g}: finite numbers are needed")
        yield cast
        top += len(part)
