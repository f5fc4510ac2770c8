"""What a forward pass could have computed: the definition with any of its parts done differently.

Each part has a right way and some wrong ones, and each wrong one has its code.  All combinations are
formed, and the one that needs the fewest mistakes to agree with what the layer returned, on every probe, is
the diagnosis: a pair of mistakes is told as a pair.  Train and test mode are read by the same table.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.findings.explained import explained, unexplained, worst
from bncheck.layers.protocol import Call


class Way(NamedTuple):
    """One way of doing one part: what it does, and the codes of the mistakes that it makes."""

    said: str
    does: Any
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
    Way("(sqrt(var) + eps)", lambda v, e: np.sqrt(v) + e, ("BN302",), ("BN404",)),
    Way("sqrt(var + 2 eps)", lambda v, e: np.sqrt(v + 2 * e), ("BN304",), ("BN404",)),
    Way("(sqrt(var + eps) + eps)", lambda v, e: np.sqrt(v + e) + e, ("BN304",), ("BN404",)),
    Way("sqrt(var + eps²)", lambda v, e: np.sqrt(v + e * e), ("BN304",), ("BN404",)),
    Way("(var + eps)", lambda v, e: v + e, ("BN307",), ("BN410",)),
    Way("var", lambda v, e: v, ("BN307", "BN303"), ("BN410",)),
    Way("(var + eps)²", lambda v, e: (v + e) ** 2, ("BN307",), ("BN410",)),
    *(
        Way(f"sqrt(var + {e:g})", lambda v, _, e=e: np.sqrt(v + e), ("BN304",), ("BN404",))
        for e in (1e-15, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    ),
)
ROOT_ALONE = _DENOMINATOR[1]
_AFFINE = (
    Way("gamma * {} + beta", lambda xhat, gamma, beta: gamma * xhat + beta),
    Way("gamma * {}", lambda xhat, gamma, beta: gamma * xhat, ("BN305",), ("BN403",)),
    Way("{} + beta", lambda xhat, gamma, beta: xhat + beta, ("BN305",), ("BN403",)),
    Way("{}", lambda xhat, gamma, beta: xhat, ("BN305",), ("BN403",)),
)
# Whether mean and variance are running ones.
_SOURCE = (
    Way("the running statistics", (True, True)),
    Way("the batch's statistics", (False, False), (), ("BN401",)),
    Way("the batch's mean and the running variance", (False, True), (), ("BN409",)),
    Way("the running mean and the batch's variance", (True, False), (), ("BN409",)),
)
_OF_BATCH = _SOURCE[1]
_FIRST, _ALL = slice(16), slice(None)

Observed = list[tuple[Call, Array, Array]]
"""(call, out, allowed) of some passes."""


class Reading(NamedTuple):
    """What a layer was found to compute."""

    codes: tuple[str, ...]
    said: str
    ways: tuple[Way, ...]

    @property
    def denominator(self) -> Way:
        return self.ways[3]

    @property
    def of_definition(self) -> bool:
        """Its mean and variance are those of each column, the variance divided by N."""
        return self.ways[1] is _AXES[0] and self.ways[2] is _VARIANCE[0]

    def out(self, call: Call) -> Array:
        return _out(self.ways, call)

    def statistics(self, call: Call) -> tuple[Array, Array]:
        """The mean and the variance that it normalizes by, as they are broadcast."""
        return _statistics(self.ways, call)

    def allowed(self, call: Call, allowed: Array) -> Array:
        """What is ``allowed`` to the definition, for these ways."""
        plain = _statistics((self.ways[0], _AXES[0], _VARIANCE[0]), call)[1]
        return _grown(self.ways, call, allowed, plain, self.statistics(call)[1])

    def normalizes(self, call: Call) -> tuple[Array, Array]:
        """x - mean, and what that is multiplied by; their product is what the layer takes for xhat."""
        mean, var = self.statistics(call)
        with np.errstate(all="ignore"):
            return call.x - mean, 1 / self.denominator.does(var, call.settings.eps)

    def explains(self, observed: Observed, test: bool) -> str:
        """How well, in words."""
        guess = _joined(self.out(call) for call, _, _ in observed)
        return explained(*_made_and_right(observed, test), guess)


def read(observed: Observed, test: bool, excused: Collection[Way] = ()) -> Reading | None:
    """The reading with the fewest mistakes that agrees with every (call, out, allowed), or None.

    A way that is ``excused`` counts as none: its mistake was told elsewhere, or explains another.
    """
    held = [_Held(call, out, allowed) for call, out, allowed in observed]
    ranked = ((_codes(ways, test, excused), ways) for ways in _combinations(test))
    for codes, ways in sorted(ranked, key=lambda each: (len(each[0]), len(_codes(each[1], test)))):
        # Most combinations are refuted by a few rows.
        if all(one.agrees(ways, rows) for rows in (_FIRST, _ALL) for one in held):
            return Reading(codes, _said(ways), ways)
    return None


class _Held:
    """An output that combinations are held against; statistics are taken once for all of them."""

    def __init__(self, call: Call, out: Array, allowed: Array) -> None:
        self.call, self.made, self.allowed = call, out, allowed
        self._taken: dict[tuple[Way, ...], tuple[Array, Array]] = {}

    def agrees(self, ways: tuple[Way, ...], rows: slice) -> bool:
        found = tuple(np.broadcast_to(each, self.call.x.shape)[rows] for each in self._statistics(ways[:3]))
        guess = _applied(ways, self.call._replace(x=self.call.x[rows]), found[0], found[1])
        plain = self._statistics((ways[0], _AXES[0], _VARIANCE[0]))[1]
        within = _grown(ways, self.call, self.allowed[rows], plain, found[1])
        return bool(np.all(np.abs(guess - self.made[rows]) <= within + 1e-12 * np.abs(guess)))

    def _statistics(self, ways: tuple[Way, ...]) -> tuple[Array, Array]:
        if ways not in self._taken:
            self._taken[ways] = _statistics(ways, self.call)
        return self._taken[ways]


def nearest(observed: Observed, test: bool) -> str:
    """Of outputs that nothing agrees with: which combination comes nearest, how near, and where it is wrong."""
    guesses = {_said(ways): _joined(_out(ways, call) for call, _, _ in observed) for ways in _combinations(test)}
    return f"{unexplained(*_made_and_right(observed, test), guesses)}; {worst_of(observed, test)}"


def definition(call: Call, test: bool) -> Array:
    """out as it should be."""
    return _out((_SOURCE[0] if test else _OF_BATCH, _AXES[0], _VARIANCE[0], _DENOMINATOR[0], _AFFINE[0]), call)


def worst_of(observed: Observed, test: bool) -> str:
    """Where the output that is furthest from the definition is so."""
    made = ((out, definition(call, test), allowed) for call, out, allowed in observed)
    return worst("out", *max(made, key=lambda each: float(np.nanmax(np.abs(each[0] - each[1])))))


def _made_and_right(observed: Observed, test: bool) -> tuple[Array, Array]:
    return _joined(out for _, out, _ in observed), _joined(definition(call, test) for call, _, _ in observed)


def _joined(arrays: Iterable[Array]) -> Array:
    return np.concatenate([array.ravel() for array in arrays])


def _combinations(test: bool) -> Iterator[tuple[Way, ...]]:
    sources = _SOURCE if test else (_OF_BATCH,)
    for source, axes, variance, denominator, affine in itertools.product(
        sources, _AXES, _VARIANCE, _DENOMINATOR, _AFFINE
    ):
        running_mean, running_var = source.does
        of_columns = axes is _AXES[0] or not (running_mean or running_var)
        if of_columns and (variance is _VARIANCE[0] or not running_var):
            yield source, axes, variance, denominator, affine


def _codes(ways: tuple[Way, ...], test: bool, excused: Collection[Way] = ()) -> tuple[str, ...]:
    counted = (way for way in ways if way not in excused)
    return tuple(dict.fromkeys(code for way in counted for code in (way.test if test else way.train)))


def _said(ways: tuple[Way, ...]) -> str:
    """The formula, and which mean and var stand in it."""
    source, axes, variance, denominator, affine = ways
    mean, var = (f"running_{name}" if kept else name for name, kept in zip(("mean", "var"), source.does, strict=True))
    xhat = f"(x - {mean}) / {denominator.said.replace('var', var)}"
    formula = f"out = {affine.said.format(xhat)}"
    if all(source.does):
        return formula
    batch = " and ".join(name for name in (mean, var) if not name.startswith("running"))
    how = f"with {batch} of {axes.said} of x"
    return f"{formula}, {how}" + ("" if source.does[1] else f", var {variance.said}")


def _out(ways: tuple[Way, ...], call: Call) -> Array:
    return _applied(ways, call, *_statistics(ways, call))


def _applied(ways: tuple[Way, ...], call: Call, mean: Array, var: Array) -> Array:
    with np.errstate(all="ignore"):
        root = ways[3].does(var, call.settings.eps)
        return np.asarray(ways[4].does((call.x - mean) / root, call.gamma, call.beta))


def _statistics(ways: tuple[Way, ...], call: Call) -> tuple[Array, Array]:
    """The mean and the variance that x is normalized by, of the first three ways."""
    source, axes, variance = (way.does for way in ways[:3])
    found = []
    for k, running in enumerate(source):
        if running:
            assert call.running is not None
            found.append(call.running[k])
        else:
            taken = axes(call.x)[k]
            # Each is of so many entries: of N, of D or of all.
            found.append(taken * (1.0, variance(call.x.size // taken.size))[k])
    return found[0], found[1]


def _grown(ways: tuple[Way, ...], call: Call, allowed: Array, plain: Array, var: Array) -> Array:
    """What is allowed to the definition, of variance ``plain``, with the smaller root that other ways divide by."""
    with np.errstate(all="ignore"):
        growth = np.sqrt(plain + call.settings.eps) / ways[3].does(var, call.settings.eps)
        return np.asarray(allowed * np.where(growth > 1, growth, 1))
