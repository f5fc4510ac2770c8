"""Batches and statistics from files and pipes.  Nothing is ever unpickled."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from array import array
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np

from bncheck import memory
from bncheck.arrays import Array
from bncheck.batch import ARRAYS, RUNNING
from bncheck.errors import BadInput

_NPY, _ZIPS, _PICKLE = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06"), b"\x80"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAPPED_FROM = 64 << 20  # bytes; a larger .npy is mapped, and read only where it is looked at
_LISTED = 12


@dataclass(frozen=True)
class Contents:
    """The arrays that a file holds, x among them, and the names of x's columns where it gives any."""

    arrays: dict[str, Array]
    columns: tuple[str, ...]
    source: str

    @property
    def mapped(self) -> bool:
        """x is in a file, and read only where it is looked at."""
        return isinstance(self.arrays["x"], np.memmap)


def read_batch(path: str, stdin: IO[bytes] | None = None) -> Contents:
    """Read ``path``, or ``stdin`` where it is "-".  What it is is told by its content, not by its name.

    Raises BadInput, naming the file, the place in it, and what to do.
    """
    arrays, columns, source = _read(path, stdin)
    if "x" not in arrays:
        held = ", ".join(sorted(arrays)[:_LISTED]) or "nothing"
        raise BadInput(f"{source} has no array named x; it holds {held}")
    return Contents({name: arrays[name] for name in ARRAYS if name in arrays}, columns, source)


def read_statistics(path: str) -> tuple[dict[str, Array], str]:
    """The running statistics that ``forward --save-stats`` wrote to ``path``, and what to call their source."""
    if path == "-":
        raise BadInput("running statistics are read from a file, and not from standard input")
    arrays, _, source = _read(path, None)
    if not arrays.keys() >= set(RUNNING):
        raise BadInput(f"{source} has no {' and '.join(RUNNING)}; write it with forward --save-stats")
    return {name: arrays[name] for name in RUNNING}, source


def _read(path: str, stdin: IO[bytes] | None) -> tuple[dict[str, Array], tuple[str, ...], str]:
    if path == "-":
        return _parse(stdin.read() if stdin else b"", "<stdin>")
    if not path:
        raise BadInput("the file name is empty: give a path, or - for standard input")
    try:
        with Path(path).open("rb") as file:
            head, size = file.read(len(_NPY)), Path(path).stat().st_size
            if head == _NPY and size > _MAPPED_FROM:
                return {"x": _load(Path(path), path)}, (), path
            memory.require_bytes(size, f"{path} as a whole")
            return _parse(head + file.read(), path)
    except OSError as error:
        raise BadInput(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _parse(data: bytes, source: str) -> tuple[dict[str, Array], tuple[str, ...], str]:
    if not data.strip():
        raise BadInput(f"{source} is empty: give .npy, .npz, .csv or .tsv")
    if data.startswith(_NPY):
        return {"x": _load(io.BytesIO(data), source)}, (), source
    if data.startswith(_ZIPS):
        return _members(data, source), (), source
    if data.startswith(_PICKLE):
        raise BadInput(f"{source} is a pickle, which is never loaded: save it with numpy.save")
    try:
        text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{source} is no .npy, no .npz and no UTF-8 text: save it as .npy, .npz, .csv or .tsv") from None
    table, columns = _table(text, source)
    return {"x": table}, columns, source


def _load(file: IO[bytes] | Path, source: str) -> Array:
    """An array in NumPy's format; a path is mapped, and not read."""
    try:
        with warnings.catch_warnings(action="ignore"):  # what Python 2 wrote is read as well, and warned of
            if isinstance(file, Path):
                return np.lib.format.open_memmap(file, mode="r")
            loaded: Array = np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError as error:
        raise BadInput(f"{source} does not fit into memory: {_line(error)}") from None
    except Exception as error:
        # The header is a Python literal, and whatever its parsers raise comes through.
        if "bject" in str(error):
            raise BadInput(f"{source} holds Python objects, which are never loaded: save numbers") from None
        raise BadInput(f"{source} is a damaged or truncated .npy file: {_line(error)}") from None
    return loaded


def _members(data: bytes, source: str) -> dict[str, Array]:
    """The arrays of an archive; those that nobody asks for are named, and not read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}
            arrays: dict[str, Array] = {name: np.empty(0) for name in members}
            for name in [name for name in ARRAYS if name in members]:
                memory.require_bytes(members[name].file_size, f"{name} in {source}")
                with archive.open(members[name]) as file:
                    arrays[name] = _load(file, f"{name} in {source}")
    except BadInput:
        raise
    except Exception as error:  # zipfile trusts the offsets it reads, and raises whatever they lead to
        raise BadInput(f"{source} is a damaged or truncated .npz file: {_line(error)}") from None
    return arrays


def _table(text: str, source: str) -> tuple[Array, tuple[str, ...]]:
    """Numbers with or without a header; tab, semicolon, comma or blanks between them, # before a comment."""
    delimiter = _delimiter(list(islice(filter(_counts, io.StringIO(text, newline="")), 2)))
    edge = " \r\n" if delimiter == " " else ""  # blanks there separate nothing
    lines = (line.strip(edge) if _counts(line) else "\n" for line in io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    columns: tuple[str, ...] = ()
    values, width = array("d"), 0
    try:
        for cells in filter(None, reader):
            if not width:
                width = len(cells)
                if not any(_is_number(cell) for cell in cells):
                    columns = tuple(cell.strip() for cell in cells)
                    continue
            if len(cells) != width:
                raise BadInput(f"{source}: row {reader.line_num}: expected {width} cells and found {len(cells)}")
            _append(values, cells, columns, f"{source}: row {reader.line_num}")
    except csv.Error as error:
        raise BadInput(
            f"{source}: row {reader.line_num} cannot be read: {_line(error)}; look for a stray quote"
        ) from None
    if not values:
        raise BadInput(f"{source} holds {'a header and no numbers' if width else 'no numbers'}")
    return np.frombuffer(values).reshape(-1, width), columns


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _delimiter(first: list[str]) -> str:
    """What separates the cells of a file that begins with these lines; a header alone may hold blanks."""
    bare = [re.sub('"[^"]*"', "", line).strip() for line in first]
    found = next((c for c in "\t;," if any(c in line for line in bare)), None)
    return found or (" " if bare and " " in bare[-1] else ",")


def _append(values: array[float], cells: list[str], columns: tuple[str, ...], place: str) -> None:
    try:
        values.extend(map(float, cells))
        # float reads 1_000, which in a table is a name.
        if "_" not in "".join(cells):
            return
    except ValueError:
        pass
    j = next(j for j, cell in enumerate(cells) if not _is_number(cell))
    named = f" ({columns[j]})" if columns and columns[j] else ""
    raise BadInput(f"{place}, column {j + 1}{named}: {_not_a_number(cells[j].strip())}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _not_a_number(cell: str) -> str:
    if not cell:
        return "the cell is empty; fill it, or leave its row out"
    if _is_number(cell.replace(",", "")):
        return f"{cell[:40]!r} has a comma in it; write a decimal point, and nothing between thousands"
    return f"{cell[:40]!r} is not a number; keep columns of numbers only"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
