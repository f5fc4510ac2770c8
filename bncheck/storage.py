"""Tables that do not fit into memory: on disk, one column after the other, so that a block of columns is one piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from bncheck import memory
from bncheck.arrays import Array
from bncheck.errors import BadInput

_CHUNK = 1 << 22  # entries that are in memory at once on the way


def scratch(rows: int, columns: int, dtype: np.dtype[Any]) -> Array:
    """An (N, D) table in a file without a name, which is gone when nobody uses it any more.

    It stands where temporary files do (TMPDIR says where).  Raises BadInput where it does not fit.
    """
    # Not loaded before there is something to store: every command starts with this room.
    import shutil
    import tempfile

    needed = rows * columns * dtype.itemsize
    there = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > there:
        raise BadInput(
            f"a copy of ({rows}, {columns}) needs {memory.said(needed)} in {tempfile.gettempdir()}, which has "
            f"{memory.said(there)}: set TMPDIR to a larger disk"
        )
    with tempfile.TemporaryFile(prefix="bncheck.") as file:
        return np.memmap(file, dtype, mode="w+", shape=(columns, rows)).T


def by_rows(parts: Iterable[Array], rows: int, columns: int, dtype: np.dtype[Any]) -> Array:
    """A table on disk from its parts, some rows each in order."""
    table, top = scratch(rows, columns, dtype), 0
    for part in parts:
        table[top : top + len(part)] = part
        top += len(part)
        release(table)
    return table


def pieces(table: Array) -> Iterator[Array]:
    """The table, some rows at a time."""
    height = max(1, _CHUNK // max(1, table.shape[1]))
    for top in range(0, len(table), height):
        yield np.array(table[top : top + height])
        release(table)


def rows_of(numbers: Iterable[Array], columns: int) -> Iterator[Array]:
    """Rows from a sequence of numbers that comes in parts of any length."""
    rest = np.empty(0)
    for part in numbers:
        rest = np.concatenate([rest, part])
        whole = len(rest) // columns * columns
        yield rest[:whole].reshape(-1, columns)
        rest = rest[whole:]


def release(table: Array) -> None:
    """Give the memory back that a table on disk has taken; its numbers stay where they are."""
    mapped = getattr(table, "_mmap", None)
    if mapped is not None:
        import mmap

        if hasattr(mmap, "MADV_DONTNEED"):
            # Of a shared mapping this drops the pages of this process alone: what was written is in the file.
            mapped.madvise(mmap.MADV_DONTNEED)
