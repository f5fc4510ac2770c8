"""Classes whose passes take no arrays: tensors of the user's own, which go back by themselves, or lists of numbers."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from bncheck.layers.classes.boxes import box_in, over_boxes
from bncheck.layers.classes.instances import clone
from bncheck.layers.classes.nodes import over_nodes
from bncheck.layers.classes.numbers import number_in, over_numbers
from bncheck.layers.classes.passes import backward_of, forward_of
from bncheck.layers.functions.own_tensors import leaf, numbers_of, pull, tensor_in
from bncheck.layers.functions.results import over_lists
from bncheck.layers.functions.source import is_of_lists

_WAY: Final = "bncheck_way_back"
_MARK: Final = "bncheck_carried"


def carried(kind: type, tree: ast.Module) -> Iterator[type]:
    """The same class with passes that take and return arrays; none where nothing says that they do not already."""
    forward, backward = str(forward_of(kind)), backward_of(kind)
    if backward is None:
        for found, over in ((tensor_in, _over_tensors), (number_in, over_numbers)):
            carrier = next((one for space in _spaces(kind) if (one := found(space))), None)
            if carrier is not None and carrier is not kind:
                yield _marked(over(kind, forward, carrier))
    elif is_of_lists(tree):
        yield _marked(_over_lists(kind, forward, backward))


def wrapped(kind: type) -> Iterator[type]:
    """Likewise, for passes that take x out of a node before them, or an object that has its gradient beside it."""
    forward, backward = str(forward_of(kind)), backward_of(kind)
    if backward is None:
        return
    if (node := over_nodes(kind)) is not None:
        yield _marked(node)
    box = next((one for space in _spaces(kind) if (one := box_in(space))), None)
    if box is not None and box is not kind:
        yield _marked(over_boxes(kind, forward, backward, box))


def _spaces(kind: type) -> Iterator[dict[str, Any]]:
    """What the class and its bases can see: a tensor class need not be imported where it is used."""
    for base in kind.__mro__[:-1]:
        yield vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        yield from (one.__globals__ for one in vars(base).values() if hasattr(one, "__globals__"))


def _marked(kind: type) -> type:
    setattr(kind, _MARK, True)
    return kind


def _made(kind: type, **methods: Callable[..., Any]) -> type:
    told = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**told, **methods})


def is_carried(kind: type) -> bool:
    return _MARK in vars(kind)


def _over_lists(kind: type, forward: str, backward: str) -> type:
    return _made(kind, **{name: over_lists(getattr(kind, name)) for name in (forward, backward)})


def _over_tensors(kind: type, name: str, tensor: Any) -> type:
    method = getattr(kind, name)

    def run(self: Any, given: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, list[Any]]:
        leaves = list[Any]()

        def wrapped(value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            leaves.append(leaf(tensor, value.copy()))
            return leaves[-1]

        return method(self, *map(wrapped, given), **{key: wrapped(one) for key, one in options.items()}), leaves

    @functools.wraps(method)
    def forward(self: Any, *given: Any, **options: Any) -> Any:
        before = clone(vars(self), {})
        out, _ = run(self, given, options)

        # A graph is gone back once, and its closures hold the objects of this pass: each way back makes its own.
        def back(again: Any, dout: Any) -> Any:
            vars(again).update(clone(before, {}))
            fresh, leaves = run(again, given, options)
            pull(tensor, fresh, dout)
            return numbers_of(leaves[0].grad)

        vars(self)[_WAY] = back
        return numbers_of(out)

    def backward(self: Any, dout: Any) -> Any:
        return vars(self)[_WAY](self, dout)

    passes: dict[str, Callable[..., Any]] = {name: forward, "backward": backward}
    return _made(kind, **passes)
