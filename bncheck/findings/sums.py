"""Which mistake a wrong dgamma or dbeta is: which sum it is instead of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.findings.explained import explained, unexplained, worst
from bncheck.findings.paths import Case, Diagnosis

_DIGITS = 1e-7


class Guess(NamedTuple):
    said: str
    code: str
    value: Array


def read(
    case: Case, made: Gradients, right: Gradients, allowed: Gradients, failed: Collection[str]
) -> dict[str, Diagnosis]:
    """For each of dgamma and dbeta that has failed, the mistake."""
    wrong = [name for name in ("dgamma", "dbeta") if name in failed]
    if len(wrong) == 2 and _swapped(made, right, allowed):
        both, truths = (np.stack([each.dgamma, each.dbeta]) for each in (made, right))
        return {"dgamma": Diagnosis("BN204", f"each is the other, {explained(both, truths, truths[::-1])}")}
    return {name: _named(case, name, *(getattr(each, name) for each in (made, right, allowed))) for name in wrong}


def _named(case: Case, name: str, value: Array, truth: Array, within: Array) -> Diagnosis:
    guesses = list(_guesses(case, name, truth))
    hit = next((g for g in guesses if _same(value, g.value, within)), None)
    if hit:
        return Diagnosis(hit.code, f"{name} is {hit.said}, {explained(value, truth, hit.value)}")
    nearest = unexplained(value, truth, {g.said: g.value for g in guesses})
    return Diagnosis("BN205", f"{nearest}; {worst(name, value, truth, within)}")


def _guesses(case: Case, name: str, truth: Array) -> Iterator[Guess]:
    dout, x, n = case.dout, case.call.x, len(case.dout)
    centred, inv = case.own.centred, case.own.inv
    taught = (dout * centred).sum(axis=0) * inv if name == "dgamma" else dout.sum(axis=0)
    yield Guess("a mean over the batch", "BN202", truth / n)
    # A forward pass that makes no use of gamma or beta has a derivative of 0, and another textbook.
    yield Guess(f"a mean over the batch, of what {name} is in the textbook", "BN202", taught / n)
    if name == "dgamma":
        yield Guess("sum(dout * x)", "BN203", (dout * x).sum(axis=0))
        yield Guess("sum(dout * (x - mean))", "BN203", (dout * centred).sum(axis=0))
        yield Guess("sum(dout * (x - mean) / var)", "BN203", (dout * centred).sum(axis=0) * inv**2)
        yield Guess("mean(dout * x)", "BN203", (dout * x).mean(axis=0))
        yield Guess("mean(dout * (x - mean))", "BN203", (dout * centred).mean(axis=0))
        yield Guess("sum(dout), which is dbeta", "BN204", dout.sum(axis=0))
        yield Guess("sum(dout * out)", "BN205", (dout * (case.own.gamma * centred * inv + case.call.beta)).sum(axis=0))
        yield Guess("sum(dout * gamma * xhat): gamma does not belong there", "BN205", truth * case.call.gamma)
    else:
        yield Guess("sum(dout * xhat), which is dgamma", "BN204", (dout * centred).sum(axis=0) * inv)
        yield Guess("sum(dout * gamma): gamma does not belong there", "BN205", truth * case.call.gamma)
    yield Guess("of the opposite sign", "BN205", -truth)
    yield Guess("the same sum over all columns", "BN201", np.full_like(truth, truth.sum()))
    yield Guess("half of what it should be", "BN205", truth / 2)
    yield Guess("twice what it should be", "BN205", 2 * truth)


def _swapped(made: Gradients, right: Gradients, allowed: Gradients) -> bool:
    return _same(made.dgamma, right.dbeta, allowed.dbeta) and _same(made.dbeta, right.dgamma, allowed.dgamma)


def _same(a: Array, b: Array, allowed: Array) -> bool:
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= allowed + _DIGITS * np.abs(b)))
