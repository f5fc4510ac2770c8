"""Does it fit?  Asked before anything is allocated, so that the answer is a sentence and not a kill."""

from __future__ import annotations

import os

from bncheck.errors import BadInput

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


# What a container may use: version 2 and version 1 of Linux's control groups.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def total() -> int | None:
    """Bytes of memory of this machine, or of this container; None where the system does not say."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return min([there, *filter(None, map(_limit, _LIMITS))])


def budget(asked: int | None) -> int | None:
    """The bytes that work may take: what was asked for, or half of this machine; None where nobody says."""
    there = total()
    return asked if asked is not None else there and there // 2


def fits(needed: int) -> bool:
    """Whether that many bytes are there, as far as the system says."""
    there = total()
    return there is None or needed <= there


def require_bytes(needed: int, what: str) -> None:
    """Raise BadInput where that many bytes exceed this machine."""
    there = total()
    if there is not None and needed > there:
        raise BadInput(f"{what} needs {said(needed)} of memory and this machine has {said(there)}: give less of it")


def require(rows: int, columns: int, bytes_per_entry: int, purpose: str) -> None:
    """Raise BadInput, saying what would fit, where (rows, columns) at that price exceeds this machine."""
    needed, there = rows * columns * bytes_per_entry, total()
    if there is None or needed <= there:
        return
    fit = there // (bytes_per_entry * max(1, columns))
    advice = (
        f"(N, D) = ({fit}, {columns}) would fit"
        if fit >= 2
        else f"(N, D) = ({min(rows, 1024)}, {there // (bytes_per_entry * min(rows, 1024))}) would fit"
    )
    raise BadInput(
        f"{purpose} of (N, D) = ({rows}, {columns}) needs {said(needed)} of memory "
        f"and this machine has {said(there)}: {advice}"
    )


def _limit(path: str) -> int | None:
    try:
        with open(path) as file:  # noqa: PTH123, pathlib takes a moment to load, and this is start-up
            return int(file.read())
    except (OSError, ValueError):  # there is no such group, or its limit is "max"
        return None


def said(count: float) -> str:
    """A number of bytes, for people."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.3g} {unit}"
