"""NumPy's own formats: all arrays by name, or the main one."""

from __future__ import annotations

from collections.abc import Iterator

from bncheck import writing
from bncheck.render import Look, Result
from bncheck.report import PassReport


def render_npz(result: Result, look: Look) -> bytes:
    assert isinstance(result, PassReport)
    return writing.npz(result.arrays)


def render_npy(result: Result, look: Look) -> bytes | Iterator[bytes]:
    assert isinstance(result, PassReport)
    main = next(iter(result.arrays.values()))
    return writing.npy_parts(main) if result.on_disk else writing.npy(main)
