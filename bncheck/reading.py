"""Batches and statistics from files and pipes.  Nothing is ever unpickled."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from bncheck.batch import ARRAYS
from bncheck.batchnorm import Array, Statistics
from bncheck.errors import BadInput

_NPY, _ZIP, _PICKLE = b"\x93NUMPY", b"PK\x03\x04", b"\x80"
_MAPPED_FROM = 64 << 20  # bytes; a larger .npy is mapped, and read only where it is looked at
_LISTED = 12


@dataclass(frozen=True)
class Contents:
    """The arrays that a file holds, x among them, and the names of x's columns where it gives any."""

    arrays: dict[str, Array]
    columns: tuple[str, ...]
    source: str


def read_batch(path: str, stdin: IO[bytes] | None = None) -> Contents:
    """Read ``path``, or ``stdin`` where it is "-".  What it is is told by its content, not by its name.

    Raises BadInput, naming the file, the place in it, and what to do.
    """
    arrays, columns, source = _read(path, stdin)
    if "x" not in arrays:
        held = ", ".join(sorted(arrays)[:_LISTED]) or "nothing"
        raise BadInput(f"{source} has no array named x; it holds {held}")
    return Contents({name: arrays[name] for name in ARRAYS if name in arrays}, columns, source)


def read_statistics(path: str, d: int) -> Statistics:
    """The running statistics that ``forward --save-stats`` wrote to ``path``, (D,) each."""
    arrays, _, source = _read(path, None)
    if not {"running_mean", "running_var"} <= arrays.keys():
        raise BadInput(f"{source} has no running_mean and running_var; write it with forward --save-stats")
    mean, var = (np.asarray(arrays[name], dtype=np.float64) for name in ("running_mean", "running_var"))
    if mean.shape != (d,) or var.shape != (d,):
        raise BadInput(f"{source} holds statistics of {mean.size} columns and the batch has {d}")
    if not (np.isfinite(mean).all() and np.isfinite(var).all() and (var >= 0).all()):
        raise BadInput(f"{source}: running_mean must be finite, and running_var finite and not negative")
    return Statistics(mean, var)


def _read(path: str, stdin: IO[bytes] | None) -> tuple[dict[str, Array], tuple[str, ...], str]:
    if path == "-":
        if stdin is None:
            raise BadInput("standard input cannot be read twice")
        return _parse(stdin.read(), "<stdin>", tabs=False)
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(_NPY))
            if head == _NPY and Path(path).stat().st_size > _MAPPED_FROM:
                return {"x": _load(path, path, mmap_mode="r")}, (), path
            return _parse(head + file.read(), path, tabs=path.endswith(".tsv"))
    except OSError as error:
        raise BadInput(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _parse(data: bytes, source: str, tabs: bool) -> tuple[dict[str, Array], tuple[str, ...], str]:
    if not data.strip():
        raise BadInput(f"{source} is empty: give .npy, .npz, .csv or .tsv")
    if data.startswith(_NPY):
        return {"x": _load(io.BytesIO(data), source)}, (), source
    if data.startswith(_ZIP):
        return _members(data, source), (), source
    if data.startswith(_PICKLE):
        raise BadInput(f"{source} is a pickle, which is never loaded: save it with numpy.save")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{source} is none of .npy, .npz, .csv and .tsv") from None
    table, columns = _table(text, source, tabs)
    return {"x": table}, columns, source


def _load(file: Any, source: str, mmap_mode: Any = None) -> Array:
    try:
        loaded = np.load(file, mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, TypeError, MemoryError) as error:
        if "pickle" in str(error) or "Object arrays" in str(error):
            raise BadInput(f"{source} holds Python objects, which are never loaded: save numbers") from None
        raise BadInput(f"{source} is a damaged or truncated .npy file: {_line(error)}") from None
    return np.asanyarray(loaded)


def _members(data: bytes, source: str) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            wanted = [name for name in names if name[:-4] in ARRAYS]
            arrays: dict[str, Array] = {name[:-4]: np.empty(0) for name in names}
            for name in wanted:
                arrays[name[:-4]] = _load(io.BytesIO(archive.read(name)), f"{source}[{name[:-4]}]")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise BadInput(f"{source} is a damaged or truncated .npz file: {_line(error)}") from None
    return arrays


def _table(text: str, source: str, tabs: bool) -> tuple[Array, tuple[str, ...]]:
    """Numbers with or without a header; comma, tab, semicolon or blanks between them, # before a comment."""
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise BadInput(f"{source} holds no numbers")
    delimiter = "\t" if tabs else next((c for c in "\t,;" if c in lines[0][1]), None)
    rows = [(number, _split(line, delimiter)) for number, line in lines]
    columns: tuple[str, ...] = ()
    if not any(_number(cell) is not None for cell in rows[0][1]):
        columns = tuple(cell.strip() for cell in rows.pop(0)[1])
        if not rows:
            raise BadInput(f"{source} holds a header and no numbers")
    width = len(columns or rows[0][1])
    table = np.empty((len(rows), width))
    for i, (number, cells) in enumerate(rows):
        if len(cells) != width:
            raise BadInput(f"{source}: row {number} has {len(cells)} columns where {width} are expected")
        try:
            table[i] = cells
        except ValueError:
            raise _bad_cell(source, number, cells, columns) from None
    return table, columns


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _bad_cell(source: str, row: int, cells: list[str], columns: tuple[str, ...]) -> BadInput:
    column, cell = next((j, cell) for j, cell in enumerate(cells, 1) if _number(cell) is None)
    named = f" ({columns[column - 1]})" if columns else ""
    what = f"{cell.strip()[:40]!r} is not a number" if cell.strip() else "the cell is empty"
    return BadInput(f"{source}: row {row}, column {column}{named}: {what}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
