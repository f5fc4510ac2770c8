"""Where the backward pass of a class leaves its gradients, found by trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.errors import LayerRaised
from bncheck.layers.classes import afterwards
from bncheck.layers.classes.guesses import guessed_gradients, guessed_rates, unnamed_gradients, written_rate
from bncheck.layers.classes.instances import Slot, find_slots, is_number_of, leaves, pattern_of
from bncheck.layers.classes.layer import ClassPass
from bncheck.layers.classes.layouts import COLUMNS
from bncheck.layers.classes.passes import inner_of
from bncheck.layers.classes.plan import Plan
from bncheck.layers.classes.traits import D
from bncheck.layers.conventions import meaning


def is_own(kind: type, gradient: Slot, parameter: Slot | None) -> bool:
    """Whether a gradient bears its parameter's name, as it has to where dW and db are a dense layer's."""
    if parameter is None or not inner_of(kind, "forward"):
        return True
    ranks = [found.rank if (found := meaning(slot.paths[0])) else None for slot in (gradient, parameter)]
    return ranks[0] == ranks[1]


def with_gradients(made: ClassPass, before: Any) -> Plan:
    plan = made.plan
    dout = np.random.default_rng(8).normal(size=made.call.x.shape)
    try:
        found, result = made.run_backward(dout)
    except LayerRaised:
        turn = plan.recipe.layout == COLUMNS and not plan.turned
        return _turned(made, before) if turn else plan
    later = find_slots(before, found.instance, D)
    named = {role: later[role] for role in ("dgamma", "dbeta") if role in later}
    named = {role: slot for role, slot in named.items() if is_own(plan.recipe.kind, slot, plan.slots.get(role[1:]))}
    grown = {
        role: _grown(plan, role, made.instance, found.instance) for role in ("gamma", "beta") if role in plan.slots
    }
    slots = plan.slots | grown | guessed_gradients(plan, found.instance) | named
    plan = replace(plan, slots=slots)
    found = replace(found, plan=plan)
    if found.parts(result).get("dgamma") is not None or "gamma" not in slots:
        return plan
    stepped = not np.array_equal(found.old["gamma"], slots["gamma"].read(found.instance))
    made = replace(made, plan=plan)
    if not stepped and (way := _shown_by(made, dout)):
        return replace(plan, shows=way)
    if not stepped and (unnamed := unnamed_gradients(made, found.instance, dout)):
        return replace(plan, slots=slots | unnamed)
    rates = [path for path, value in leaves(before) if is_number_of(path, value, "lr")]
    if stepped and not rates and not plan.backward_arguments.has("lr"):
        rates = guessed_rates(made, dout)
        fixed = None if rates or "beta" not in slots else written_rate(made, dout)
        plan = replace(plan, rate=fixed or (plan.rate if rates else 1.0))
    return replace(plan, steps=stepped, rates=tuple(rates))


def _shown_by(made: ClassPass, dout: Array) -> str:
    """The first method after the backward pass that shows both gradients, and twice as much of twice the dout."""
    for way in afterwards.ways(made.plan):
        asked = replace(made, plan=replace(made.plan, shows=way))
        once, twice = (found.parts(result) for found, result in map(asked.run_backward, (dout, 2 * dout)))
        pairs = [(once.get(role), twice.get(role)) for role in ("dgamma", "dbeta")]
        if all(one is not None and _is_twice(two, one) for one, two in pairs):
            return way
    return ""


def _grown(plan: Plan, role: str, before: Any, later: Any) -> Slot:
    """A parameter that starts as a number becomes as many as there are columns, in the shape that a step gives it."""
    slot = plan.slots[role]
    grown = pattern_of(slot.read(later), D) if np.size(slot.read(before)) == 1 else None
    return slot if grown is None else slot._replace(pattern=grown)


def _turned(made: ClassPass, before: Any) -> Plan:
    """The backward pass may take a row for a sample where the forward takes a column."""
    turned = replace(made, plan=replace(made.plan, turned=True))
    return with_gradients(turned, before) if goes_back(turned) else made.plan


def goes_back(made: ClassPass) -> bool:
    try:
        made.run_backward(np.ones_like(made.call.x))
    except LayerRaised:
        return False
    return True


def _is_twice(two: Any, one: Any) -> bool:
    if one is None or two is None or not np.any(one):
        return False
    return np.allclose(2 * np.asarray(one), two, rtol=1e-6)
