"""Gradients that show when a class is asked for them: by get_grads() after the backward pass, or by update(lr)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bncheck.errors import LayerRaised
from bncheck.layers.classes.instances import Recorder, clone
from bncheck.layers.classes.methods import parameters, required
from bncheck.layers.classes.passes import method_names
from bncheck.layers.classes.plan import RATE, Plan
from bncheck.layers.conventions import RATES, flat, meaning, role_of, words
from bncheck.layers.isolation import guarded, quiet

_ASKS: Final = {"grad", "grads", "gradient", "gradients", "derivatives"}
_STEPS: Final = {"update", "step", "apply", "optimize", "optimise", "descend", "learn", "adjust"}
_PARAMETERS: Final = ("gamma", "beta")


def ways(plan: Plan) -> Iterator[str]:
    """The methods that may show them, those that hand them out first."""
    kind = plan.recipe.kind
    names = [n for n in method_names(kind) if not n.startswith("__") and n not in (plan.forward, plan.backward)]
    yield from (n for n in names if _ASKS & {*words(n)} and not _STEPS & {*words(n)} and not _needed(kind, n))
    yield from (n for n in names if words(n)[:1] and words(n)[0] in _STEPS and len(_needed(kind, n)) <= 1)


def _needed(kind: type, name: str) -> list[str]:
    return [p.name for p in parameters(getattr(kind, name)) if required(p) and p.name != "self"]


def shown(plan: Plan, instance: Any, old: dict[str, Any]) -> dict[str, Any]:
    """dgamma and dbeta by the method of the plan, on a copy of the instance after its backward pass."""
    again, log = clone(instance, {}), Recorder()
    method, named = getattr(again, plan.shows), _needed(plan.recipe.kind, plan.shows)
    values = {name: log if _is_optimizer(name) else RATE for name in named}
    values |= {p.name: RATE for p in parameters(method) if flat(p.name) in RATES}
    result: Any = None
    with contextlib.suppress(LayerRaised), quiet(), guarded(plan.name):
        result = method(**values)
    if words(plan.shows)[0] not in _STEPS:
        return _handed_out(plan, result, old)
    if log.log:
        return {"d" + role: log.find(role, old.get(role)) for role in _PARAMETERS}
    slots = {role: plan.slots[role] for role in _PARAMETERS if role in plan.slots and role in old}
    steps = {role: np.asarray(old[role]) - slot.read(again) for role, slot in slots.items()}
    return {"d" + role: step / RATE for role, step in steps.items() if np.any(step)}


def _is_optimizer(name: str) -> bool:
    found = role_of(name)
    return found is not None and found.role == "optimizer"


def _handed_out(plan: Plan, result: Any, old: dict[str, Any]) -> dict[str, Any]:
    if isinstance(result, dict):
        known = {meant.role: value for key, value in result.items() if (meant := meaning(_in_grads(key)))}
        return {role: known[role] for role in ("dgamma", "dbeta") if role in known}
    if not isinstance(result, list | tuple) or len(result) != len(_PARAMETERS):
        return {}
    pairs = [one for one in result if isinstance(one, list | tuple) and len(one) == len(_PARAMETERS)]
    if len(pairs) < len(_PARAMETERS):
        given = plan.recipe.text.returned(plan.shows) or []
        turned = [words(name)[-1:] for name in given] == [["beta"], ["gamma"]]
        return dict(zip(("dbeta", "dgamma") if turned else ("dgamma", "dbeta"), result, strict=True))
    by = {role: [g for p, g in pairs if np.array_equal(p, old[role])] for role in _PARAMETERS if role in old}
    return {"d" + role: found[0] for role, found in by.items() if len(found) == 1}


def _in_grads(key: Any) -> tuple[tuple[str, str], ...]:
    return ((".", "grads"), ("[", str(key)))
