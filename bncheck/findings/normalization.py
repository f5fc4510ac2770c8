"""What a forward pass could have computed: the definition with any of its parts done differently.

Each part has a right way and some wrong ones, and each wrong one has its code.  All combinations are
formed, and the one that needs the fewest mistakes to agree with what the layer returned, on every probe, is
the diagnosis: a pair of mistakes is told as a pair.  Train and test mode are read by the same table.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.protocol import Call

Spread = Callable[[Array, float], Array]


class Way(NamedTuple):
    """One way of doing one part: what it does, and the codes of the mistakes that it makes."""

    said: str
    does: object
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


_AXES = (
    Way("each column", lambda x: (x.mean(0), ((x - x.mean(0)) ** 2).mean(0))),
    Way("each row", lambda x: (x.mean(1, keepdims=True), x.var(1, keepdims=True)), ("BN306",), ("BN306",)),
    Way("all entries", lambda x: (x.mean(keepdims=True), x.var(keepdims=True)), ("BN306",), ("BN306",)),
)
_VARIANCE = (
    Way("divided by N", lambda n: 1.0),
    Way("divided by N - 1", lambda n: n / max(n - 1, 1), ("BN301",), ("BN301",)),
)
_DENOMINATOR = (
    Way("sqrt(var + eps)", lambda v, e: np.sqrt(v + e)),
    Way("sqrt(var)", lambda v, e: np.sqrt(v), ("BN303",), ("BN404",)),
    Way("sqrt(var) + eps", lambda v, e: np.sqrt(v) + e, ("BN302",), ("BN404",)),
    Way("sqrt(var + 2 eps)", lambda v, e: np.sqrt(v + 2 * e), ("BN304",), ("BN404",)),
    Way("sqrt(var + eps) + eps", lambda v, e: np.sqrt(v + e) + e, ("BN304",), ("BN404",)),
    Way("sqrt(var + eps²)", lambda v, e: np.sqrt(v + e * e), ("BN304",), ("BN404",)),
    Way("var + eps", lambda v, e: v + e, ("BN307",), ("BN410",)),
    Way("var", lambda v, e: v, ("BN307", "BN303"), ("BN410",)),
    Way("(var + eps)²", lambda v, e: (v + e) ** 2, ("BN307",), ("BN410",)),
    *(
        Way(f"sqrt(var + {e:g})", lambda v, _, e=e: np.sqrt(v + e), ("BN304",), ("BN404",))
        for e in (1e-15, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    ),
)
_AFFINE = (
    Way("gamma and beta", lambda xhat, gamma, beta: gamma * xhat + beta),
    Way("gamma alone", lambda xhat, gamma, beta: gamma * xhat, ("BN305",), ("BN403",)),
    Way("beta alone", lambda xhat, gamma, beta: xhat + beta, ("BN305",), ("BN403",)),
    Way("neither gamma nor beta", lambda xhat, gamma, beta: xhat, ("BN305",), ("BN403",)),
)
_SOURCE = (Way("the running statistics", True), Way("the batch's statistics", False, (), ("BN401",)))


class Reading(NamedTuple):
    """What a layer was found to compute."""

    codes: tuple[str, ...]
    said: str
    ways: tuple[Way, ...]

    def out(self, call: Call) -> Array:
        return _out(self.ways, call)

    def allowed(self, call: Call, allowed: Array) -> Array:
        """What is ``allowed`` to the definition, for these ways."""
        return _rounding(self.ways, call, allowed)


def read(observed: Iterable[tuple[Call, Array, Array]], test: bool) -> Reading | None:
    """The reading with the fewest mistakes that agrees with every (call, out, allowed), or None."""
    seen = list(observed)
    for ways in sorted(_combinations(test), key=lambda ways: len(_codes(ways, test))):
        if all(_agrees(_out(ways, call), out, _rounding(ways, call, allowed)) for call, out, allowed in seen):
            return Reading(_codes(ways, test), _said(ways), ways)
    return None


def _combinations(test: bool) -> Iterator[tuple[Way, ...]]:
    sources = _SOURCE if test else _SOURCE[1:]
    for source, axes, variance, denominator, affine in itertools.product(
        sources, _AXES, _VARIANCE, _DENOMINATOR, _AFFINE
    ):
        if not (source.does and (axes is not _AXES[0] or variance is not _VARIANCE[0])):
            yield source, axes, variance, denominator, affine


def _codes(ways: tuple[Way, ...], test: bool) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for way in ways for code in (way.test if test else way.train)))


def _said(ways: tuple[Way, ...]) -> str:
    source, axes, variance, denominator, affine = (way.said for way in ways)
    of = source if ways[0].does else f"{source} ({axes}, {variance})"
    return f"{of}, {denominator} below, {affine} applied"


def _out(ways: tuple[Way, ...], call: Call) -> Array:
    mean, root = _divided(ways, call)
    affine = ways[-1].does
    with np.errstate(all="ignore"):
        return np.asarray(affine((call.x - mean) / root, call.gamma, call.beta))  # type: ignore[operator]


def _divided(ways: tuple[Way, ...], call: Call) -> tuple[Array, Array]:
    """What x is normalized by: out is made of (x - mean) / root."""
    source, axes, variance, denominator, _ = (way.does for way in ways)
    if source:
        assert call.running is not None
        mean, var = call.running
    else:
        mean, var = axes(call.x)  # type: ignore[operator]
        var = var * variance(len(call.x))  # type: ignore[operator]
    with np.errstate(all="ignore"):
        return mean, denominator(var, call.settings.eps)  # type: ignore[operator]


def _rounding(ways: tuple[Way, ...], call: Call, allowed: Array) -> Array:
    """What is allowed to the definition, with the smaller root that other ways may divide by."""
    statistics = call.running if ways[0].does else None
    var = statistics.var if statistics is not None else call.x.var(axis=0)
    with np.errstate(all="ignore"):
        growth = np.sqrt(var + call.settings.eps) / _divided(ways, call)[1]
        return np.asarray(allowed * np.where(growth > 1, growth, 1))


def _agrees(guess: Array, out: Array, allowed: Array) -> bool:
    return bool(np.all(np.abs(guess - out) <= allowed + 1e-12 * np.abs(guess)))
