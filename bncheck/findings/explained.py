"""How much of what is wrong a reading of it explains: one number, and one place that puts it into words.

What a layer made differs from what is right, and a reading is a guess at what it computed instead.  It leaves
|made - guess| / |made - right| of that, in the 2-norm over all that was seen: rounding where it is the
explanation, and about all of it where it has nothing to do with the mistake.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bncheck.arrays import Array

_FEW = 4  # places that are named one by one


def left(made: Array, right: Array, guess: Array) -> float:
    """The share of the discrepancy that ``guess`` leaves; arrays of one shape.  Infinite where it is no number."""
    with np.errstate(all="ignore"):
        rest, off = (np.abs(np.asarray(made, dtype=float) - each).ravel() for each in (guess, right))
        scale = off.max(initial=0)
        share = float(np.linalg.norm(rest / scale) / np.linalg.norm(off / scale)) if scale > 0 else rest.any() * np.inf
    return share if share == share else np.inf


def explained(made: Array, right: Array, guess: Array) -> str:
    """How well a reading that was taken for the mistake explains it."""
    share = left(made, right, guess)
    last = share <= np.finfo(float).eps
    return "which explains it to the last digit" if last else f"which explains it to {share:.1g}"


def unexplained(made: Array, right: Array, guesses: Mapping[str, Array]) -> str:
    """That none of the readings is the mistake, and which of them leaves least."""
    shares = {said: left(made, right, guess) for said, guess in guesses.items()}
    nearest = min(shares, key=lambda said: shares[said])
    if shares[nearest] >= 1:
        return "nothing known explains it, or any part of it"
    return f"nothing known explains it: nearest comes {nearest}, which leaves {100 * shares[nearest]:.2g}% of it"


def worst(name: str, made: Array, right: Array, allowed: Array | float = 0.0) -> str:
    """Where an array, (N, D) or (D,), is wrong, and by how much at the worst."""
    with np.errstate(all="ignore"):
        off = np.nan_to_num(np.abs(np.asarray(made, dtype=float) - right), nan=np.inf)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(off), off.shape))
    digits = next((k for k in range(6, 17) if f"{made[at]:.{k}g}" != f"{right[at]:.{k}g}"), 17)
    place = f"{name}[{', '.join(map(str, at))}] = {made[at]:.{digits}g} where {right[at]:.{digits}g} is right"
    return f"off by up to {off[at]:.3g}, {spread(off > allowed)}: {place}"


def spread(wrong: Array) -> str:
    """The rows and columns that are wrong, of a boolean array (N, D) or (D,)."""
    if wrong.all():
        return "in every entry"
    table = np.atleast_2d(wrong)
    rows, columns = (np.asarray(table.any(axis=axis)) for axis in (1, 0))
    of_columns = _among("column", columns)
    return f"in {of_columns}" if wrong.ndim == 1 else f"in {_among('row', rows)} of {of_columns}"


def listed(places: Array) -> str:
    """The indices of what is true, the first few of them."""
    found = np.flatnonzero(places)
    return f"{', '.join(map(str, found[:_FEW]))}{', ...' if len(found) > _FEW else ''}"


def _among(what: str, places: Array) -> str:
    if places.all():
        return f"every {what}"
    return f"{what}{'s' if places.sum() > 1 else ''} {listed(places)}"
