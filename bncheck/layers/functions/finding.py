"""Finding the function pairs of a file, and finding out by trial how each of them is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.functions import binding as by
from bncheck.layers.functions import naming
from bncheck.layers.functions.blame import Failure, is_its_own
from bncheck.layers.functions.kept import Keeper
from bncheck.layers.functions.layer import FunctionLayer, FunctionPass
from bncheck.layers.functions.layouts import FLAT, IMAGES, Layout
from bncheck.layers.functions.own_tensors import over_arrays, tensor_in
from bncheck.layers.functions.pairs import Pair, pairs
from bncheck.layers.functions.plans import cache_of, plans
from bncheck.layers.functions.results import over_lists
from bncheck.layers.functions.source import Source
from bncheck.layers.functions.traits import sample, traits_of, with_conventions
from bncheck.layers.isolation import raised_here
from bncheck.layers.isolation import reached as line_reached
from bncheck.layers.protocol import Call

_NEAR = 0.999
RAISED, OUT_FAILED, DOUBTFUL, BACKWARD_RAISED, SHAPES_WRONG, WORKS = range(6)


def find(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None = None) -> list[FunctionLayer]:
    """The layers that are made of functions; those in which ``wanted`` takes part, if it is given."""
    source = Source(tree)
    return [_settled(pair, source, PurePath(path).name) for pair in pairs(names, source, wanted)]


def _settled(pair: Pair, source: Source, file: str) -> FunctionLayer:
    if pair.surmised:
        best, reached = _best(pair, source, file)
        # What is no more than likely to be its backward pass is never blamed for failing.
        alone = pair._replace(backward_name="", backward=None, parts=(), surmised=False)
        works = reached == WORKS and _is_near(best)
        return _settled(pair._replace(surmised=False, unchecked=()) if works else alone, source, file)
    best, reached = _best(_of_lists(pair) if source.is_of_lists else pair, source, file)
    if source.is_of_lists and reached < WORKS:
        other, further = _best(pair, source, file)
        best, reached = (other, further) if further > reached else (best, reached)
    if reached == RAISED and (tensor := tensor_in(getattr(pair.forward, "__globals__", {}))):
        other, further = _best(over_arrays(pair, tensor), source, file)
        best, reached = (other, further) if further > reached else (best, reached)
    if reached == DOUBTFUL:
        said = f"{pair.forward_name} asks for {', '.join(best.binding.guessed)}, and what that is cannot be told"
        return replace(best, doubt=f"{said}: what it returns is not normalized", traits=traits_of(best, file, False))
    if reached == WORKS and best.pair.backward is None and (way := _way_back(best)):
        other, further = _best(best.pair._replace(backward_name=way, backward=_called), source, file)
        best = other if further > BACKWARD_RAISED else best
    if reached >= BACKWARD_RAISED:
        best = with_conventions(best)
    return replace(best, traits=traits_of(best, file, reached >= BACKWARD_RAISED))


def _is_near(layer: FunctionLayer) -> bool:
    """Whether one of the three gradients at least is what it should be, but for a factor."""
    call = sample(*((24, 5) if layer.layout.name.startswith("(") else (5, 3)))
    dout = np.cos(1 + np.arange(call.x.size)).reshape(call.x.shape)
    try:
        found = layer.forward(call).backward(dout)
    except LayerRaised:
        return False
    right = batchnorm.backward(dout, call.x, call.gamma, call.settings.eps)
    return any(abs(_cosine(one, other)) > _NEAR for one, other in zip(found, right, strict=True))


def _cosine(one: Array, other: Array) -> float:
    a, b = np.ravel(one), np.ravel(other)
    return float(a @ b / np.sqrt((a @ a) * (b @ b))) if a.any() else 0.0


def _way_back(layer: FunctionLayer) -> str:
    """The name of a function that the forward pass returns, which is to be given dout."""
    made = layer.forward(sample(*((24, 5) if layer.layout.name.startswith("(") else (5, 3))))
    return next((name or "backward" for name, item in made.items if isinstance(item, FunctionType)), "")


def _called(dout: Array, way: Any) -> Any:
    return way(dout)


def _of_lists(pair: Pair) -> Pair:
    forward, backward, inference = (one and over_lists(one) for one in (pair.forward, pair.backward, pair.inference))
    assert forward is not None
    return pair._replace(forward=forward, backward=backward, inference=inference)


def _best(pair: Pair, source: Source, file: str) -> tuple[FunctionLayer, int]:
    """The way of calling it that gets furthest, and how far that is."""
    best, reached, failed = None, (-1, 0), list[Failure]()
    for candidate in _candidates(pair, source, f"{file}:{pair.name}"):
        score, layer, cause = _tried(candidate)
        failed += [Failure(layer, cause)] if cause else []
        # Where the likeliest reading of its arguments raises, it says most at the latest line that it comes to.
        is_likeliest = best is None or candidate.binding.slots == best.binding.slots
        further = score, line_reached(cause) if cause and is_likeliest else 0
        if further > reached:
            best, reached = layer, further
        if score == WORKS:
            break
    assert best is not None
    if reached[0] == RAISED and best.binding.guessed and is_its_own(best, failed):
        best = replace(best, binding=best.binding._replace(guessed=()))
    return best, reached[0]


def _candidates(pair: Pair, source: Source, name: str) -> Iterator[FunctionLayer]:
    keeper = Keeper(source, pair.functions)
    layouts: tuple[Layout, ...] = IMAGES + FLAT if pair.image else FLAT + IMAGES
    if not pair.image and source.has_table_branch(pair.forward_name) and _fails_itself(pair, source, keeper, name):
        layouts = FLAT
    bindings = by.bindings(pair.forward, pair.forward_name, source)
    inference = pair.inference and by.bindings(pair.inference, pair.inference_name, source)[0]
    for bare in (True, False) if _is_without_parameters(pair, source, bindings[0].named) else (False,):
        for layout in layouts:
            for binding in bindings:
                yield FunctionLayer(name, pair, source, binding, keeper, layout, inference=inference, bare=bare)


def _is_without_parameters(pair: Pair, source: Source, named: frozenset[str]) -> bool:
    back = by.signature(pair.backward, pair.backward_name, source) if pair.backward else []
    # A single letter stands for anything, and a g for a gradient before all.
    asked = {naming.role_of(one.name) for one in back if len(one.name) > 1}
    return not {"gamma", "beta"} & {*named, *asked}


def _fails_itself(pair: Pair, source: Source, keeper: Keeper, name: str) -> bool:
    """Whether a table, for which the code has a branch, makes it fail in earnest and not by a raise of its own."""
    causes = list[BaseException | None]()
    for layout in FLAT:
        for binding in by.bindings(pair.forward, pair.forward_name, source):
            try:
                FunctionLayer(name, pair, source, binding, keeper, layout).forward(sample())
            except LayerRaised as error:
                causes.append(error.__cause__)
            else:
                return False
    return all(isinstance(cause, ValueError | IndexError) and not raised_here(cause) for cause in causes)


def _tried(layer: FunctionLayer) -> tuple[int, FunctionLayer, BaseException | None]:
    """How far it gets, the layer with what was found out, and what it raised in its forward pass."""
    # Images need a batch that comes apart into three sides; tables one of which no side is equal to another.
    call = sample(*((24, 5) if layer.layout.name.startswith("(") else (5, 3)))
    try:
        made = layer.forward(call)
    except NotImplementedByLayer:
        return OUT_FAILED, _planned(layer), None
    except LayerRaised as error:
        return RAISED, layer, error.__cause__
    if made.out.shape != call.x.shape or (layer.bare and not _is_centred(made)):
        return OUT_FAILED, _planned(layer), None
    if layer.binding.guessed and not _is_centred(made):
        return DOUBTFUL, layer, None
    if layer.pair.backward is None:
        return WORKS, layer, None
    best, reached = layer, -1
    for plan in plans(made):
        score, candidate = _tried_back(replace(layer, plan=plan), call)
        if score > reached:
            best, reached = candidate, score
    return reached, best, None


def _is_centred(made: FunctionPass) -> bool:
    """What normalizes a batch, rightly or wrongly, leaves beta as the mean of a column."""
    call = made.call
    return bool(np.all(np.abs(made.out.mean(axis=0) - call.beta) < 0.1 * np.abs(call.gamma)))


def _planned(layer: FunctionLayer) -> FunctionLayer:
    return replace(layer, plan=lambda made, dout: ([dout, cache_of(made)], {}))


def _tried_back(layer: FunctionLayer, call: Call) -> tuple[int, FunctionLayer]:
    dout = np.cos(1 + np.arange(call.x.size)).reshape(call.x.shape)
    try:
        made = layer.forward(call)
        result = made.returned(dout)
        if layer.bare and len(layer.results(result)) != 1:
            return OUT_FAILED, layer
        layer = replace(layer, order=_order(layer, call, dout, result))
        gradients = layer.gradients(made, result)
    except NotImplementedByLayer:
        return SHAPES_WRONG, layer
    except LayerRaised:
        return BACKWARD_RAISED, layer
    right = gradients.dx.shape == call.x.shape and gradients.dgamma.shape == gradients.dbeta.shape == call.gamma.shape
    return WORKS if right else SHAPES_WRONG, layer


# ---- the backward's results ----


def _order(layer: FunctionLayer, call: Call, dout: Array, result: Any) -> tuple[int | None, ...]:
    """Where dx, dgamma and dbeta stand: as the names say; where they say nothing, in this order."""
    names = [name for name, _ in layer.results(result)]
    items = [item for _, item in layer.results(result)]
    roles = list(map(naming.gradient_of, names))
    found: dict[str, int] = {role: roles.index(role) for role in ("x", "gamma", "beta") if role in roles}
    shape = layer.layout.inwards(call.x).shape
    free = [i for i in range(len(items)) if i not in found.values()]
    if "x" not in found and free:
        found["x"] = next((i for i in free if np.shape(items[i]) == shape), free[0])
        free.remove(found["x"])
    unnamed = not {"gamma", "beta"} & found.keys()
    for role in ("gamma", "beta"):
        if role not in found and free:
            found[role] = free.pop(0)
    if unnamed and {"gamma", "beta"} <= found.keys() and _is_swapped(call, dout, items, found):
        found["gamma"], found["beta"] = found["beta"], found["gamma"]
    return tuple(found.get(role) for role in ("x", "gamma", "beta"))


def _is_swapped(call: Call, dout: Array, items: list[Any], found: dict[str, int]) -> bool:
    """Without names an order is a convention, whichever it is."""
    right = batchnorm.backward(dout, call.x, call.gamma, call.settings.eps)
    pairs = ((items[found["gamma"]], right.dbeta), (items[found["beta"]], right.dgamma))
    return all(np.size(one) == len(other) and np.allclose(np.ravel(one), other, 1e-3) for one, other in pairs)
