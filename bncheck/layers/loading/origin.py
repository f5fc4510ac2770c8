"""Where Python finds the module that a layer stands in."""

from __future__ import annotations

import hashlib

from bncheck.errors import BadInput
from bncheck.layers.loading.source import read
from bncheck.layers.loading.targets import existing, is_file, module_file, place_of, split
from bncheck.reproduction import Origin


def origin_of(target: str) -> Origin:
    """Of a target that ``load`` has loaded."""
    path, _ = split(target)
    file = existing(path) if is_file(path) else module_file(path)
    if file is None:
        return Origin(path)
    try:
        place = place_of(file, read(file), 0 if is_file(path) else path.count("."))
    except (SyntaxError, OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read") from error
    alone = not place.package
    return Origin(file.stem if alone else place.name, str(file), "" if alone else str(place.root))


def absolute(target: str) -> str:
    """The target as it is called from any folder, if a file is meant.  Raises BadInput where there is none."""
    path, name = split(target)
    return ":".join(filter(None, (str(existing(path)), name))) if is_file(path) else target


def fingerprint(target: str) -> str:
    """Of the code in the file that a target leads to; empty where it is an installed package's.

    Raises BadInput where there is no such file or module.
    """
    path, _ = split(target)
    file = existing(path) if is_file(path) else module_file(path)
    if file is None:
        return ""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
