"""Which mistake a wrong dx is: least squares on what it could be made of.

dx is the sum of three paths by which x reaches out (batchnorm.py), so the user's dx[:, j] is fitted on those three,
column by column, each coefficient with its uncertainty.  (1, 1, 1) is right, and in test mode (1, 0, 0).  What
the coefficients are instead, and how they change from column to column, names the mistake: a factor of 0 is a path
lost, 1 / gamma a gamma forgotten, another root an eps that is not the forward's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.explained import explained, listed, spread, unexplained
from bncheck.findings.own import Own
from bncheck.layers.protocol import Call

_NAMES = ("direct", "mean", "variance")
_EPS = (1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
_DIGITS = 1e-7  # of a coefficient, at best
_FEW = 0.25  # of the entries: more than that are no single ones


class Diagnosis(NamedTuple):
    code: str
    evidence: str


class Case(NamedTuple):
    """A dx that is wrong, and what is known of what it should be."""

    call: Call
    dout: Array
    dx: Array
    right: Array
    """The numerical one."""
    allowed: Array
    """(N, D), what an entry may be off by."""
    own: Own
    train: bool


class Fit(NamedTuple):
    """dx = sum of coefficients * paths."""

    coefficients: Array
    """(3, D)"""
    within: Array
    """(3, D), their uncertainties; infinite where a path carries nothing."""
    value: Array
    """(N, D), the sum."""
    explained: bool

    def matches(self, path: int, factor: Array, of: Array | None = None) -> bool:
        """Whether a coefficient is ``factor`` times ``of`` (1 if None) in every column."""
        base = np.ones_like(factor) if of is None else of
        off = np.abs(self.coefficients[path] - factor * base)
        return bool(np.all(off <= self.within[path] + _DIGITS * np.abs(factor * base)))


def read(case: Case) -> list[Diagnosis]:
    """The mistakes that explain it, fewest first thought of; never empty."""
    if pattern := next(_patterns(case), None):
        said, guess = pattern
        return [Diagnosis("BN110", f"{said}, {explained(case.dx, case.right, guess)}")]
    fit = fit_paths(case)
    return _named(case, fit) if fit.explained else [_placed(case, fit)]


def fit_paths(case: Case) -> Fit:
    paths = case.own.paths(case.dout)
    coefficients, within = np.empty((3, paths.shape[2])), np.empty((3, paths.shape[2]))
    for j in range(paths.shape[2]):
        basis, tolerance = paths[:, :, j].T, case.allowed[:, j]
        # A path may carry nothing in a column.
        size = np.sqrt((basis**2).sum(axis=0)) + ~basis.any(axis=0)
        left, singular, right = np.linalg.svd(basis / size, full_matrices=False)
        inverse = (right.T / np.maximum(singular, np.finfo(float).eps * singular[0])) @ left.T
        coefficients[:, j] = inverse @ case.dx[:, j] / size
        within[:, j] = np.sqrt(inverse**2 @ tolerance**2) / size
        within[~basis.any(axis=0), j] = np.inf
    value = np.einsum("kd,knd->nd", coefficients, paths)
    miss = np.abs(case.dx - value)
    known = np.where(np.isfinite(within), within, 0)
    allowed = case.allowed + np.einsum("kd,knd->nd", known, np.abs(paths))
    scale = max(float(np.abs(case.dx).max()), float(np.abs(case.right).max()), np.finfo(float).tiny)
    return Fit(coefficients, within, value, bool(np.all(miss <= allowed + 1e-9 * scale)))


def _named(case: Case, fit: Fit) -> list[Diagnosis]:
    said = _sentence(case, fit)
    factors = _factors(case)
    names = _whole(fit, factors, case.train, said)
    if names is None:
        shared = next((n for n, f in factors.items() if fit.matches(0, f)), None)
        if shared == "0" and (np.abs(case.dx) > case.allowed).any():
            # No factor of all: the other two carry nothing of dout but two sums a column.
            return [Diagnosis("BN110", f"{said}: nothing of the direct path, entry by entry that of dout, is in it")]
        if shared is None and (placed := _placed(case, fit)).code == "BN109":
            return [placed]
        base = factors[shared] if shared else fit.coefficients[0]
        found = [_of_common(shared or "a factor of its own", said)] if shared != "1" else []
        rest = {k: _ratio(case, fit, k, base, factors) for k in (1, 2)}
        return found + _of_paths(rest, said) if found or any(n != "1" for n in rest.values()) else [_placed(case, fit)]
    return names


def _whole(fit: Fit, factors: dict[str, Array], train: bool, said: str) -> list[Diagnosis] | None:
    """Another eps, which enters the paths up to three times over."""
    for name, f in factors.items():
        if not name.startswith("sqrt"):
            continue
        one, through = np.ones_like(f), np.full_like(f, train)
        for powers in itertools.product((0, 1), (0, 1), (0, 1, 2, 3)) if train else ((1, 0, 0),):
            expected = (f ** powers[0], through * f ** powers[1], through * f ** powers[2])
            if any(powers) and all(fit.matches(k, factor) for k, factor in enumerate(expected)):
                # Where eps cannot be seen every power fits; the paths say more of such a case.
                if all(fit.matches(k, factor) for k, factor in enumerate((one, through, through))):
                    return None
                return [Diagnosis("BN106", f"{said}: {name} stands in place of the forward's root")]
    return None


def _factors(case: Case) -> dict[str, Array]:
    """What a path can be multiplied by, column by column."""
    n, own = len(case.dx), case.own
    one, root = np.ones_like(own.inv), 1 / own.inv
    with np.errstate(all="ignore"):
        numbers = {"1": 1.0, "0": 0.0, "-1": -1.0, "2": 2.0, "1/2": 0.5, "-2": -2.0, "-1/2": -0.5}
        numbers |= {"N/(N-1)": n / max(n - 1, 1), "(N-1)/N": (n - 1) / n, "N": float(n), "1/N": 1 / n}
        found = {name: number * one for name, number in numbers.items()}
        found |= {"1 / gamma": 1 / case.call.gamma, "gamma": case.call.gamma, "the root": root, "1 / root": own.inv}
        found |= {"var + eps": root**2, "1 / (var + eps)": own.inv**2}
        var = _variance(case)
        ways = {"sqrt(var)": var**0.5, "sqrt(var) + eps": var**0.5 + case.call.settings.eps}
        ways |= {"sqrt(var + 2 eps)": (var + 2 * case.call.settings.eps) ** 0.5}
        ways |= {"sqrt(var + eps)": (var + case.call.settings.eps) ** 0.5}
        ways |= {f"sqrt(var + {k:g})": (var + k) ** 0.5 for k in _EPS}
        return found | {name: root / way for name, way in ways.items()}


def _variance(case: Case) -> Array:
    running = case.call.running
    if not case.train and running is not None:
        return running.var
    return np.asarray(((case.call.x - case.call.x.mean(axis=0)) ** 2).mean(axis=0))


def _ratio(case: Case, fit: Fit, path: int, base: Array, factors: dict[str, Array]) -> str:
    """What a path is beside the direct one; empty where it is nothing known."""
    expected = "1" if case.train else "0"
    if fit.matches(path, factors[expected], base):
        return "1"
    found = next((name for name, f in factors.items() if fit.matches(path, f, base)), "")
    return {"1": "one too many"}.get(found, found) if not case.train else found


def _of_common(name: str, said: str) -> Diagnosis:
    if name in ("1 / gamma", "gamma"):
        return Diagnosis("BN105", f"{said}: a factor of {name} in every column")
    if name.startswith("-"):
        return Diagnosis("BN107", f"{said}: a factor of {name}")
    return Diagnosis("BN108", f"{said}: {name} is a factor of all")


def _of_paths(rest: dict[int, str], said: str) -> list[Diagnosis]:
    if rest[1] == rest[2] == "0":
        return [Diagnosis("BN103", said)]
    found = []
    for path, name in rest.items():
        if name == "1":
            continue
        code = {"0": ("", "BN102", "BN101")[path], "1 / gamma": "BN105", "gamma": "BN105"}.get(name, "BN104")
        code = "BN107" if name.startswith("-") else code
        factor = f": {_NAMES[path]} has a factor of {name}" if name not in ("0", "") else ""
        found.append(Diagnosis(code, said + factor))
    return found[:1] if len({d.code for d in found}) == 1 else found


def _sentence(case: Case, fit: Fit) -> str:
    return f"{_sum(fit)}, {explained(case.dx, case.right, fit.value)}"


def _sum(fit: Fit) -> str:
    middle = np.median(fit.coefficients, axis=1)
    sure = [bool(np.any(np.isfinite(w))) for w in fit.within]
    terms = [f"{_rounded(c)} {name}" for c, name, known in zip(middle, _NAMES, sure, strict=True) if known]
    return f"dx = {' + '.join(terms)}"


def _rounded(coefficient: float) -> str:
    return f"{coefficient:.3f}".replace("-0.000", "0.000")


def _placed(case: Case, fit: Fit) -> Diagnosis:
    """Where it is wrong, if what it is instead is not known."""
    wrong = np.abs(case.dx - case.right) > case.allowed
    rows, columns = wrong.any(axis=1), wrong.any(axis=0)
    whole = wrong[np.ix_(rows, columns)].all()
    alone = f"and no other, {explained(case.dx, case.right, np.where(wrong, case.dx, case.right))}"
    if whole and rows.sum() <= max(1, _FEW * len(rows)):
        return Diagnosis("BN109", f"row{_plural(rows)}, of {len(rows)}, {alone}")
    if whole and columns.sum() <= max(1, _FEW * len(columns)) and len(columns) > 1:
        return Diagnosis("BN109", f"column{_plural(columns)}, of {len(columns)}, {alone}")
    if wrong.mean() <= _FEW:
        places = ", ".join(f"[{i}, {j}]" for i, j in np.argwhere(wrong)[:4])
        return Diagnosis("BN109", f"{int(wrong.sum())} of {wrong.size} entries differ, {places} among them, {alone}")
    nearest = {f"{_sum(fit)} by least squares": fit.value}
    nearest |= {said: guess for said, _, guess in _guesses(case)}
    return Diagnosis("BN110", f"{unexplained(case.dx, case.right, nearest)}; it is wrong {spread(wrong)}")


def _patterns(case: Case) -> Iterator[tuple[str, Array]]:
    """What dx is, in words and numbers, if it is one of what people return for it."""
    same = 1e-6 * np.abs(case.dx).max()
    for said, remark, guess in _guesses(case):
        if np.all(np.abs(case.dx - guess) <= same):
            yield f"{said}: {remark}", guess
    if len(case.dx) > 1 and np.ptp(case.dx, axis=0).max() <= same and np.ptp(case.right, axis=0).max() > same:
        alike = case.dx.mean(axis=0) + np.zeros_like(case.dx)
        yield "dx is the same in every row: it was summed or averaged over the batch", alike


def _guesses(case: Case) -> Iterator[tuple[str, str, Array]]:
    g, own, n = case.dout * case.own.gamma, case.own, len(case.dout)
    yield "dx is dout itself", "nothing of the normalization is in it", case.dout
    yield "dx is dout * gamma itself", "nothing of the normalization is in it", g
    diagonal = own.inv * g * (1 - 1 / n) - own.bend * own.centred**2 * g / n
    remark = "the diagonal of the Jacobian only, where every out depends on every x"
    yield "dx_i is dout_i * d out_i / d x_i", remark, diagonal


def _plural(mask: Array) -> str:
    return f"{'s' if mask.sum() > 1 else ''} {listed(mask)}"
