"""Finds the classes of a user's file that are layers, and recognises by trial how each is used."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.errors import LayerRaised
from bncheck.layers.classes import handed, methods
from bncheck.layers.classes.carried import carried, wrapped
from bncheck.layers.classes.guesses import (
    guessed_slots,
    guessed_switch,
)
from bncheck.layers.classes.handed import Handed
from bncheck.layers.classes.instances import Slot, find_slots, index_of
from bncheck.layers.classes.layer import ClassLayer, ClassPass
from bncheck.layers.classes.layouts import GAMMAS, LAYOUTS, ROWS, places_of
from bncheck.layers.classes.methods import NO_SWITCH
from bncheck.layers.classes.passes import backward_of, forward_of, inner_of
from bncheck.layers.classes.plan import Plan
from bncheck.layers.classes.recipes import Raw, Recipe
from bncheck.layers.classes.searching import goes_back, is_own, with_gradients
from bncheck.layers.classes.text import ClassText, read_text
from bncheck.layers.classes.traits import D, batch, settle
from bncheck.layers.conventions import PLAIN_RANK, meaning, role_of
from bncheck.layers.isolation import Unrunnable, guarded, quiet, reached
from bncheck.layers.protocol import Call, Traits
from bncheck.layers.titles import is_exactly_layer, says_batch, speaks_of_layer
from bncheck.layers.untouched import Untouched
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

_FRAMEWORKS = ("torch", "jax", "flax", "equinox", "tensorflow", "keras", "unittest", "haiku", "mxnet", "chainer")
_ALIKE = 0.9999
_CLOSE = 1e-9


def find(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None) -> list[ClassLayer]:
    """The layers among the classes of a file, in source order; ``wanted`` picks one by name."""
    kinds = {name: value for name, value in names.items() if isinstance(value, type) and _is_open(value, tree)}
    if wanted is not None:
        chosen = [kinds[wanted]] if wanted in kinds and forward_of(kinds[wanted]) else []
    else:
        candidates = _candidates(kinds)
        chosen = [kind for kind in candidates if not _is_made_of(kind, candidates, tree)]
    tried = [(kind, _recognised(kind, tree, Path(path).name)) for kind in chosen]
    if wanted is None:
        tried = [(kind, found) for kind, found in tried if says_batch(kind.__name__) or not _is_of_rows(found)]
    good = [(kind, found) for kind, found in tried if found.works]
    if wanted is None and good:
        tried = [(kind, found) for kind, found in tried if found.works or _must_work(kind, chosen)]
    return [found.layer for _, found in tried]


def _is_open(kind: type, tree: ast.Module) -> bool:
    """Whether its code is NumPy's and not a framework's."""
    if any(base.__module__.partition(".")[0] in _FRAMEWORKS for base in kind.__mro__):
        return False
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == kind.__name__]
    used = {inner.id for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return not used & {"torch", "jnp", "jax", "tf"}


def _is_made_of(kind: type, layers: list[type], tree: ast.Module) -> bool:
    """Whether a class is a network that has layers of another of these classes."""
    others = {other.__name__ for other in layers if other is not kind}
    called = {
        node.func.id
        for top in ast.walk(tree)
        if isinstance(top, ast.ClassDef) and top.name == kind.__name__
        for node in ast.walk(top)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return bool(called & others) and not is_exactly_layer(kind.__name__)


def _candidates(kinds: dict[str, type]) -> list[type]:
    layers = [kind for kind in kinds.values() if forward_of(kind)]
    named = [kind for kind in layers if speaks_of_layer(kind.__name__, kind.__doc__)]
    if named:
        return list(dict.fromkeys(named))
    if inner := [kind for kind in layers if inner_of(kind, "forward")]:
        return inner
    both = [kind for kind in layers if backward_of(kind) and _has_parameters(kind)]
    return both if len(both) == 1 else []


def _has_parameters(kind: type) -> bool:
    made = {
        name for function in vars(kind).values() if hasattr(function, "__code__") for name in function.__code__.co_names
    }
    return {"gamma", "beta"} <= {found.role for name in made if (found := role_of(name))}


def _is_of_rows(found: _Found) -> bool:
    """Whether each sample is normalized over its features, as a layer normalization does it."""
    if not found.works or found.layer.plan.recipe.layout != ROWS or inner_of(found.layer.plan.recipe.kind, "forward"):
        return False
    call = Call(batch(ROWS), np.ones(D), np.zeros(D), None, LayerSettings(eps=0.0))
    try:
        out = found.layer.forward(call).out
    except LayerRaised:
        return False
    return out.shape == call.x.shape and bool(np.all(np.abs(out.mean(axis=1)) < _CLOSE))


def _must_work(kind: type, others: list[type]) -> bool:
    """An abstract base or a network of such layers may fail beside a layer that works; a layer may not."""
    is_base = any(other is not kind and issubclass(other, kind) for other in others)
    return not is_base and is_exactly_layer(kind.__name__)


class _Found(NamedTuple):
    layer: ClassLayer
    works: bool
    rank: tuple[int, int] = (0, 0)


class _Trial(NamedTuple):
    plan: Plan
    score: int
    """2: every column of the output is its own column, moved and scaled; 1: the shape is right; 0: it raised."""
    reached: int = 0
    """The line that it raised in, or whether its backward ran: the layout that gets furthest is the likeliest."""

    @property
    def rank(self) -> tuple[int, int]:
        return self.score, self.reached


def _recognised(kind: type, tree: ast.Module, file: str) -> _Found:
    """As it is, or with its passes over arrays if it comes further so."""
    found = _recognise(kind, read_text(tree, kind), file)
    for other in carried(kind, tree):
        over = _recognise(other, read_text(tree, other), file)
        found = over if over.rank[0] == 2 or over.rank > found.rank else found
    for other in wrapped(kind) if found.rank[0] < 2 else ():
        over = _recognise(other, read_text(tree, other), file)
        found = over if over.rank > found.rank else found
    return found


def _recognise(kind: type, text: ClassText, file: str) -> _Found:
    best: _Trial | None = None
    for recipe in _recipes(kind, text):
        tried = _try(recipe)
        if tried and (best is None or tried.rank > best.rank):
            best = tried
        if best and best.score == 2:
            break
    if best is None:
        best = _Trial(_bare_plan(Recipe(kind, text, ROWS)), 0)
    plan = replace(best.plan, innocent=_is_innocent(best.plan))
    layer = ClassLayer(f"{file}:{kind.__name__}", plan, Traits())
    return _Found(settle(layer, file), best.score > 0, best.rank)


def _is_innocent(plan: Plan) -> bool:
    """Whether no pass, as far as it comes, looks at anything that had to be guessed."""
    probe = Untouched()
    plan = replace(plan, recipe=replace(plan.recipe, probe=probe), slots={}, warm=False)
    x = batch(plan.recipe.layout)
    for mode in Mode:
        call = Call(x, np.ones(D), np.zeros(D), None, LayerSettings(mode))
        with contextlib.suppress(LayerRaised, ValueError, TypeError):
            made = ClassLayer("", plan, Traits()).forward(call)
            made.run_backward(np.ones_like(x))
    return not probe.is_touched


def _bare_plan(recipe: Recipe) -> Plan:
    return Plan(recipe, str(forward_of(recipe.kind)), methods.Arguments(()), NO_SWITCH)


def _recipes(kind: type, text: ClassText) -> Iterator[Recipe]:
    for layout in LAYOUTS:
        yield from Recipe(kind, text, layout).alternatives()


def _try(recipe: Recipe) -> _Trial | None:
    """None where no instance could be made."""
    try:
        with quiet(), guarded(recipe.kind.__name__):
            instance = recipe.make(D, Raw())
    except Unrunnable:
        # What is missing explains it better than what comes of a class that was made without its preparations.
        return _Trial(_bare_plan(recipe), 0, sys.maxsize)
    except LayerRaised:
        return None
    plan = _plan(recipe, instance)
    x = batch(recipe.layout)
    try:
        call = Call(x, np.ones(D), np.zeros(D), None, LayerSettings())
        made = ClassLayer("", plan, Traits()).forward(call, instance)
    except LayerRaised as error:
        bare = replace(plan, slots=_slots(plan, instance, instance, x))
        return _Trial(bare, 0, reached(error.__cause__) if error.__cause__ else 0)
    if plan.switch.kind == "none" or type(plan.switch.train) is int:
        plan = replace(plan, switch=guessed_switch(plan, instance, x))
        made = replace(made, plan=plan)
    plan = replace(plan, slots=_slots(plan, instance, made.instance, x))
    made = replace(made, plan=_with_statistics(plan, instance, made, x))
    plan, score = with_gradients(made, instance), _score(made, x)
    return _Trial(plan, score, int(score == 1 and goes_back(replace(made, plan=plan))))


def _plan(recipe: Recipe, instance: Any) -> Plan:
    forward, backward = str(forward_of(recipe.kind)), backward_of(recipe.kind)
    wanted, text = methods.parameters_of(instance, forward, recipe.text), recipe.text
    x = handed.x_of(text.functions, forward, wanted)
    switch = methods.find_switch(instance, forward, text, not x)
    given = methods.forward_arguments(wanted, switch, not x)
    shown = methods.parameters_of(instance, backward, text) if backward else []
    dout, dx = handed.gradients_of(text.functions, backward, shown) if backward else ((), ())
    back = methods.backward_arguments(shown, not dout)
    plan = Plan(recipe, forward, given, switch, backward, back, Handed(x, dout, dx))
    return replace(plan, index=index_of(instance))


def _slots(plan: Plan, before: Any, after: Any, x: Array) -> dict[str, Slot]:
    """Without the numbers that the constructor or the forward pass is given anyway."""
    slots = class_numbers(type(after), plan.recipe.text) | find_slots(before, after, D)
    slots |= {
        role: slot._replace(pattern=GAMMAS[plan.recipe.layout][0])
        for role, slot in slots.items()
        if role in ("gamma", "beta") and slot.pattern is None and np.size(slot.read(after)) == 1
        if places_of(plan.recipe.layout)  # features first may be turned inside, and then (D,) is right
    }
    slots = {role: slot for role, slot in slots.items() if is_own(plan.recipe.kind, slot, slots.get(role[1:]))}
    given = [role for role in ("eps", "momentum") if plan.recipe.takes(role) or plan.forward_arguments.has(role)]
    given += ["mean", "var"] if "mean" in slots and _is_of_batch(slots["mean"], after, x) else []
    return {role: slot for role, slot in slots.items() if role not in given}


def _with_statistics(plan: Plan, fresh: Any, made: ClassPass, x: Array) -> Plan:
    """And what else only shows when it is changed; the forward pass may leave the statistics to the backward."""
    plan = replace(plan, slots=plan.slots | guessed_slots(plan, fresh, made.instance, x))
    if plan.backward is None or plan.switch.kind == "none":
        return plan
    try:
        later = replace(made, plan=plan).run_backward(np.ones_like(x))[0].instance
    except LayerRaised:
        return plan
    named = _slots(plan, fresh, later, x)
    slots = {role: named[role] for role in ("mean", "var") if role in named} | plan.slots
    plan = replace(plan, slots=slots | guessed_slots(replace(plan, slots=slots), fresh, later, x))
    held = [slot for role, slot in plan.slots.items() if role in ("mean", "var")]
    return replace(plan, backs=not _alike(held, made.instance, later))


def _alike(slots: list[Slot], one: Any, other: Any) -> bool:
    return all(np.array_equal(slot.read(one), slot.read(other)) for slot in slots)


def _is_of_batch(slot: Slot, after: Any, x: Array) -> bool:
    """Whether a plain ``mean`` holds the last batch's."""
    found = meaning(slot.paths[0])
    value = np.ravel(slot.read(after))
    plain = found is not None and found.rank == PLAIN_RANK and not slot.is_history
    return plain and value.size == x.shape[1] and np.allclose(value, x.mean(axis=0), rtol=1e-9)


def class_numbers(kind: type, text: ClassText) -> dict[str, Slot]:
    """eps and momentum as attributes of the class, which an attribute of the instance hides."""
    found = {}
    for name in sorted(text.attributes):
        meant = role_of(name)
        if meant and meant.role in ("eps", "momentum") and isinstance(getattr(kind, name, None), float):
            found[meant.role] = Slot((((".", name),),), None)
    return found


def _score(made: ClassPass, x: Array) -> int:
    out = made.out
    if out.shape != x.shape or out.dtype.kind != "f":
        return 0
    gamma = made.plan.slots.get("gamma")
    known = gamma is not None and (gamma.pattern is not None or np.size(gamma.read(made.instance)) == 1)
    if not known and not made.plan.forward_arguments.has("gamma"):
        return 1
    with np.errstate(all="ignore"):
        likeness = [abs(np.corrcoef(out[:, j], x[:, j])[0, 1]) for j in range(x.shape[1])]
    return 2 if min(likeness) > _ALIKE else 1
