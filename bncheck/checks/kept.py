"""What the user's layer keeps and returns, held against the nodes of the graph: where is the first difference?

Intermediates are matched by value, whatever their shape and name: a root is told from the variance under it by what it
is.  A layer may keep anything, so that only its results accuse it; what it keeps tells where the difference began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.forward import settle
from bncheck.checks.nodes import Walk
from bncheck.checks.probes import Subject
from bncheck.errors import LayerRaised
from bncheck.findings.normalization import Reading, read
from bncheck.findings.own import Own
from bncheck.findings.paths import Case, fit_paths
from bncheck.findings.paths import read as read_paths
from bncheck.graph import INPUTS, Graph
from bncheck.layers.protocol import Call, Layer, Pass
from bncheck.rounding import allowance, forward_allowance, value_allowance
from bncheck.settings import LayerSettings
from bncheck.tracing import LayerTrace, Match
from bncheck.vocabulary import Mode

_NEAR = 0.5  # of its size: so far from a value of the graph a number may be and still be meant for it
_SPELLED = {
    "mean": "mean mu m avg average samplemean batchmean mubatch minibatchmean mub",
    "centred": "centred centered xc xmu xcentered xcentred xminusmean diff xm zeromean xhatnum num numerator",
    "square": "square sq squared xsq xmu2 xc2 xmusq",
    "var": "var variance v sigma2 samplevar batchvar sigmasq xvar varbatch samplevariance",
    "var_eps": "vareps vare veps ve varpluseps",
    "std": "std sqrtvar sigma stddev sqrt root sd den denominator stdeps",
    "inv": "inv ivar invvar invstd istd rstd stdinv invsqrt invsigma rsqrt",
    "xhat": "xhat xnorm xn z xnormalized normalized norm normed xnormed hat",
    "scaled": "scaled gammax gammaxhat",
    "out": "out y output",
}
_SUMS = {"dbeta": "sum(dout)", "dgamma": "sum(dout * xhat)"}
_AT = {"BN105": "gamma", "BN106": "add eps"}
# The node that a path begins at, going back, and those that it goes through before x has it.
_OF_PATHS = (
    ("scale", "scale, on the direct path: dxhat * inv"),
    ("mean", "mean, where every row of dx gets the same dmean / N"),
    ("square", "the path through the variance: inverse, root, add eps, variance or square"),
)


class _Held(NamedTuple):
    """What is kept, in the shape of a node's value."""

    name: str
    views: tuple[Array, ...]

    @property
    def word(self) -> str:
        found: list[str] = re.findall(r"\w+", self.name)
        return found[-1].lower().replace("_", "")


class Place(NamedTuple):
    """Where something begins to differ, and how."""

    node: str
    said: str


def settled(layer: Layer, batch: Batch, settings: LayerSettings) -> LayerSettings:
    """With the eps that the layer really uses, where it is one that nobody can tell it."""
    if layer.traits.takes_eps:
        return settings
    return settle(Subject(layer, batch, settings, np.dtype(np.float64)))[0].settings


def held_against(layer: Layer, walked: Walk) -> LayerTrace:
    """The layer run on the batch of the walk."""
    made = layer.forward(walked.call)
    kept: dict[str, Array] | None = made.kept() if hasattr(made, "kept") else None
    out = np.array(made.out)
    truths, errors = _truths(walked), value_allowance(walked.call, walked.batch.x.dtype)
    off = out.shape != truths["out"].shape or not _within(out, truths["out"], errors["out"])
    held = [_Held(name, tuple(_views(array, walked.batch.n, walked.batch.d))) for name, array in (kept or {}).items()]
    held = [one for one in held if one.views]  # what is neither (N, D) nor (D,) is eps, or a count
    matches = _matched(held, truths, errors, near=off)
    if off:
        wrong: tuple[str, ...] = ("out",)
        places = [_forward_place(walked, matches, out)]
    else:
        wrong, places = _backward(layer, made, walked)
    symbols = {match.symbol for match in matches}
    return LayerTrace(
        readable=bool(kept),
        matches=matches,
        unread=tuple(one.name for one in held if one.name not in {match.held for match in matches}),
        absent=tuple(node.name for node in walked.graph.nodes if node.symbol not in symbols),
        wrong=wrong,
        first=places[0].node if places else "",
        said=tuple(place.said for place in places),
    )


def _truths(walked: Walk) -> dict[str, Array]:
    return {name: value for name, value in walked.wide.items() if np.ndim(value)}


def _within(value: Array, truth: Array, error: Array) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(value - truth) <= error))


# ---- matching ----


def _views(array: Array, n: int, d: int) -> Iterator[Array]:
    """The ways in which it could be (N, D) or (D,): turned, as an image, with axes of length one, repeated in rows."""
    if array.size == d:
        yield array.reshape(d)
    if array.size == n * d:
        turned = [np.moveaxis(array, axis, -1).reshape(n, d) for axis, size in enumerate(array.shape) if size == d]
        yield from turned
        yield from (table[0] for table in turned if n > 1 and not np.ptp(table, axis=0).any())


def _matched(held: list[_Held], truths: dict[str, Array], errors: dict[str, Array], near: bool) -> tuple[Match, ...]:
    """In the order of the graph; with ``near``, also what was meant for a node and is another number."""
    found = dict[str, Match]()
    for one in held:
        fits = [s for s, t in truths.items() if any(v.shape == t.shape and _fits(v, s, t, errors) for v in one.views)]
        if fits:
            symbol = min(fits, key=lambda s: (one.word not in (_SPELLED.get(s) or s).split(), s in found))
            found.setdefault(symbol, Match(symbol, one.name, True))
    taken = {match.held for match in found.values()}
    for one in [one for one in held if one.name not in taken] if near else ():
        meant = _meant(one, {s: t for s, t in truths.items() if s not in (*found, *INPUTS)})
        if meant is not None:
            found[meant[0]] = Match(meant[0], one.name, False, _how(*meant[1:]))
    return tuple(found[symbol] for symbol in truths if symbol in found)


def _fits(value: Array, symbol: str, truth: Array, errors: dict[str, Array]) -> bool:
    return _within(value, truth, errors.get(symbol, np.finfo(value.dtype).eps * np.abs(truth)))


def _meant(one: _Held, truths: dict[str, Array]) -> tuple[str, Array, Array] | None:
    """The value of the graph that it is called after, or failing that is nearest to."""
    pairs = [(s, v, t) for s, t in truths.items() for v in one.views if v.shape == t.shape]
    named = [pair for pair in pairs if one.word in _SPELLED[pair[0]].split()]
    ranked = sorted(((_distance(v, t), s, v, t) for s, v, t in pairs), key=lambda each: each[:2])
    close = [(s, v, t) for distance, s, v, t in ranked if distance <= _NEAR]
    return next(iter(named or close), None)


def _distance(value: Array, truth: Array) -> float:
    size = float(np.linalg.norm(truth.astype(np.float64)))
    return float(np.linalg.norm((value - truth).astype(np.float64))) / size if size else np.inf


def _how(value: Array, truth: Array) -> str:
    with np.errstate(all="ignore"):
        ratio = (value / truth)[truth != 0]
    if ratio.size and np.ptp(ratio) <= 1e-6 * np.abs(ratio).max():
        return f"it is {float(ratio.mean()):.6g} times what it should be, in every entry"
    place = np.unravel_index(int(np.argmax(np.abs(value - truth))), truth.shape)
    where = ", ".join(map(str, map(int, place)))
    return f"at [{where}] it is {float(value[place]):.6g} where the graph has {float(truth[place]):.6g}"


# ---- where it begins ----


def _forward_place(walked: Walk, matches: tuple[Match, ...], out: Array) -> Place:
    graph, reading = walked.graph, _reading(walked.call, out)
    names = {node.symbol: node.name for node in graph.nodes}
    agreed = {m.symbol for m in matches if m.agrees} | set(INPUTS)
    known = set[str]().union(*(_above(graph, symbol) for symbol in agreed))
    first = next((m for m in matches if not m.agrees and m.symbol not in known), None)
    among = [names[symbol] for symbol in _above(graph, first.symbol if first else "out") if symbol not in known]
    told = _node_of(reading, walked.call.settings.mode is Mode.TEST) if reading else ""
    node = among[0] if len(among) == 1 else told if told in among else ""
    where = node or (" or ".join(among) if len(among) < 4 else f"{among[0]}, {among[-1]} or between them")
    said = (
        f"{first.symbol} is the first value to differ, kept as {first.held}: {first.said}" if first else "out differs"
    )
    said += f"; what goes into {where} agrees" if len(among) == 1 else f"; it begins at {where}"
    return Place(node, f"{said}; the forward pass computes {reading.said}" if reading else said)


def _above(graph: Graph, symbol: str) -> list[str]:
    """It and everything that it is computed from, in the order of the graph."""
    wanted = {symbol}
    for node in reversed(graph.nodes):
        wanted |= set(node.reads) if node.symbol in wanted else set()
    return [node.symbol for node in graph.nodes if node.symbol in wanted]


def _reading(call: Call, out: Array) -> Reading | None:
    if out.shape != call.x.shape:
        return None
    test = call.settings.mode is Mode.TEST
    wide = call.astype(np.float64)
    return read([(wide, out.astype(np.float64), forward_allowance(wide, call.x.dtype))], test)


def _node_of(reading: Reading, test: bool) -> str:
    """The node at which a variant of the definition leaves it."""
    codes = [way.test if test else way.train for way in reading.ways]
    wrong = [k for k, found in enumerate(codes) if found]
    if not wrong:
        return ""
    # The source and the axes of the statistics, the variance, the root, gamma and beta: in the order of the forward.
    if wrong[0] == 3:
        return "root" if "BN307" in codes[3] else "add eps"
    return ("mean", "mean", "variance", "", "beta" if reading.ways[4].said == "gamma * {}" else "gamma")[wrong[0]]


def _backward(layer: Layer, made: Pass, walked: Walk) -> tuple[tuple[str, ...], list[Place]]:
    """Which gradients differ, and where that begins going back from out."""
    if not layer.traits.has_backward:
        return (), [Place("", "out agrees with the graph, and the layer has no backward pass")]
    try:
        with np.errstate(all="ignore"):
            gradients = made.backward(walked.batch.dout)
    except LayerRaised as raised:
        return (), [Place("", f"out agrees with the graph, and the backward pass was not made: {raised}")]
    flow = walked.graph.backward(walked.wide, walked.batch.dout.astype(walked.wide["x"].dtype))
    right = Gradients(*(flow.gradients[name] for name in INPUTS))
    allowed = allowance(walked.call, walked.batch.dout, walked.batch.x.dtype).rounding
    places = dict[str, Place]()
    for name in ("dbeta", "dgamma", "dx"):
        value, truth, error = (np.asarray(getattr(each, name)) for each in (gradients, right, allowed))
        if value.shape != truth.shape or not _within(value, truth, error):
            places[name] = _of_sum(name, value, truth) if name in _SUMS else _of_dx(walked, value, truth, error)
    said = list(places.values()) or [Place("", "out, dx, dgamma and dbeta agree with the graph")]
    return tuple(places), said


def _of_sum(name: str, value: Array, truth: Array) -> Place:
    why = f"{name[1:]} is broadcast over the rows going forward, so its gradient is a sum over the rows going back"
    if value.shape != truth.shape:
        return Place(name[1:], f"{name} has shape {value.shape} where {truth.shape} is right: {why}")
    with np.errstate(all="ignore"):
        off = float(np.max(np.abs(value - truth)) / np.max(np.abs(truth)))
    return Place(name[1:], f"{name} is off from {_SUMS[name]} by {off:.2g} of its largest entry: {why}")


def _of_dx(walked: Walk, dx: Array, right: Array, error: Array) -> Place:
    """By the coefficients of the three paths that it is made of."""
    if dx.shape != right.shape:
        return Place("", f"dx has shape {dx.shape} where {right.shape} is right")
    if not np.isfinite(dx).all():
        return Place("", f"dx is not finite in {int(np.sum(~np.isfinite(dx)))} of {dx.size} entries")
    call, dout = walked.call.astype(np.float64), walked.batch.dout.astype(np.float64)
    train = call.settings.mode is Mode.TRAIN
    made, truth = dx.astype(np.float64), right.astype(np.float64)
    case = Case(call, dout, made, truth, error, Own.of_definition(call), train)
    fit, found = fit_paths(case), read_paths(case)[0]
    expected = (1.0, float(train), float(train))
    off = [k for k in range(3) if not fit.matches(k, np.full(call.gamma.shape, expected[k]))]
    if not fit.explained or not off:
        return Place("", f"dx differs: {found.evidence}")
    node, where = _OF_PATHS[off[0] if off[0] == 0 else off[-1]]
    node = _AT.get(found.code, node)
    return Place(node, f"{found.evidence}; going back, it differs first at {node if found.code in _AT else where}")
