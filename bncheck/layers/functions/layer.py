"""A forward and a backward function of the user's, in NumPy, as a layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.errors import NotImplementedByLayer
from bncheck.layers.functions import binding as by
from bncheck.layers.functions import naming
from bncheck.layers.functions.answering import Answering
from bncheck.layers.functions.binding import Binding, Values
from bncheck.layers.functions.excuses import called
from bncheck.layers.functions.kept import Held, Home, Keeper, placed, places
from bncheck.layers.functions.layouts import ROWS, Layout
from bncheck.layers.functions.pairs import Pair
from bncheck.layers.functions.results import array_in, flat, listed, told, unstacked, with_written
from bncheck.layers.functions.source import Source
from bncheck.layers.isolation import Unrunnable
from bncheck.layers.protocol import Call, Spelled, Traits
from bncheck.vocabulary import Mode


class State(NamedTuple):
    """What goes on from pass to pass: dicts of settings as the function left them, and running statistics."""

    dicts: dict[str, dict[str, Any]]
    running: Statistics | None
    held: Held


@dataclass
class FunctionPass:
    layer: FunctionLayer
    call: Call
    values: Values
    passed: Values
    items: by.Items
    held: Held
    """What the functions keep outside of their arguments, after the pass."""
    result: Any = None
    """As the function returned it."""
    dout: tuple[Array, Array] | None = None
    stepped: Array | None = None
    """gamma as the last backward pass left it, where it wrote into it."""
    normalized: Array | None = None
    """What functions without gamma and beta returned, before they were applied to it."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """Of dx, dgamma and dbeta, as the last backward pass returned them."""

    @functools.cached_property
    def out(self) -> Array:
        found = self.layer.find_out(self.items, self.values["x"].shape)
        if found is None:
            raise NotImplementedByLayer(f"{self.layer.name}: the forward pass returns {told(self.items)}")
        rows = self.layer.rows(found, self.call.x.shape)
        if not self.layer.bare or rows.shape != self.call.x.shape:
            return rows
        self.normalized = rows
        return np.asarray(self.call.gamma * rows + self.call.beta)

    @property
    def state(self) -> State:
        dicts = {key: value for key, value in self.passed.items() if isinstance(value, dict)}
        return State(dicts, self.running(), self.held)

    def running(self) -> Statistics | None:
        found = [self._statistic(role) for role in naming.START]
        mean, var = (None if one is None else vector(one, self.call.x.shape[1]) for one in found)
        return None if mean is None or var is None else Statistics(mean, var)

    def _statistic(self, role: str) -> Any:
        taken = role in self.layer.binding.named
        ours = [(name, item) for name, item in self.items if naming.role_of(name) == role and item is not None]
        # The batch's own is for the caller to average, unless it goes in under that name too.
        ours = [(name, item) for name, item in ours if name in self.passed or not naming.is_of_batch(name)]
        ours.sort(key=lambda one: not naming.is_kept(one[0]))
        if taken and ours:
            return ours[0][1]
        answered = [one for made in self.passed.values() if isinstance(made, Answering) for one in made.entries()]
        if kept := [value for said, value in answered if said == role]:
            return kept[-1]
        dicts = [value for value in self.passed.values() if isinstance(value, dict)]
        returned = [(name, item) for name, item in self.items if isinstance(item, dict)]
        # A dict of settings that comes back is newer than the one that went in; a cache may hold what was before.
        newer = [
            item for name, item in returned if naming.is_settings(name) or naming.plain(name) in naming.DICTS.split()
        ]
        for made in newer + dicts + [item for _, item in returned]:
            for key, value in sorted(made.items(), key=lambda one: not naming.is_kept(str(one[0]))):
                known = isinstance(key, str) and naming.role_of(key) == role
                if known and value is not None and (naming.is_kept(key) or any(made is one for one in newer + dicts)):
                    return value
        if taken and (packed := [one for name, one in self.packed() if naming.role_of(name) == role]):
            return packed[0]
        for slot in self.layer.binding.slots:
            value = self.passed.get(slot.name)
            if value is not None and role in (slot.role, *slot.parts):
                return value[slot.parts.index(role)] if slot.parts else value
        return dict(places(self.held)).get(self.layer.homes[role]) if role in self.layer.homes else None

    def packed(self) -> by.Items:
        """What says of itself that it lasts, of the tuples that are written out among the results."""
        made_of = self.layer.source.made_of(self.layer.pair.forward_name, len(self.items))
        pairs = [
            (names, item) for names, (_, item) in zip(made_of, self.items, strict=False) if type(item) in (tuple, list)
        ]
        laid = [one for names, item in pairs for one in zip(names, item, strict=False)]
        return [(name, one) for name, one in laid if naming.is_kept(name) and one is not None]

    @property
    def written(self) -> tuple[str, ...]:
        """The arguments that the functions have written into; running statistics are theirs to update."""
        found = []
        for role in ("x", "gamma", "beta"):
            original = getattr(self.call, role)
            inwards = self.layer.layout.inwards if role == "x" else self.layer.layout.parameter
            if not np.array_equal(self.values[role], inwards(original), equal_nan=True):
                found.append(role)
        if self.dout is not None and not np.array_equal(*self.dout, equal_nan=True):
            found.append("dout")
        return tuple(found)

    def kept(self) -> dict[str, Array]:
        from bncheck.layers.intermediates import kept_by_functions

        source, backward = self.layer.source, self.layer.pair.backward_name
        unpacked = [source.uses(backward, parameter).parts for parameter in source.parameters(backward)]
        return kept_by_functions(self.items, self.held, max(unpacked, key=len, default=()))

    def backward(self, dout: Array) -> Gradients:
        if self.normalized is None:
            return self.layer.gradients(self, self.returned(dout))
        # What comes after functions without gamma hands them dout * gamma.
        dx = self.layer.gradients(self, self.returned(dout * self.call.gamma)).dx
        return Gradients(dx, (dout * self.normalized).sum(axis=0), dout.sum(axis=0))

    def returned(self, dout: Array) -> Any:
        """What the backward function itself returns."""
        layer = self.layer
        if layer.pair.backward is None:
            raise NotImplementedByLayer(f"{layer.name} has no backward pass")
        given = layer.layout.inwards(dout)
        self.dout = given, given.copy()
        args, named = layer.plan(self, given)
        if self.call.settings.mode is Mode.TEST and any(one is None for one in (*args, *named.values())):
            raise NotImplementedByLayer(f"{layer.name}: test mode leaves nothing for a backward pass")
        copies: dict[int, Any] = {id(given): given}
        if not layer.repeats:
            args, named = _fresh((args, named), copies)
        result = self.run_backward(args, named)[1]
        new = copies.get(id(self.values["gamma"]))
        stepped = new is not None and not np.array_equal(new, self.values["gamma"], equal_nan=True)
        self.stepped = vector(new, self.call.x.shape[1]) if stepped else None
        return result

    def run_backward(self, args: list[Any], named: Values) -> tuple[Any, Any]:
        """What came back, as it is and with what was written into a dict instead."""
        layer = self.layer
        assert layer.pair.backward is not None
        with called(layer.pair.backward_name):
            layer.keeper.restore(self.held)
            dicts = [(one, dict(one)) for one in (*args, *named.values()) if isinstance(one, dict)]
            result = layer.pair.backward(*args, **named)
            return result, with_written(result, dicts)


def _fresh(arguments: tuple[list[Any], Values], copies: dict[int, Any]) -> tuple[list[Any], Values]:
    try:
        return deepcopy(arguments, copies)
    except Exception:  # a cache may hold what cannot be copied; then the second pass is as good as the first
        return arguments


def vector(value: Any, d: int) -> Array:
    """(1, D), (D, 1) and the like as (D,); what has another size stays as it is."""
    array = np.asarray(value)
    return array.reshape(d) if array.ndim and array.size == d == max(array.shape) else array


UNKNOWN = Traits()


@dataclass(frozen=True)
class FunctionLayer:
    name: str
    pair: Pair
    source: Source
    binding: Binding
    keeper: Keeper
    layout: Layout = ROWS
    plan: Callable[[FunctionPass, Array], tuple[list[Any], Values]] = field(default=lambda *_: ([], {}))
    order: tuple[int | None, ...] = (0, 1, 2)
    takes_share: bool = False
    """momentum is the share taken of the new, as in PyTorch."""
    repeats: bool = True
    """A second backward pass from one cache gives the same."""
    fixed: bool = False
    """Running statistics, once given, are what it normalizes by: giving them is its test mode."""
    inference: Binding | None = None
    forms: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of running statistics that are others than a parameter's."""
    bare: bool = False
    """They have no gamma and no beta, which are applied to what they return."""
    doubt: str = ""
    """Why it cannot be told that it is called as it is meant to be."""
    homes: dict[str, Home] = field(default_factory=dict)
    """Where running statistics are kept that are neither given nor returned."""
    traits: Traits = UNKNOWN

    def forward(self, call: Call, state: object = None) -> FunctionPass:
        if self.doubt:
            raise Unrunnable(self.doubt)
        state = state if isinstance(state, State) else State({}, None, self.keeper.start)
        values = self._values(call, state)
        test = self.inference is not None and call.settings.mode is Mode.TEST
        binding = self.inference if test and self.inference else self.binding
        function = self.pair.inference if test else self.pair.forward
        args, named, passed = binding.arguments(values)
        with called(self.pair.inference_name if test else self.pair.forward_name, binding):
            assert function is not None
            self.keeper.restore(self._start(call, state))
            result = function(*args, **named)
        made = FunctionPass(self, call, values, passed, self._items(result), self.keeper.held(), result)
        _ = made.out
        return made

    def _start(self, call: Call, state: State) -> Held:
        """What the globals hold before the pass: what the last one left, with the running statistics asked for."""
        held = state.held
        for role, home in self.homes.items() if call.running else ():
            held = placed(held, home, self.layout.parameter(getattr(call.running, role)))
        return held

    def _values(self, call: Call, state: State) -> Values:
        settings, parameter = call.settings, self.layout.parameter
        test = settings.mode is Mode.TEST
        running = None if self.fixed and not test else call.running or state.running
        return {
            "x": self.layout.inwards(call.x),
            "gamma": parameter(call.gamma),
            "beta": parameter(call.beta),
            "eps": settings.eps,
            "momentum": 1 - settings.momentum if self.takes_share else settings.momentum,
            "mode": self.binding.words[test],
            "train": not test,
            "test": test,
            "mean": self._shaped("mean", running.mean) if running else None,
            "var": self._shaped("var", running.var) if running else None,
            "zeros": parameter(np.zeros_like(call.gamma)),
            "ones": parameter(np.ones_like(call.gamma)),
            "none": None,
            "left": True,
            "rows": len(call.x),
            "columns": call.x.shape[1],
            "one": 1,
            "label": "",
            "index": 0,
            "state": {key: {k: deepcopy(v) for k, v in made.items()} for key, made in state.dicts.items()},
        }

    def _shaped(self, role: str, value: Array) -> Array:
        return value.reshape(self.forms[role]) if role in self.forms else self.layout.parameter(value)

    def _items(self, result: Any) -> by.Items:
        if isinstance(result, dict):
            return list(result.items())
        results = list(result) if isinstance(result, tuple | list) and listed(result) is None else [result]
        return list(zip(self._names(self.pair.forward_name, len(results)), results, strict=True))

    @functools.cached_property
    def _names(self) -> Callable[[str, int], list[str]]:
        return functools.lru_cache(self.source.returned)

    def find_out(self, items: by.Items, shape: tuple[int, ...]) -> Any:
        fits = [(name, item) for name, item in items if (made := array_in(item)) is not None and made.shape == shape]
        fits.sort(key=lambda one: (naming.plain(one[0]) not in naming.OUTS.split(), isinstance(one[1], list)))
        arrays = [item for _, item in items if isinstance(item, np.ndarray | np.number)]
        return fits[0][1] if fits else next(iter(arrays), None)

    def rows(self, found: Any, shape: tuple[int, ...]) -> Array:
        """Back to (N, M), unless the shape is none that could be brought there."""
        array = np.asarray(found)
        expected = self.layout.inwards(np.empty(shape, bool)).shape if self.layout.name else shape
        return self.layout.outwards(array, shape[0]) if array.shape == expected else array

    def results(self, result: Any) -> by.Items:
        """What a backward pass returned, by name."""
        name = self.pair.backward_name
        result = unstacked(result, lambda count: self.source.made_of(name, count))
        return flat(result, lambda count: self._names(name, count))

    def gradients(self, made: FunctionPass, result: Any) -> Gradients:
        items = self.results(result)
        found: list[Any] = [items[i][1] if i is not None and i < len(items) else None for i in self.order]
        if self.bare and found[0] is not None:
            found[1:] = made.call.gamma, made.call.beta  # in their place, for whoever applied them to know
        missing = [name for name, one in zip(Gradients._fields, found, strict=True) if one is None]
        if missing:
            raise NotImplementedByLayer(f"{self.pair.backward_name} returns no {', '.join(missing)}")
        made.shapes = tuple(np.shape(one) for one in found)
        d = made.call.x.shape[1]
        return Gradients(self.rows(found[0], made.call.x.shape), vector(found[1], d), vector(found[2], d))

    def spelled(self, calls: tuple[Call, ...], dout: Array | None) -> Spelled:
        from bncheck.layers.functions.spelling import spell

        return spell(self, calls, dout)
