"""Classes that are nodes of a graph: made from the nodes before them, whose values they read and whose grads they fill.

As a rule ``forward()`` reads ``self.inbound_nodes[0].value`` and sets ``self.value``; ``backward()`` sums
``n.gradients[self]`` over ``self.outbound_nodes`` and leaves ``self.gradients[node]`` for each node before it.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.classes.methods import parameters, required
from bncheck.layers.classes.passes import backward_of, forward_of
from bncheck.layers.conventions import OUTPUTS, role_of

_DATA: Final = ("x", "gamma", "beta")
_VALUES: Final = ("value", "output")


class Feed:
    """A node before the layer or after it, which holds an array."""

    def __init__(self, array: Any = None) -> None:
        self.value = self.output = array
        self.grad: Any = 0.0
        self.gradient: Any = 0.0
        self.gradients: dict[Any, Any] = {}
        self.inbound_nodes: list[Any] = []
        self.outbound_nodes: list[Any] = []
        self.trainable = True

    def hold(self, array: Array) -> None:
        self.value = self.output = array
        self.grad = self.gradient = 0.0


def over_nodes(kind: type) -> type | None:
    """The same class over arrays; None where its passes are handed something, or no node can be meant."""
    forward, backward = forward_of(kind), backward_of(kind)
    nodes = _nodes(kind)
    if not forward or not backward or "x" not in nodes.values():
        return None
    if any(_is_handed(getattr(kind, name)) for name in (forward, backward)):
        return None
    return type(kind.__name__, (kind,), _methods(kind, forward, backward, nodes))


def _nodes(kind: type) -> dict[str, str]:
    """By argument of the constructor, what its node holds; the first is x where no name says so."""
    needed = [p.name for p in parameters(kind) if required(p)]
    known = {name: meant.role for name in needed if (meant := role_of(name)) and meant.role in _DATA}
    first = [name for name in needed if not role_of(name)][:1] if "x" not in known.values() else []
    return known | dict.fromkeys(first, "x")


def _is_handed(method: Any) -> bool:
    shown = [p for p in parameters(method)[1:] if required(p)]
    return bool(shown)


def _methods(kind: Any, forward: str, backward: str, nodes: dict[str, str]) -> dict[str, Any]:
    run, back = getattr(kind, forward), getattr(kind, backward)

    def make(self: Any, **options: Any) -> None:
        self.bncheck_nodes = {role: Feed() for role in nodes.values()}
        given = {name: self.bncheck_nodes[role] for name, role in nodes.items()}
        kind.__init__(self, **given, **{name: value for name, value in options.items() if name not in nodes})

    def go(self: Any, x: Array, **options: Any) -> Any:
        d = x.shape[1] if x.ndim > 1 else 1
        for role, start in (("gamma", np.ones(d)), ("beta", np.zeros(d))):
            node = self.bncheck_nodes.get(role)
            if node is not None and node.value is None:
                node.hold(start)
        self.bncheck_nodes["x"].hold(x)
        result = run(self, **options)
        return next(found for found in (result, *_kept(self)) if found is not None)

    def return_(self: Any, dout: Array) -> Any:
        after = Feed(dout)
        after.gradients[self] = after.grad = self.grad = self.gradient = dout
        self.outbound_nodes = [after]
        for node in self.bncheck_nodes.values():
            node.grad = node.gradient = 0.0
        back(self)
        found = {role: _gradient(self, node) for role, node in self.bncheck_nodes.items()}
        return tuple(found[role] for role in _DATA if role in found) if len(found) == len(_DATA) else found["x"]

    own = [p for p in parameters(kind) if p.name not in nodes]
    vars(make)["__signature__"] = inspect.Signature([_SELF, *own])
    vars(go)["__signature__"] = inspect.Signature([_SELF, _X, *parameters(run)[1:]])
    told = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    return {**told, "__init__": make, forward: go, backward: return_}


_SELF: Final = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
_X: Final = inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _kept(node: Any) -> list[Any]:
    return [getattr(node, name, None) for name in (*_VALUES, *OUTPUTS)]


def _gradient(layer: Any, node: Feed) -> Any:
    table = getattr(layer, "gradients", None)
    if isinstance(table, dict) and node in table:
        return table[node]
    given: tuple[Any, ...] = (node.grad, node.gradient)
    return next((found for found in given if isinstance(found, np.ndarray)), None)
