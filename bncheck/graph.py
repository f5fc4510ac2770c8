"""Batch normalization as a graph of named nodes, each with its local derivative.

The same layer as in batchnorm.py (Ioffe & Szegedy 2015, section 3), one operation at a time::

    x -- mean -- centre -- square -- variance -- add eps -- root -- inverse -- scale -- gamma -- beta

A node computes one value from others, and hands the gradient of that value back to each of them by the chain rule.
That is all of reverse-mode differentiation (Baydin et al., "Automatic Differentiation in Machine Learning: a
Survey", JMLR 18, 2018, section 3.2): forward fills a dictionary from top to bottom, backward adds up from bottom
to top.  Two rules account for every sum that people forget:

* a value that is broadcast over the rows going forward gets the *sum* over the rows going back, for every row
  depends on it: gamma and beta, and the mean and inv within;
* a sum over the rows going forward hands the same number to every row going back, a *broadcast of ones*: the mean
  and the variance.

Shapes: x, centred, square, xhat, scaled, out are (N, D), everything else (D,); eps and N are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Statistics

Values = Mapping[str, Any]
"""By symbol: arrays, and the constants eps and N."""

INPUTS = ("x", "gamma", "beta")
SUM, ONES = "broadcast forward, sum backward", "sum forward, ones backward"


class Edge(NamedTuple):
    """How a node hands its gradient back to one of the values that it was computed from."""

    to: str
    formula: str
    handed: Callable[..., Array]
    """The vector-Jacobian product: the gradient of the node and the values named in ``needs``, in that order."""
    needs: tuple[str, ...] = ()
    """What must have been kept from the forward pass."""
    rule: str = ""


class Node(NamedTuple):
    """One operation: ``symbol`` is the name of the value that it computes."""

    name: str
    symbol: str
    formula: str
    reads: tuple[str, ...]
    value: Callable[..., Array]
    edges: tuple[Edge, ...]


class Handed(NamedTuple):
    """What one node handed to one value, going back."""

    node: Node
    edge: Edge
    gradient: Array


class Flow(NamedTuple):
    """A backward pass: every gradient, and the contributions that it is the sum of, in the order they were made."""

    gradients: dict[str, Array]
    handed: tuple[Handed, ...]


class Graph(NamedTuple):
    """Nodes in an order in which each finds what it reads."""

    nodes: tuple[Node, ...]

    def forward(self, given: Values) -> dict[str, Any]:
        """Every value.  One that is given is not computed: what comes after it follows from what it was set to."""
        values = dict(given)
        for node in self.nodes:
            if node.symbol not in values:
                values[node.symbol] = node.value(*(values[name] for name in node.reads))
        return values

    def backward(self, values: Values, dout: Array) -> Flow:
        """The gradient of sum(dout * out) with respect to every value that x, gamma or beta reaches."""
        gradients, handed = {"out": dout}, list[Handed]()
        for node in reversed(self.nodes):
            for edge in self.live(node):
                part = edge.handed(gradients[node.symbol], *(values[name] for name in edge.needs))
                gradients[edge.to] = gradients[edge.to] + part if edge.to in gradients else part
                handed.append(Handed(node, edge, part))
        return Flow(gradients, tuple(handed))

    def live(self, node: Node) -> tuple[Edge, ...]:
        """The edges that lead to something that is no constant."""
        reached = self.reached()
        return tuple(edge for edge in node.edges if edge.to in reached)

    def reached(self) -> tuple[str, ...]:
        """The values that x, gamma or beta reaches, these included; the others are constants."""
        found = list(INPUTS)
        for node in self.nodes:
            found += [node.symbol] if set(node.reads) & set(found) else []
        return tuple(found)

    def after(self, symbol: str) -> Graph:
        """The rest of the graph: the nodes that follow from one value."""
        found, nodes = {symbol}, list[Node]()
        for node in self.nodes:
            if found & set(node.reads):
                found.add(node.symbol)
                nodes.append(node)
        return Graph(tuple(nodes))

    def read(self) -> tuple[str, ...]:
        """What its nodes read and none of them computes."""
        computed = {node.symbol for node in self.nodes}
        return tuple(dict.fromkeys(name for node in self.nodes for name in node.reads if name not in computed))

    def kept(self) -> tuple[str, ...]:
        """The cache: what the backward needs of the forward."""
        needed = {name for node in self.nodes for edge in self.live(node) for name in edge.needs}
        return tuple(name for name in (*INPUTS, *(node.symbol for node in self.nodes)) if name in needed)


def _sum(rows: Array) -> Array:
    return np.asarray(rows.sum(axis=0))


def _ones(row: Array, n: int) -> Array:
    return np.tile(row, (n, 1))


TRAIN = Graph(
    (
        Node(
            *("mean", "mean", "sum(x) / N", ("x", "N"), lambda x, n: _sum(x) / n),
            (Edge("x", "ones * dmean / N", lambda g, n: _ones(g / n, n), ("N",), ONES),),
        ),
        Node(
            *("centre", "centred", "x - mean", ("x", "mean"), lambda x, mean: x - mean),
            (
                Edge("x", "dcentred", lambda g: g),
                Edge("mean", "-sum(dcentred)", lambda g: -_sum(g), (), SUM),
            ),
        ),
        Node(
            *("square", "square", "centred²", ("centred",), lambda centred: centred * centred),
            (Edge("centred", "2 centred * dsquare", lambda g, centred: 2 * centred * g, ("centred",)),),
        ),
        Node(
            *("variance", "var", "sum(square) / N", ("square", "N"), lambda square, n: _sum(square) / n),
            (Edge("square", "ones * dvar / N", lambda g, n: _ones(g / n, n), ("N",), ONES),),
        ),
        Node(
            *("add eps", "var_eps", "var + eps", ("var", "eps"), lambda var, eps: var + eps),
            (Edge("var", "dvar_eps", lambda g: g),),
        ),
        Node(
            *("root", "std", "sqrt(var_eps)", ("var_eps",), np.sqrt),
            (Edge("var_eps", "dstd / (2 std)", lambda g, std: g / (2 * std), ("std",)),),
        ),
        Node(
            *("inverse", "inv", "1 / std", ("std",), lambda std: 1 / std),
            (Edge("std", "-dinv * inv²", lambda g, inv: -g * inv * inv, ("inv",)),),
        ),
        Node(
            *("scale", "xhat", "centred * inv", ("centred", "inv"), lambda centred, inv: centred * inv),
            (
                Edge("centred", "dxhat * inv", lambda g, inv: g * inv, ("inv",)),
                Edge("inv", "sum(dxhat * centred)", lambda g, centred: _sum(g * centred), ("centred",), SUM),
            ),
        ),
        Node(
            *("gamma", "scaled", "gamma * xhat", ("gamma", "xhat"), lambda gamma, xhat: gamma * xhat),
            (
                Edge("xhat", "dscaled * gamma", lambda g, gamma: g * gamma, ("gamma",)),
                Edge("gamma", "sum(dscaled * xhat)", lambda g, xhat: _sum(g * xhat), ("xhat",), SUM),
            ),
        ),
        Node(
            *("beta", "out", "scaled + beta", ("scaled", "beta"), lambda scaled, beta: scaled + beta),
            (
                Edge("scaled", "dout", lambda g: g),
                Edge("beta", "sum(dout)", _sum, (), SUM),
            ),
        ),
    )
)
# In test mode the statistics are constants: nothing computes them, and no gradient goes there.
TEST = Graph(tuple(node for node in TRAIN.nodes if node.name not in ("mean", "square", "variance")))

PATHS = {"direct": ("scale", "centred"), "mean": ("mean", "x"), "variance": ("square", "centred")}
"""The three ways by which x reaches out: each by the node that hands it back, and to what.

centred hands on to x what it gets, so that dx is the sum of the three.
"""


def given(x: Array, gamma: Array, beta: Array, eps: float, running: Statistics | None = None) -> dict[str, Any]:
    """What a forward pass starts from; with ``running``, that of the test-mode graph."""
    inputs = {"x": x, "gamma": gamma, "beta": beta, "eps": x.dtype.type(eps), "N": len(x)}
    return inputs if running is None else inputs | {"mean": running.mean, "var": running.var}
