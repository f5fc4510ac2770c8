"""What the parts of a class are for whose names say nothing: they are changed, and the output is looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.errors import LayerRaised
from bncheck.layers.classes.handed import read_by
from bncheck.layers.classes.instances import Slot, attributes, clone, leaves, pattern_of, put
from bncheck.layers.classes.layer import ClassLayer, ClassPass
from bncheck.layers.classes.methods import NO_SWITCH, Switch, parameters_of, required
from bncheck.layers.classes.passes import inner_of, method_names
from bncheck.layers.classes.plan import Plan
from bncheck.layers.conventions import PREFIXES, SUFFIXES, Path, flat
from bncheck.layers.protocol import Call, Traits
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode


def guessed_slots(plan: Plan, fresh: Any, trained: Any, x: Array) -> dict[str, Slot]:
    """gamma, beta, mean and var, as far as ``plan`` lacks them; statistics may appear in the first training step."""
    found: dict[str, Slot] = {}
    parameters, statistics = ("gamma", "beta", Mode.TRAIN), ("var", "mean", Mode.TEST)
    for instance, (scale, shift, mode) in ((fresh, parameters), (fresh, statistics), (trained, statistics)):
        missing = [role for role in (scale, shift) if role not in plan.slots and not plan.forward_arguments.has(role)]
        if not missing or (mode is Mode.TEST and plan.switch.kind == "none"):
            continue
        for path, moved in _effects(replace(plan, slots=plan.slots | found), instance, x, mode):
            role = shift if np.allclose(moved, moved[0]) else scale
            if role in missing and role not in found:
                found[role] = Slot((path,), pattern_of(dict(leaves(instance))[path], x.shape[1]))
    return found


def _effects(plan: Plan, instance: Any, x: Array, mode: Mode) -> Iterator[tuple[Path, Array]]:
    """How the output moves with each array of D numbers that has no name that we know."""
    taken = {path for slot in plan.slots.values() for path in slot.paths}
    usual = _out(plan, instance, x, mode)
    for path, value in leaves(instance):
        if usual is None or path in taken or pattern_of(value, x.shape[1]) is None:
            continue
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            continue
        changed = clone(instance, {})
        put(changed, path, value * 2 + 1)
        out = _out(plan, changed, x, mode)
        if out is not None and out.shape == usual.shape and not np.array_equal(out, usual):
            yield path, out - usual


def guessed_switch(plan: Plan, fresh: Any, x: Array) -> Switch:
    """A flag that a condition asks for, or a method, under whatever name, that makes of it what a test mode is.

    Set one way, what comes out for a row depends on the other rows; the other way it does not, and goes by what
    training has kept.
    """
    if plan.switch.kind != "none":
        turned = plan.switch._replace(train=plan.switch.test, test=plan.switch.train)
        return turned if _is_test_mode(replace(plan, switch=turned), fresh, x) else plan.switch
    for name, value in sorted(attributes(fresh).items()):
        if name not in plan.recipe.text.tested or not isinstance(value, bool):
            continue
        for train in (value, not value):
            switch = Switch("attribute", name, train, not train)
            if _is_test_mode(replace(plan, switch=switch), fresh, x):
                return switch
    pairs = (Switch("pair", plan.forward, plan.forward, name) for name in _beside(plan))
    return next((pair for pair in pairs if _is_test_mode(replace(plan, switch=pair), fresh, x)), NO_SWITCH)


def _beside(plan: Plan) -> Iterator[str]:
    """The methods that take an array and reach a result by what they do not set: a test pass, under whatever name."""
    kind, text = plan.recipe.kind, plan.recipe.text
    for name in () if inner_of(kind, "forward") else method_names(kind):
        if name in (plan.forward, plan.backward) or name.startswith("__") or name not in text.functions:
            continue
        wanted = [p for p in parameters_of(kind, name, text) if p.name != "self"]
        if len([p for p in wanted if required(p)]) == 1 and read_by(text.functions, name):
            yield name


def _is_test_mode(plan: Plan, fresh: Any, x: Array) -> bool:
    other = x.copy()
    other[1:] = 2 * other[1:] + 1
    try:
        call = Call(x, np.ones(x.shape[1]), np.zeros(x.shape[1]), None, LayerSettings())
        trained = ClassLayer("", replace(plan, slots={}), Traits()).forward(call, fresh)
    except LayerRaised:
        return False
    alone, beside = (_out(plan, trained.instance, rows, Mode.TEST) for rows in (x, other))
    before, moved = _out(plan, fresh, x, Mode.TEST), _out(plan, fresh, other, Mode.TRAIN)
    outs = (trained.out, alone, beside, before, moved)
    if any(out is None or out.shape != x.shape for out in outs):
        return False
    first, same, kept, start, mixed = (np.asarray(out)[0] for out in outs)
    return np.array_equal(same, kept) and not np.array_equal(same, start) and not np.array_equal(first, mixed)


def _out(plan: Plan, instance: Any, x: Array, mode: Mode) -> Array | None:
    ones = np.ones(x.shape[1])
    bare = ClassLayer("", replace(plan, slots={}), Traits())
    try:
        return bare.forward(Call(x, ones, 0 * ones, None, LayerSettings(mode)), instance).out
    except LayerRaised:
        return None


def guessed_gradients(plan: Plan, later: Any) -> dict[str, Slot]:
    """dka for ka: an array named after a parameter whose name says nothing."""
    found: dict[str, Slot] = {}
    for role in ("gamma", "beta"):
        if role not in plan.slots:
            continue
        name = flat(str(plan.slots[role].paths[0][-1][1]))
        names = {prefix + name for prefix in PREFIXES} | {name + suffix for suffix in SUFFIXES}
        for path, value in leaves(later):
            if flat(str(path[-1][1])) in names and isinstance(value, np.ndarray):
                found.setdefault("d" + role, Slot((path,), None))
    return found


def unnamed_gradients(made: ClassPass, later: Any, dout: Array) -> dict[str, Slot]:
    """Where the backward pass leaves two arrays of D numbers under names that say nothing, one of them sum(dout)."""
    m = dout.shape[1]
    before: dict[Path, Any] = dict(leaves(made.instance))
    left = [
        (path, np.ravel(value))
        for path, value in leaves(later)
        if isinstance(value, np.ndarray) and pattern_of(value, m) and not np.array_equal(value, before.get(path, ()))
    ]
    summed = [path for path, value in left if np.allclose(value, dout.sum(axis=0), rtol=1e-9)]
    others = [path for path, _ in left if path not in summed]
    if len(summed) != 1 or len(others) != 1:
        return {}
    return {"dgamma": Slot((others[0],), None), "dbeta": Slot((summed[0],), None)}


def guessed_rates(made: ClassPass, dout: Array) -> list[Path]:
    """The number by which the step of a backward pass grows, whatever it is called."""
    usual = _step(made, dout)
    for path, value in leaves(made.instance):
        if usual is None or not isinstance(value, float) or not value:
            continue
        changed = clone(made.instance, {})
        put(changed, path, 2 * value)
        step = _step(replace(made, instance=changed), dout)
        if step is not None and np.allclose(step, 2 * usual, rtol=1e-6):
            return [path]
    return []


def written_rate(made: ClassPass, dout: Array) -> float | None:
    """The number in the code by which beta steps against the sum of dout."""
    beta = replace(made, plan=replace(made.plan, slots={"beta": made.plan.slots["beta"]}))
    step = _step(beta, dout)
    if step is None or step.shape != dout.shape[1:]:
        return None
    text, kind = made.plan.recipe.text, made.plan.recipe.kind
    numbers = [
        node.value for one in text.functions.values() for node in ast.walk(one) if isinstance(node, ast.Constant)
    ]
    numbers += [getattr(kind, name, None) for name in text.attributes]
    rates = [one for one in numbers if isinstance(one, float) and one] + _bare_rates(made.plan)
    return next((one for one in rates if np.allclose(step, one * dout.sum(axis=0), rtol=1e-9, atol=1e-12)), None)


def _bare_rates(plan: Plan) -> list[float]:
    """Of a step without a number: down by the gradient itself; up by it where the code adds a name to beta."""
    named = {path[-1][1] for path in plan.slots["beta"].paths}
    nodes = [node for one in plan.recipe.text.functions.values() for node in ast.walk(one)]
    sums: list[tuple[ast.expr, ast.operator, ast.expr]]
    sums = [(node.target, node.op, node.value) for node in nodes if isinstance(node, ast.AugAssign)]
    sums += [(node.left, node.op, node.right) for node in nodes if isinstance(node, ast.BinOp)]
    adds = any(
        isinstance(to, ast.Attribute)
        and to.attr in named
        and isinstance(op, ast.Add)
        and isinstance(what, ast.Name | ast.Attribute)
        for to, op, what in sums
    )
    return [1.0, -1.0] if adds else [1.0]


def _step(made: ClassPass, dout: Array) -> Array | None:
    slots = [slot for role, slot in made.plan.slots.items() if role in ("gamma", "beta")]
    try:
        found, _ = made.run_backward(dout)
    except LayerRaised:
        return None
    return np.ravel([np.ravel(slot.read(made.instance)) - np.ravel(slot.read(found.instance)) for slot in slots])
