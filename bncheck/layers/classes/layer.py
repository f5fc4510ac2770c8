"""A layer that is a class of the user's: its instances behind the protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.classes.excuses import running
from bncheck.layers.classes.gradients import Collected, attribute, kept_cache, prepare_backward
from bncheck.layers.classes.handed import hand
from bncheck.layers.classes.instances import NOWHERE, Slot, attributes, clone, is_number_of, leaves, put
from bncheck.layers.classes.layouts import from_layer, statistic, to_columns, to_layer
from bncheck.layers.classes.plan import RATE, Plan
from bncheck.layers.classes.recipes import Raw
from bncheck.layers.conventions import OUTPUTS
from bncheck.layers.isolation import guarded
from bncheck.layers.protocol import Call, Spelled, Traits
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

_TEMPLATES = 64


@dataclass
class ClassPass:
    plan: Plan
    call: Call
    instance: Any
    given: Array
    """The x that the layer was given, in its own layout."""
    out: Array
    cache: tuple[Any, ...]
    result: Any = None
    """As the method returned it."""
    written: tuple[str, ...] = ()
    """The arguments that the user's code wrote into."""
    normalized: Array | None = None
    """What a layer without gamma and beta returned, before they were applied to it."""

    @property
    def state(self) -> object:
        return self._stepped

    @cached_property
    def _stepped(self) -> Any:
        """The instance after the step that moves its statistics, which may take a backward pass too."""
        if not self.plan.backs or self.call.settings.mode is Mode.TEST:
            return self.instance
        return self.run_backward(np.ones_like(self.call.x))[0].instance

    def running(self) -> Statistics | None:
        slots, m = self.plan.slots, self.call.x.shape[1]
        if "mean" not in slots or "var" not in slots:
            return None
        mean, var = slots["mean"].read(self._stepped), slots["var"].read(self._stepped)
        if mean is None or var is None:
            return None
        layout = self.plan.recipe.layout
        return Statistics(statistic(mean, layout, m), statistic(var, layout, m))

    def kept(self) -> dict[str, Array]:
        from bncheck.layers.intermediates import arrays_in

        returned = self.result[1:] if isinstance(self.result, tuple) else ()
        return arrays_in(self.instance, "self") | arrays_in(returned, "returned")

    def backward(self, dout: Array) -> Gradients:
        # What comes after a layer without gamma hands it dout * gamma.
        found, result = self.run_backward(dout if self.normalized is None else dout * self.call.gamma)
        shape, layout = self.call.x.shape, self.plan.back_layout
        parts = found.parts(result)
        if self.normalized is not None:
            parts |= {"dgamma": (dout * self.normalized).sum(axis=0), "dbeta": dout.sum(axis=0)}
        missing = [role for role in Gradients._fields if parts.get(role) is None]
        if missing:
            said = f"hands out no {', '.join(missing)}" if len(missing) < 3 else "returns None"
            raise NotImplementedByLayer(f"{self.plan.name}.{self.plan.backward} {said}")
        dgamma, dbeta = (to_columns(parts[role], shape[1]) for role in ("dgamma", "dbeta"))
        return Gradients(from_layer(parts["dx"], layout, shape), dgamma, dbeta)

    def run_backward(self, dout: Array) -> tuple[Collected, Any]:
        """On a copy of the instance, so that it can be asked twice: what it then holds, and what was returned."""
        plan, call = self.plan, self.call
        if plan.backward is None:
            raise NotImplementedByLayer(f"{plan.name} has no backward")
        memo: dict[int, Any] = {}
        instance, cache = clone(self.instance, memo), clone(self.cache, memo)
        x = memo.get(id(self.given), self.given.copy())
        log = prepare_backward(plan, instance)
        held = {role: slot.read(instance) for role, slot in plan.slots.items() if role.endswith(("gamma", "beta"))}
        old = {role: clone(value, {}) for role, value in held.items()}
        given = to_layer(dout, plan.back_layout)
        before = given.copy()
        values = {"dout": given, "x": x, "cache": _unpacked(cache), "lr": RATE, "optimizer": log}
        values |= {"gamma": call.gamma.copy(), "beta": call.beta.copy(), "eps": call.settings.eps, "index": plan.index}
        grads = values["grads"] = dict[str, Any]()
        values |= {f"rest{i}": part for i, part in enumerate(cache)}
        values |= {"switch": plan.switch.train, "": plan.recipe.probe}
        with running(plan, plan.backward):
            hand(instance, plan.handed.dout, given, plan.name)
            result = plan.backward_arguments.call(getattr(instance, plan.backward), values, "dout")
        self.note_writes(("dout", before, given), ("x", self.given, x))
        return Collected(plan, instance, old, log, grads), result

    def note_writes(self, *compared: tuple[str, Array, Array]) -> None:
        new = [name for name, before, after in compared if not _same(before, after) and name not in self.written]
        self.written += tuple(new)


class ClassLayer:
    """What a class of the user's does, behind the protocol."""

    def __init__(self, name: str, plan: Plan, traits: Traits) -> None:
        self.name, self.plan, self.traits = name, plan, traits
        self._templates: dict[tuple[int, Raw], Any] = {}

    def with_plan(self, **changes: Any) -> ClassLayer:
        return ClassLayer(self.name, replace(self.plan, **changes), self.traits)

    def forward(self, call: Call, state: object = None) -> ClassPass:
        plan, settings = self.plan, call.settings
        memo: dict[int, Any] = {}
        instance = clone(self._template(call.x.shape[1], settings) if state is None else state, memo)
        if state is None and call.running is None:
            _cast_statistics(plan, instance, call.x.dtype)
        values = _set(plan, instance, call)
        before = attributes(instance)
        result = _run(plan, instance, values, settings.mode)
        first, *rest = result if isinstance(result, tuple) and result else (result,)
        out = from_layer(_output(plan, instance, first), plan.recipe.layout, call.x.shape)
        asked = plan.backward_arguments.has("cache") or plan.backward_arguments.has("rest0")
        cache = tuple(rest) or (kept_cache(before, instance) if asked else ())
        made = ClassPass(plan, call, instance, values["x"], out, cache, result)
        if plan.bare and out.shape == call.x.shape:
            made.out, made.normalized = call.gamma * out + call.beta, out
        made.note_writes(("x", to_layer(call.x, plan.recipe.layout), values["x"]), *_passed(plan, call, values))
        return made

    def spelled(self, calls: tuple[Call, ...], dout: Array | None) -> Spelled:
        from bncheck.layers.classes.spelling import spell

        return spell(self, calls, dout)

    def runs_as_made(self, mode: Mode) -> bool:
        """Whether its passes run where nothing in an instance has been set: what then fails is ours."""
        x = np.random.default_rng(5).normal(size=(24, 5))
        plain = self.with_plan(slots={}, warm=False)
        try:
            made = plain.forward(Call(x, np.ones(5), np.zeros(5), None, LayerSettings(mode)))
            if self.traits.has_backward and mode is Mode.TRAIN:
                made.run_backward(x[::-1].copy())
        except LayerRaised:
            return False
        return bool(self.plan.slots)

    def _template(self, d: int, settings: LayerSettings) -> Any:
        key = d, self.plan.raw(settings)
        if key not in self._templates:
            if len(self._templates) >= _TEMPLATES:
                self._templates.clear()
            self._templates[key] = self._make(d, settings)
        return self._templates[key]

    def _make(self, d: int, settings: LayerSettings) -> Any:
        plan = self.plan
        with running(plan, ""):
            instance = plan.recipe.make(d, plan.raw(settings))
        return _warmed(plan, instance, d, settings) if plan.warm else instance


def _warmed(plan: Plan, instance: Any, d: int, settings: LayerSettings) -> Any:
    """After a first pass that leaves the statistics where they start: in test mode, or keeping all of them."""
    x = np.linspace(-1.0, 1.0, 8 * d).reshape(8, d) ** 3
    kept = 0.0 if plan.takes_share else 1.0
    values = {"x": to_layer(x, plan.recipe.layout), "eps": settings.eps, "momentum": kept, "index": plan.index}
    if plan.switch.kind != "none":
        trial = clone(instance, {})
        try:
            _run(plan, trial, values, Mode.TEST)
        except LayerRaised:
            trial = None
        if trial is not None:
            return trial
    held = [(path, value) for path, value in leaves(instance) if is_number_of(path, value, "momentum")]
    for path, _ in held:
        put(instance, path, values["momentum"])
    _run(plan, instance, values, Mode.TRAIN)
    for path, value in held:
        put(instance, path, value)
    return instance


def _set(plan: Plan, instance: Any, call: Call) -> dict[str, Any]:
    """Sets everything that lives in the instance; returns what is given to the forward method."""
    slots, settings = plan.slots, call.settings
    with guarded(plan.name):
        for role, value in (("gamma", call.gamma), ("beta", call.beta)):
            if role in slots:
                slots[role].write(instance, value.copy())
        if call.running is not None and "mean" in slots and "var" in slots:
            _start(slots["mean"], instance, call.running.mean)
            _start(slots["var"], instance, call.running.var)
    numbers = {"eps": settings.eps, "momentum": plan.momentum(settings)}
    for role, number in numbers.items():
        if role in slots:
            _put(instance, slots[role], number)
    given = {"x": to_layer(call.x, plan.recipe.layout), "gamma": call.gamma.copy(), "beta": call.beta.copy()}
    return given | numbers | {"index": plan.index, "": plan.recipe.probe}


def _start(slot: Slot, instance: Any, values: Array) -> None:
    if slot.pattern is not None:
        slot.write(instance, values.copy())


def _put(instance: Any, slot: Slot, number: float) -> None:
    for path in slot.paths:
        try:
            put(instance, path, number)
        except NOWHERE:
            continue


def _run(plan: Plan, instance: Any, values: dict[str, Any], mode: Mode) -> Any:
    switch, training = plan.switch, mode is Mode.TRAIN
    setting = switch.train if training else switch.test
    name = setting if switch.kind == "pair" else plan.forward
    with running(plan, name):
        if switch.kind == "attribute":
            setattr(instance, switch.name, setting)
        elif switch.kind == "answer":
            setattr(instance, switch.name, lambda: setting)
        elif switch.kind == "entry":
            put(instance, switch.path, setting)
        elif switch.kind == "methods" and setting:
            getattr(instance, setting)()
        if switch.kind == "pair" and not training:
            return getattr(instance, name)(values["x"])
        hand(instance, plan.handed.x, values["x"], plan.name)
        return plan.forward_arguments.call(getattr(instance, name), values | {"switch": setting}, "x")


def _output(plan: Plan, instance: Any, result: Any) -> Any:
    """Some keep it in an attribute and return nothing."""
    found = attribute(instance, OUTPUTS) if result is None else result
    if found is None:
        raise NotImplementedByLayer(f"{plan.name}.{plan.forward} returns None")
    return found


def _cast_statistics(plan: Plan, instance: Any, dtype: np.dtype[Any]) -> None:
    """What a constructor made in double precision must not widen a pass in single."""
    for role in ("mean", "var"):
        value = plan.slots[role].read(instance) if role in plan.slots else None
        if isinstance(value, np.ndarray) and value.dtype != dtype:
            for path in plan.slots[role].paths:
                put(instance, path, value.astype(dtype))


def _passed(plan: Plan, call: Call, values: dict[str, Any]) -> list[tuple[str, Array, Array]]:
    asked = (("gamma", call.gamma), ("beta", call.beta))
    return [(role, value, values[role]) for role, value in asked if plan.forward_arguments.has(role)]


def _same(before: Array, after: Array) -> bool:
    return np.array_equal(before, after) or np.array_equal(before, after, equal_nan=True)


def _unpacked(cache: tuple[Any, ...]) -> Any:
    return cache[0] if len(cache) == 1 else cache
