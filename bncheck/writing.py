"""Arrays as bytes, and bytes into files: whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from bncheck import storage
from bncheck.arrays import Array
from bncheck.errors import BadInput


def npz(arrays: Mapping[str, Array]) -> bytes:
    """A NumPy archive; the same bytes for the same arrays."""
    buffer = io.BytesIO()
    # NumPy 1 would take allow_pickle for an array, and the stubs of NumPy 2 take the arrays for allow_pickle.
    savez: Callable[..., None] = np.savez
    savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def npy_parts(table: Array) -> Iterator[bytes]:
    """The same file as ``npy`` makes, of a table on disk, some rows at a time."""
    header = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(table.dtype), "fortran_order": False, "shape": table.shape}
    np.lib.format.write_array_header_1_0(header, about)
    yield header.getvalue()
    for rows in storage.pieces(table):
        yield rows.tobytes()


def delimited(table: Array, columns: tuple[str, ...] = (), delimiter: str = ",") -> str:
    """Rows of numbers, each the shortest that reads back as the same value in its dtype.

    Axes beyond the second are unrolled into the row.
    """
    header = io.StringIO()
    if columns:
        csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(columns)
    # str of a NumPy scalar is shortest for its own dtype; repr of a float would pad float32 with noise.
    rows = [delimiter.join(map(str, row)) for row in table.reshape(len(table), -1)]
    return header.getvalue() + "\n".join(rows) + "\n"


def write(path: str, data: bytes | Iterable[bytes]) -> None:
    """Write the file at once under its name, so that a failure leaves what was there before.

    A device or a named pipe is written to as it is.  Raises BadInput where the system refuses.
    """
    if not path:
        raise BadInput("the file name is empty: give a path to write to")
    target = Path(path)
    parts = (data,) if isinstance(data, bytes) else data
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                file.writelines(parts)
        else:
            _replace(target.resolve(), parts)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from None


def _replace(target: Path, parts: Iterable[bytes]) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".bncheck.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
        # mkstemp makes files private; the one asked for gets the mode it had, or the usual one.
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
