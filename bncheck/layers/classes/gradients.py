"""Where the gradients of a user's class are found: returned, in attributes, at an optimizer, in a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bncheck.layers.classes import afterwards, handed
from bncheck.layers.classes.instances import Recorder, attributes, leaves, put
from bncheck.layers.classes.plan import RATE, Plan
from bncheck.layers.conventions import CACHES, INPUT_GRADIENTS, flat, meaning, returned_roles, words


def prepare_backward(plan: Plan, instance: Any) -> Recorder:
    """Gradients start at zero, for some accumulate; what an optimizer has seen is forgotten."""
    log = Recorder()
    for role in ("dgamma", "dbeta"):
        value = plan.slots[role].read(instance) if role in plan.slots else None
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[...] = 0
    for _, value in leaves(instance):
        if isinstance(value, Recorder):
            value.log = log.log
    for path in plan.rates:
        put(instance, path, RATE)
    return log


@dataclass
class Collected:
    """The places in which gradients are found after a backward pass."""

    plan: Plan
    instance: Any
    old: dict[str, Any]
    log: Recorder
    grads: dict[str, Any] = field(default_factory=dict)
    """What the backward was handed to write into."""

    def parts(self, result: Any) -> dict[str, Any]:
        """By role: returned, kept in an attribute, handed to an optimizer, or hidden in a step."""
        found = self._returned(result)
        for role in ("dgamma", "dbeta"):
            if found.get(role) is None:
                found[role] = self._elsewhere(role)
        if self.plan.shows and any(found.get(role) is None for role in ("dgamma", "dbeta")):
            found |= afterwards.shown(self.plan, self.instance, self.old)
        if found.get("dx") is None:
            kept = handed.found(self.instance, self.plan.handed.dx)
            found["dx"] = attribute(self.instance, INPUT_GRADIENTS) if kept is None else kept
        return found

    def _returned(self, result: Any) -> dict[str, Any]:
        if isinstance(result, (tuple, list)) and (packed := [one for one in result if isinstance(one, dict)]):
            grads = {role: _in_dict(packed[0], role) for role in ("dgamma", "dbeta")}
            if all(value is not None for value in grads.values()):
                return grads | {"dx": next((one for one in result if not isinstance(one, dict)), None)}
        named = _flatten(result)
        names: list[str] | None = [name for name, _ in named]
        if len(named) < 2 or not any(name for name, _ in named):
            names = None if len(named) < 2 else self._names(len(named))
        return dict(zip(_roles(names, len(named)), (value for _, value in named), strict=True))

    def _names(self, count: int) -> list[str] | None:
        text = self.plan.recipe.text
        helpers = [name for name in text.functions if "back" in name or "grad" in name]
        found = (text.returned(name) for name in (str(self.plan.backward), *helpers))
        return next((names for names in found if names and len(names) == count), None)

    def _elsewhere(self, role: str) -> Any:
        slots, parameter = self.plan.slots, role[1:]
        if role in slots and (value := slots[role].read(self.instance)) is not None and not self._left(role, value):
            return value
        if (found := _in_dict(self.grads, role)) is not None:
            return found
        if self.log.log:
            return self.log.find(parameter, self.old.get(parameter))
        if self.plan.steps and parameter in slots:
            return (np.asarray(self.old[parameter]) - slots[parameter].read(self.instance)) / self.plan.rate
        return None

    def _left(self, role: str, value: Any) -> bool:
        """Whether it is the number that the constructor put there."""
        return not isinstance(value, np.ndarray) and value is self.old.get(role)


def attribute(instance: Any, names: tuple[str, ...]) -> Any:
    held = {flat(name): value for name, value in attributes(instance).items()}
    return next((held[name] for name in names if isinstance(held.get(name), np.ndarray)), None)


def kept_cache(before: dict[str, Any], instance: Any) -> tuple[Any, ...]:
    """What a forward pass that returns no cache left in an attribute: named so, or the only new tuple or dict."""
    after = {name: value for name, value in attributes(instance).items() if value is not None}
    named = [name for name in after if CACHES & set(words(name))]
    new = [name for name, value in after.items() if value is not before.get(name)]
    packed = [name for name in new if isinstance(after[name], (tuple, dict))]
    # A dict that was there before may have been filled.
    chosen = [name for name in new if name in named] or named or (packed if len(packed) == 1 else [])
    return tuple(after[name] for name in chosen[:1])


def _in_dict(grads: dict[str, Any], role: str) -> Any:
    """The entry gamma or dgamma of a dict of gradients."""
    known = {key: meaning(((".", "grads"), ("[", str(key)))) for key in grads}
    return next((grads[key] for key, meant in known.items() if meant and meant.role == role), None)


def _flatten(result: Any) -> list[tuple[str, Any]]:
    """Everything that was returned, with the key of what stands in a dict: dx, {"gamma": dgamma, "beta": dbeta}."""
    if isinstance(result, (tuple, list)):
        return [inner for item in result for inner in _flatten(item)]
    return [(str(key), value) for key, value in result.items()] if isinstance(result, dict) else [("", result)]


def _roles(names: list[str] | None, count: int) -> list[str]:
    """By name where the names tell both gradients apart; by the usual order otherwise."""
    roles = returned_roles(names) if names else []
    if "dgamma" in roles and "dbeta" in roles:
        return [role or "dx" for role in roles]
    return [*("dx", "dgamma", "dbeta")[:count], *(f"extra {i}" for i in range(count - 3))]
