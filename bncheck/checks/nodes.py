"""Every gradient of the graph against a numerical one, at the node that it belongs to.

The value of a node is perturbed and the rest of the graph run, by the differences and with the error bars that every
other check uses.  What rounding may do to the gradient itself is bounded by running along the graph: with S the
gradient of a value with every term taken as positive, the size *before* terms cancel, and E what it may be off by, a
node hands back

    S' = |J| S        E' = |J| E + (3 r + (N + 4) u) S' + |dJ| (S + E) + eta

where |J| is its local derivative at the sizes of the values that it needs, r the relative error of the variance and of
what is made of it, (N + 4) u the worst that a sum over the rows may do (Higham, Accuracy and Stability of Numerical
Algorithms, section 4.2), and dJ the derivative at the errors of x - mean or xhat, which are no relative ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.checks.judgement import Quantity, judge
from bncheck.checks.numeric import input_noise, working_dtype
from bncheck.differences import Function, differentiate, evaluations
from bncheck.errors import BadInput
from bncheck.graph import TEST, TRAIN, Edge, Flow, Graph, Handed, Node, given
from bncheck.layers.protocol import Call
from bncheck.rounding import value_allowance
from bncheck.stencils import CENTRAL
from bncheck.tracing import Checked
from bncheck.vocabulary import Mode, Verdict

# The distance over which out bends where one of these moves; in the others, and in test mode, it is linear.
_BENDS = dict.fromkeys(("x", "mean", "centred", "std"), "std") | dict.fromkeys(("square", "var", "var_eps"), "var_eps")
_ERRORS_OF_THEIR_OWN = ("centred", "xhat")

Progress = Callable[[float, float], object]


class Walk(NamedTuple):
    """The graph run forward and backward on a batch, in the batch's dtype and, for the differences, in a wider one."""

    graph: Graph
    batch: Batch
    call: Call
    values: dict[str, Any]
    flow: Flow
    wide: dict[str, Any]
    """Every value in the wider dtype."""
    allowed: Flow
    """What rounding may make of the gradients and of what is handed back."""


def walk(batch: Batch, call: Call, graph: Graph | None = None) -> Walk:
    """Raises BadInput where the graph's dtype cannot hold what comes up on the way."""
    test = call.settings.mode is Mode.TEST
    graph = graph or (TEST if test else TRAIN)
    dtype = np.result_type(batch.x.dtype, np.float32)  # half precision is a format to store in
    with np.errstate(all="ignore"):
        values = graph.forward(_start(call.astype(dtype)))
        flow = graph.backward(values, batch.dout.astype(dtype))
    _require_finite(values, "", dtype)
    _require_finite(flow.gradients, "d", dtype)
    wider = working_dtype(input_noise(call), _cost(graph, batch.n, test) * batch.x.size)
    wide = graph.forward(_start(call.astype(wider)))
    return Walk(graph, batch, call, values, flow, wide, _allowed(graph, call, batch.dout, wide, dtype))


def _start(call: Call) -> dict[str, Any]:
    running = call.running if call.settings.mode is Mode.TEST else None
    return given(call.x, call.gamma, call.beta, call.settings.eps, running)


def _require_finite(arrays: dict[str, Any], prefix: str, dtype: np.dtype[Any]) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise BadInput(f"{prefix}{name} is beyond {dtype} on this batch: scale it down or use a wider --dtype")


def _cost(graph: Graph, n: int, test: bool) -> int:
    """Runs of the graph that checking it takes."""
    tables = {"x", "centred", "square", "xhat", "scaled", "out"}
    return sum(evaluations(n if name in tables else 1, CENTRAL, test or name not in _BENDS) for name in graph.reached())


def _allowed(graph: Graph, call: Call, dout: Array, wide: dict[str, Any], dtype: np.dtype[Any]) -> Flow:
    """The recurrence above, which a backward pass with other numbers is."""
    info = np.finfo(dtype)
    errors = value_allowance(call, dtype)
    sizes = {name: np.abs(np.asarray(value, np.float64)) for name, value in wide.items() if name != "N"}
    rounded = 3 * errors["inv"] / sizes["inv"] + float(info.eps) / 2 * (len(dout) + 4)
    size, error = {"out": np.abs(dout.astype(np.float64))}, {"out": np.zeros(dout.shape)}
    parts = []
    for node in reversed(graph.nodes):
        for edge in graph.live(node):
            needs = [wide["N"] if name == "N" else sizes[name] for name in edge.needs]
            part = np.abs(edge.handed(size[node.symbol], *needs))
            off = np.abs(edge.handed(error[node.symbol], *needs)) + rounded * part + float(info.smallest_subnormal)
            if set(edge.needs) & set(_ERRORS_OF_THEIR_OWN):
                whole = size[node.symbol] + error[node.symbol]
                off = off + np.abs(edge.handed(whole, *(errors[name] for name in edge.needs)))
            size[edge.to] = size.get(edge.to, 0) + part
            error[edge.to] = error.get(edge.to, 0) + off
            parts.append(Handed(node, edge, off))
    return Flow(error, tuple(parts))


class Checker:
    """The numerical side, and what it costs."""

    def __init__(self, walked: Walk, progress: Progress | None = None) -> None:
        self.walked, self.progress = walked, progress
        self.test = walked.call.settings.mode is Mode.TEST
        self.dout = walked.batch.dout.astype(walked.wide["x"].dtype)
        self.passes = 0.0
        self.expected = _cost(walked.graph, walked.batch.n, self.test)

    def value(self, symbol: str) -> Checked:
        """The gradient of one value, all other values but those that follow from it being held."""
        rest = self._rest(symbol)

        def run(argument: Array, columns: Array) -> Array:
            return rest(self._shaped(symbol, argument), columns)

        gradients, allowed = self.walked.flow.gradients, self.walked.allowed.gradients
        return self._check(f"d{symbol}", symbol, run, gradients[symbol], allowed[symbol])

    def edge(self, node: Node, edge: Edge) -> Checked:
        """What one node hands back: the value moves as this node sees it, and stays for all others."""
        rest, read = self._rest(node.symbol), self._held(node.reads)

        def run(argument: Array, columns: Array) -> Array:
            seen = _taken(read, columns) | {edge.to: self._shaped(edge.to, argument)}
            return rest(node.value(*(seen[name] for name in node.reads)), columns)

        made, allowed = (handed(flow, node.name, edge.to) for flow in (self.walked.flow, self.walked.allowed))
        return self._check(f"d{edge.to} from {node.name}", edge.to, run, made, allowed)

    def _rest(self, symbol: str) -> Function:
        """out, of one value and of what else the nodes after it read."""
        after = self.walked.graph.after(symbol)
        held = self._held(after.read())

        def rest(value: Array, columns: Array) -> Array:
            return np.array(after.forward(_taken(held, columns) | {symbol: value})["out"])

        return rest

    def _held(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: self.walked.wide[name] for name in names}

    def _shaped(self, symbol: str, argument: Array) -> Array:
        return argument if np.ndim(self.walked.wide[symbol]) == 2 else argument[0]

    def culprit(self, failed: set[str]) -> str:
        """The node that hands back something wrong though what reached it is right."""
        graph = self.walked.graph
        for node in reversed(graph.nodes):
            if node.symbol in failed:
                continue
            for edge in graph.live(node):
                if edge.to in failed and self.edge(node, edge).verdict is Verdict.FAIL:
                    return str(node.name)
        return ""

    def _check(self, name: str, symbol: str, run: Function, analytic: Array, allowed: Array) -> Checked:
        walked, linear = self.walked, self.test or symbol not in _BENDS
        argument = np.atleast_2d(walked.wide[symbol])
        scale = np.abs(argument).max(axis=0) if linear else walked.wide[_BENDS[symbol]]
        scale = np.where(scale > 0, scale, 1).astype(argument.dtype)
        seed = walked.batch.seed or 0
        with np.errstate(all="ignore"):
            found = differentiate(run, argument, self.dout, scale, linear=linear, seed=seed, tick=self._tick)
        numeric = found.value if analytic.ndim == 2 else found.value[0]
        quantity = Quantity(name, analytic, numeric, found.error, allowed, np.zeros(numeric.shape, bool))
        result = judge(quantity, None, walked.batch.place)
        return Checked(name, norm(analytic), *result[2:7], result.reason)

    def _tick(self, done: float) -> None:
        self.passes += done
        if self.progress is not None:
            self.progress(self.passes, self.expected)


def norm(array: Array) -> float:
    """The Euclidean norm of all entries together."""
    return float(np.linalg.norm(np.asarray(array, np.float64)))


def handed(flow: Flow, node: str, to: str) -> Array:
    """What a node handed back to one value."""
    return next(each.gradient for each in flow.handed if (each.node.name, each.edge.to) == (node, to))


def _taken(values: dict[str, Any], columns: Array) -> dict[str, Any]:
    """The same of some columns."""
    return {name: value.take(columns, axis=-1) if np.ndim(value) else value for name, value in values.items()}
