"""What running statistics could be: new = a * old + b * (something of the batch)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array, DTypeLike

_SAME = 1e-7  # relative residual of a fit; the next candidate is off by far more on the probes used here


class Averaged(NamedTuple):
    """Something of a batch that a layer could average."""

    said: str
    formula: str
    value: Array
    """(D,)"""
    codes: tuple[str, ...] = ()
    """Of the mistakes that it is."""


class Fit(NamedTuple):
    """new = kept * old + taken * what."""

    what: Averaged
    kept: float
    taken: float
    value: Array
    """(D,), what that comes to."""
    fits: bool
    within: float
    """The relative residual that was allowed."""

    def sentence(self, name: str) -> str:
        return f"{name} = {self.kept:.4g} * {name} + {self.taken:.4g} * {self.what.formula}"


def candidates(x: Array, eps: float, running_of: str, own: Array | None = None) -> list[Averaged]:
    """What a layer could average, the right one first.

    ``own`` (D,) is the mean or variance that the layer's own forward pass was found to take instead.
    """
    everywhere = np.full(x.shape[1], x.mean() if running_of == "mean" else x.var())
    if running_of == "mean":
        found = [
            Averaged("mean", "mean", x.mean(axis=0)),
            Averaged("mean over all entries", "x.mean()", everywhere, ("BN306",)),
        ]
        return found + ([Averaged("mean of its own", "mean", own)] if own is not None else [])
    found = _variances("var", x.var(axis=0), len(x), eps)
    of_entries = _variances("x.var()", everywhere, x.size, eps)
    found += [e._replace(said=f"{e.said} over all entries", codes=(*e.codes, "BN306")) for e in of_entries]
    if own is not None:
        found += [e._replace(said=f"{e.said} of its own") for e in _variances("var", own, len(x), eps)]
    return found


def _variances(var: str, value: Array, n: int, eps: float) -> list[Averaged]:
    more = n / max(n - 1, 1)
    return [
        Averaged("variance", var, value),
        Averaged("unbiased variance", f"{var} * N / (N - 1)", value * more, ("BN407",)),
        Averaged("variance with eps", f"({var} + eps)", value + eps, ("BN405",)),
        Averaged("unbiased variance with eps", f"({var} * N / (N - 1) + eps)", value * more + eps, ("BN405",)),
        Averaged("standard deviation", f"sqrt({var})", np.sqrt(value), ("BN410",)),
        Averaged("standard deviation with eps", f"sqrt({var} + eps)", np.sqrt(value + eps), ("BN410",)),
        Averaged("unbiased standard deviation", f"sqrt({var} * N / (N - 1))", np.sqrt(value * more), ("BN410",)),
        Averaged("inverse standard deviation", f"(1 / sqrt({var} + eps))", 1 / np.sqrt(value + eps), ("BN410",)),
    ]


def fits(old: Array, new: Array, of: list[Averaged], dtype: DTypeLike = np.float64) -> list[Fit]:
    """Each candidate with the shares that bring it nearest to ``new``, and whether that is within ``dtype``'s digits.

    The likelier first: shares that add up to 1 speak for a candidate, for an unbiased variance is a biased one with
    a share too large.
    """
    same = max(_SAME, 10 * float(np.finfo(dtype).eps))
    found = [_shares(what, old, new, same) for what in of]
    return sorted(found, key=lambda f: (not f.fits, abs(f.kept + f.taken - 1) >= 10 * same))


def _shares(what: Averaged, old: Array, new: Array, same: float) -> Fit:
    basis = np.stack([old, what.value], axis=1)
    scale = np.abs(basis).max(axis=1)
    weighted = basis / scale[:, None]
    shares, *_ = np.linalg.lstsq(weighted, new / scale, rcond=None)
    agrees = bool(np.all(np.abs(weighted @ shares - new / scale) <= same))
    return Fit(what, float(shares[0]), float(shares[1]), basis @ shares, agrees, same)
