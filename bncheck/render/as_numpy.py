"""NumPy's own formats: all arrays by name, or the main one."""

from __future__ import annotations

from bncheck import writing
from bncheck.render import Look, Result
from bncheck.report import PassReport


def render_npz(result: Result, look: Look) -> bytes:
    assert isinstance(result, PassReport)
    return writing.npz(result.arrays)


def render_npy(result: Result, look: Look) -> bytes:
    assert isinstance(result, PassReport)
    return writing.npy(next(iter(result.arrays.values())))
