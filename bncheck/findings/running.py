"""What running statistics could be: new = a * old + b * (something of the batch)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array, DTypeLike

_SAME = 1e-7  # relative residual of a fit; the next candidate is off by far more on the probes used here


class Fit(NamedTuple):
    """new = kept * old + taken * what."""

    what: str
    kept: float
    taken: float
    within: float
    """The relative residual that was allowed."""


def candidates(x: Array, eps: float, running_of: str) -> dict[str, Array]:
    """What a layer could average, by name; the right one first."""
    if running_of == "mean":
        return {"mean": x.mean(axis=0), "mean over all entries": np.full(x.shape[1], x.mean())}
    columns = _variances(x.var(axis=0), len(x), eps)
    entries = _variances(np.full(x.shape[1], x.var()), x.size, eps)
    return columns | {f"{name} over all entries": value for name, value in entries.items()}


def _variances(var: Array, n: int, eps: float) -> dict[str, Array]:
    unbiased = var * n / max(n - 1, 1)
    return {
        "variance": var,
        "unbiased variance": unbiased,
        "variance with eps": var + eps,
        "unbiased variance with eps": unbiased + eps,
        "standard deviation": np.sqrt(var),
        "standard deviation with eps": np.sqrt(var + eps),
        "unbiased standard deviation": np.sqrt(unbiased),
        "inverse standard deviation": 1 / np.sqrt(var + eps),
    }


def fit(old: Array, new: Array, of: dict[str, Array], dtype: DTypeLike = np.float64) -> Fit | None:
    """The candidate that explains ``new`` in the digits of ``dtype``, with shares a and b; None if none does.

    Shares that add up to 1 speak for a candidate: an unbiased variance is a biased one with a share too large.
    """
    same = max(_SAME, 10 * float(np.finfo(dtype).eps))
    fits = [found for name, statistic in of.items() if (found := _shares(name, old, new, statistic, same))]
    return next((f for f in fits if abs(f.kept + f.taken - 1) < 10 * same), fits[0] if fits else None)


def _shares(name: str, old: Array, new: Array, statistic: Array, same: float) -> Fit | None:
    basis = np.stack([old, statistic], axis=1)
    scale = np.abs(basis).max(axis=1)
    weighted = basis / scale[:, None]
    shares, *_ = np.linalg.lstsq(weighted, new / scale, rcond=None)
    if np.all(np.abs(weighted @ shares - new / scale) <= same):
        return Fit(name, float(shares[0]), float(shares[1]), same)
    return None
