"""Which mistake a wrong gradient is: least squares on what it could be made of.

dx is the sum of three paths by which x reaches out (batchnorm.py), so the user's dx[:, j] is fitted on
those three, column by column.  (1, 1, 1) is right; what the coefficients are instead, and how they
change from column to column, names the mistake.  dgamma and dbeta are compared with what they are
commonly mistaken for.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, centre
from bncheck.layers.protocol import Call

_CLOSE = 1e-5


class Diagnosis(NamedTuple):
    code: str
    evidence: str


def read_dx(call: Call, dout: Array, dx: Array, right: Array) -> Diagnosis:
    """Of a dx that is wrong: in which way."""
    scale = np.abs(right).max()
    wrong = np.abs(dx - right) > _CLOSE * scale
    basis = _paths(call, dout)
    coefficients, residual = _fit(basis, dx)
    known = _of_coefficients(call, coefficients) if residual <= _CLOSE else None
    # Another eps is a factor on each path too, one that changes from column to column.
    if known is None or known.code in ("BN104", "BN108"):
        known = _with_other_eps(call, dout, dx) or known
    if known is not None:
        return known
    if wrong.mean() <= 0.25:
        places = [f"[{i}, {j}]" for i, j in np.argwhere(wrong)[:4]]
        return Diagnosis("BN109", f"{int(wrong.sum())} of {wrong.size} entries differ, {', '.join(places)} among them")
    return Diagnosis("BN110", f"the three paths leave {residual:.2g} of it unexplained")


def read_parameters(call: Call, dout: Array, made: Gradients, right: Gradients) -> dict[str, Diagnosis]:
    """Of dgamma and dbeta that are wrong: in which way."""
    found: dict[str, Diagnosis] = {}
    wrong = [n for n in ("dgamma", "dbeta") if not _same(getattr(made, n), getattr(right, n))]
    if len(wrong) == 2 and _same(made.dgamma, right.dbeta) and _same(made.dbeta, right.dgamma):
        return {"dgamma": Diagnosis("BN204", "each is the other to rounding")}
    x, n = call.x, len(call.x)
    centred, inv = centre(x, call.settings.eps)
    mistaken = {
        "sum(dout * x)": ("BN203", (dout * x).sum(0)),
        "sum(dout * (x - mean))": ("BN203", (dout * centred).sum(0)),
        "sum(dout * (x - mean) / var)": ("BN203", (dout * centred * inv**2).sum(0)),
    }
    for name in wrong:
        value, truth = getattr(made, name), getattr(right, name)
        guesses = {"a mean over the batch": ("BN202", truth / n), **(mistaken if name == "dgamma" else {})}
        hit = next(((code, said) for said, (code, guess) in guesses.items() if _same(value, guess)), None)
        off = float(np.abs(value - truth).max())
        found[name] = Diagnosis(*hit) if hit else Diagnosis("BN205", f"off by up to {off:.3g}")
        if hit:
            found[name] = Diagnosis(hit[0], f"{name} is {hit[1]} to rounding")
    return found


def _paths(call: Call, dout: Array) -> Array:
    """(3, N, D): the direct path, that through the mean, that through the variance."""
    centred, inv = centre(call.x, call.settings.eps)
    xhat, g = centred * inv, dout * call.gamma
    ones = np.ones_like(g)
    return np.stack([inv * g, -inv * g.mean(0) * ones, -inv * xhat * (g * xhat).mean(0)])


def _fit(basis: Array, dx: Array) -> tuple[Array, float]:
    """Coefficients (3, D) and the largest residual, relative to the column's own size."""
    columns, left = [], 0.0
    for j in range(dx.shape[1]):
        a = basis[:, :, j].T
        # A path may carry nothing in a column.
        size = np.sqrt((a**2).sum(0)) + (~a.any(axis=0))
        solution, *_ = np.linalg.lstsq(a / size, dx[:, j], rcond=None)
        columns.append(solution / size)
        miss = np.abs(a @ columns[-1] - dx[:, j]).max()
        left = max(left, float(miss / max(np.abs(dx[:, j]).max(), np.abs(a).max())))
    return np.stack(columns, axis=1), left


def _of_coefficients(call: Call, c: Array) -> Diagnosis:
    direct, mean, variance = np.median(c, axis=1)
    said = f"dx = {direct:.3f} direct + {mean:.3f} mean + {variance:.3f} variance"
    for code, expected in {"BN101": (1, 1, 0), "BN102": (1, 0, 1), "BN103": (1, 0, 0)}.items():
        if _same(c, np.array(expected)[:, None] * np.ones_like(c)):
            return Diagnosis(code, said)
    if _same(c[1], c[0]) and _same(c[2], c[0]):
        return _of_factor(call, c[0], said)
    if _same(c, -np.abs(c)) or np.any(np.median(c, axis=1) < -_CLOSE):
        return Diagnosis("BN107", said)
    return Diagnosis("BN104", said)


def _of_factor(call: Call, factor: Array, said: str) -> Diagnosis:
    """All three paths share a factor in each column."""
    if _same(factor, 1 / call.gamma):
        return Diagnosis("BN105", f"{said}: the factor is 1 / gamma in every column")
    if _same(factor, -np.ones_like(factor)):
        return Diagnosis("BN107", f"{said}: the factor is -1")
    return Diagnosis("BN108", f"{said}, a common factor of {factor.min():.4g} to {factor.max():.4g}")


def _with_other_eps(call: Call, dout: Array, dx: Array) -> Diagnosis | None:
    """The three paths with another eps than the forward's, or with eps outside the root."""
    var = ((call.x - call.x.mean(0)) ** 2).mean(0)
    e = call.settings.eps
    centred, g = call.x - call.x.mean(0), dout * call.gamma
    ways = {"sqrt(var)": var**0.5, "sqrt(var) + eps": var**0.5 + e, "sqrt(var + 2 eps)": (var + 2 * e) ** 0.5}
    ways |= {f"sqrt(var + {k:g})": (var + k) ** 0.5 for k in (1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)}
    for said, root in ways.items():
        for direct, mean, outer, inner in itertools.product((1 / root, (var + e) ** -0.5), repeat=4):
            guess = direct * g - mean * g.mean(0) - outer * centred * inner**2 * (g * centred).mean(0)
            if _same(dx, guess):
                return Diagnosis("BN106", f"dx is right with {said} in place of sqrt(var + eps)")
    return None


def _same(a: Array, b: Array) -> bool:
    scale = np.maximum(np.abs(b), np.abs(b).max() * 1e-3)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= _CLOSE * scale))
