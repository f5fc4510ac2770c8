"""The arguments of a function over tensors: what each stands for, told by its name and by what is asked of it."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from bncheck.layers.conventions import flat, role_of
from bncheck.layers.tensors.written import Held, held_in, options_of

_DICTS = {
    "bn_param": "bnparam bnparams config cfg",
    "params": "params param parameters theta",
    "state": "state states stats batchstats running runningstats",
}
SPELLINGS = {
    "gamma": ("gamma", "scale", "weight", "g"),
    "beta": ("beta", "bias", "offset", "shift", "b"),
    "mean": ("mean", "running_mean", "moving_mean", "mu"),
    "var": ("var", "running_var", "moving_var", "variance"),
}
"""A dictionary goes in under all of these keys: the layer reads its own, and the gradient of the rest is zero."""


_HELD = {"params": {"gamma", "beta"}, "state": {"mean", "var"}}
_SETTINGS = {"eps", "momentum", "mode", "flag", "inverted"}


def role(name: str) -> str | None:
    known = role_of(name)
    return next((one for one, names in _DICTS.items() if flat(name) in names.split()), known and known.role)


def spelled(values: dict[str, Any], *roles: str) -> dict[str, Any]:
    return {key: values[own] for own in roles for key in SPELLINGS[own]}


class Signature(NamedTuple):
    """What the parameters of a function stand for."""

    parts: tuple[tuple[inspect.Parameter, str | None], ...]
    held: tuple[tuple[str, Held], ...] = ()
    """By role, params or state, what is asked of it."""

    @classmethod
    def of(cls, function: Any, needed: tuple[str, ...] = ("x", "gamma", "beta")) -> Signature | None:
        """None where a role of ``needed`` is missing, or where an argument would have to be guessed."""
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None
        parameters += options_of(function, parameters)
        plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        made = cls._holding(plain, held_in(function, plain))
        found = {own for _, own in made.parts} | ({"gamma", "beta"} if made.takes("params") else set())
        guessed = any(own is None and p.default is p.empty for p, own in made.parts)
        return None if guessed or set(needed) - found else made

    @classmethod
    def _holding(cls, parameters: list[inspect.Parameter], held: dict[str, Held]) -> Signature:
        kinds = {name: kind for name, one in held.items() if (kind := _kind(one, role(name)))}
        told = _told_apart(parameters, kinds)
        return cls(told, tuple((kinds[name], one) for name, one in held.items() if name in kinds))

    @property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """Those of the tuples that it takes."""
        return tuple(held.order for _, held in self.held if held.order)

    def packed(self, role: str, values: dict[str, Any]) -> Any:
        """In the form in which the function asks for it; a dict where it does not say."""
        held = next((one for own, one in self.held if own == role), None)
        wanted = _HELD[role] | (held.roles if held else set())
        plain = spelled(values, *(own for own in SPELLINGS if own in wanted and own in values))
        return plain if held is None else held.filled(values, plain)

    def takes(self, *roles: str) -> bool:
        """By itself, or as a part of what it takes."""
        return any(own in roles for _, own in self.parts) or any(set(roles) & held.roles for _, held in self.held)

    def needed(self) -> Signature:
        """Without what may be left out."""
        return self._replace(parts=tuple((p, own) for p, own in self.parts if p.default is p.empty))

    def default(self, role: str) -> Any:
        return next((p.default for p, own in self.parts if own == role and p.default is not p.empty), None)

    def call(self, function: Any, values: dict[str, Any]) -> Any:
        """By position wherever that is possible: what wraps a function may not know its names."""
        positional, named = [], {}
        for parameter, own in self.parts:
            value = values.get(own or "")
            if value is None and parameter.default is not parameter.empty:
                value = parameter.default
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                positional.append(value)
        return function(*positional, **named)


def _kind(held: Held, own: str | None) -> str | None:
    """Whether what a parameter holds makes it params or a state; None where it is neither, or named for another."""
    if own == "cache" or (own == "bn_param" and held.said & _SETTINGS):
        return None
    if {"gamma", "beta"} <= held.roles:
        return "params"
    return "state" if {"mean", "var"} <= held.roles and own != "bn_param" else None


def _told_apart(
    parameters: list[inspect.Parameter], kinds: dict[str, str]
) -> tuple[tuple[inspect.Parameter, str | None], ...]:
    seen: dict[str, str | None] = {}
    for parameter in parameters:
        own = kinds.get(parameter.name) or role(parameter.name)
        seen[parameter.name] = None if own in seen.values() else own
    unnamed = [p.name for p in parameters if seen[p.name] is None and p.default is p.empty]
    if unnamed and "x" not in seen.values():
        seen[unnamed[0]] = "x"
    return tuple((parameter, seen[parameter.name]) for parameter in parameters)
