"""A run that can go on where it was stopped: JSON lines, the first of which says what the run is about.

Each record is appended in one piece.  A last line that was half written when the run was stopped is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from bncheck.errors import BadInput


class Journal:
    """The records so far, and a place for more; to be used in ``with``."""

    def __init__(self, path: str, about: Mapping[str, Any]) -> None:
        """Begins the file, or reads it.  Raises BadInput where it is about something else, or no journal at all."""
        self.path, self.about = path, json.loads(json.dumps(about))
        self.records: list[dict[str, Any]] = []
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise BadInput(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from None
        try:
            self._read()
        except BaseException:
            os.close(self._file)
            raise

    def _read(self) -> None:
        try:
            if not Path(self.path).is_file():
                raise BadInput(f"{self.path} is no regular file, which a record of a run has to be")
            data = Path(self.path).read_bytes()
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
        whole = data.rfind(b"\n") + 1
        lines = [self._parsed(line, i) for i, line in enumerate(data[:whole].splitlines())]
        if not lines and not json.dumps(self.about).encode().startswith(data):
            raise BadInput(f"{self.path} is no record of a run: name a new file")
        if lines:
            self._compare(lines[0])
        # Only now is it known to be ours.
        os.ftruncate(self._file, whole)
        self.records = lines[1:]
        if not lines:
            self.append(self.about)

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise BadInput(f"{self.path}, line {number + 1} is no record of a run: name a new file")
        return record

    def _compare(self, about: dict[str, Any]) -> None:
        for key in self.about:
            if about.get(key) != self.about[key]:
                was, now = (json.dumps(each.get(key), ensure_ascii=False) for each in (about, self.about))
                raise BadInput(f"{self.path} is of another run, with {key} {was} and not {now}: name a new file")

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a line.  Raises BadInput where the system refuses."""
        data = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            # One call for the whole line: the system appends it in one piece, but for a full disk.
            written = os.write(self._file, data)
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be written: {(error.strerror or str(error)).lower()}") from None
        if written < len(data):
            raise BadInput(f"{self.path}: cannot be written: the disk is full")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._file)
