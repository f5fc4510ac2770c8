"""What the arguments and the results of a user's functions stand for: by their names, and by what the code does."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from bncheck.layers.dotted import Settings
from bncheck.layers.enumerations import modes_of
from bncheck.layers.functions.answering import Answering, role_in
from bncheck.layers.functions.evidence import role_by_use, switch_of
from bncheck.layers.functions.naming import (
    ANSWERED,
    CONTEXTS,
    DICTS,
    FLAGS,
    LABELS,
    LEFT,
    RUNNING_KEYS,
    SIDES,
    STANDARD_KEYS,
    START,
    TEST_WORDS,
    TRAIN_WORDS,
    is_kept,
    plain,
    role_of,
)
from bncheck.layers.functions.source import Source, Uses

Function = Callable[..., Any]
Values = dict[str, Any]
Items = list[tuple[str, Any]]
"""Results, each by the name that it has in the return statement, "" where it has none."""


class Slot(NamedTuple):
    """One argument of a forward function."""

    name: str
    role: str = ""
    needed: bool = False
    keyword: bool = False
    spread: bool = False
    keys: tuple[tuple[str, str], ...] | None = None
    """A dict: its keys, and the role of each."""
    dotted: bool = False
    """An object whose attributes they are."""
    parts: tuple[str, ...] = ()
    """A tuple: the role of each part."""
    default: Any = None
    answers: bool = False
    """A dict whose keys are made as it is asked for them."""

    def fill(self, values: Values, eager: bool) -> Any:
        """None: leave the argument to its default."""
        if self.keys is not None:
            made = values["state"].get(self.name, {})
            if self.answers:
                return Answering(made, {role: _started(values, role) for _, role in self.keys}, role_of)
            made = Settings(made) if self.dotted else made
            made.update((key, values[role]) for key, role in self.keys if values[role] is not None)
            for key, role in self.keys if eager else ():
                if role in START and key not in made:
                    made[key] = values[START[role]]
            return made
        if self.parts:
            return tuple(_started(values, role) for role in self.parts)
        return _started(values, self.role) if self.needed or eager else values.get(self.role)

    def roles(self) -> list[str]:
        return [role for _, role in self.keys] if self.keys is not None else [*self.parts] or [self.role]


def _started(values: Values, role: str) -> Any:
    value = values.get(role)
    return values[START[role]] if value is None and role in START else value


class Binding(NamedTuple):
    """How a forward function is called."""

    slots: tuple[Slot, ...]
    words: tuple[Any, Any] = ("train", "test")
    named: frozenset[str] = frozenset()
    """The roles that stand in the code, beside those that are given on suspicion."""
    eager: bool = False
    """Running statistics are given from the start."""
    momentum: float | None = None
    """The default that the code itself has."""
    guessed: tuple[str, ...] = ()
    """The arguments whose names say nothing, and of which more than one reading is possible."""

    def arguments(self, values: Values) -> tuple[list[Any], Values, Values]:
        """By position, by keyword, and all of them by name."""
        args, named, passed, positional = list[Any](), dict[str, Any](), dict[str, Any](), True
        for slot in self.slots:
            value = passed[slot.name] = slot.fill(values, self.eager)
            if value is None and not slot.needed:
                positional = False
            elif slot.spread:
                named.update(value)
            elif positional and not slot.keyword:
                args.append(value)
            else:
                named[slot.name] = value
        return args, named, passed


def bindings(function: Function, name: str, source: Source) -> list[Binding]:
    """The likeliest first."""
    slots, guessed = _dealt(_slots(function, name, source))
    named = frozenset(role for slot in slots for role in slot.roles() if role)
    slots = [
        slot._replace(keys=_completed(slot.keys, named)) if slot.keys is not None and not slot.answers else slot
        for slot in slots
    ]
    words = [word.lower() for word in source.words(name)]
    spoken = [next((word for word in words if word in known.split()), "") for known in (TRAIN_WORDS, TEST_WORDS)]
    members = [found for one in signature(function, name, source) if (found := modes_of(one, function))]
    slots, switch = _switched(slots, function, name, source)
    members += [switch] if switch else []
    first = Binding(
        tuple(slots),
        members[0] if members else (spoken[0] or "train", spoken[1] or "test"),
        named,
        momentum=_momentum(slots, name, source),
        guessed=guessed,
    )
    made = [first._replace(slots=slots) for slots in _guessed(first.slots)]
    flags = [one._replace(slots=tuple(map(_as_flag, one.slots))) for one in made if "mode" in named]
    likely = made + flags if any(spoken) or members else flags + made
    return [one._replace(eager=eager) for eager in (False, True) for one in likely]


def _slots(function: Function, name: str, source: Source) -> list[Slot]:
    slots, taken = list[Slot](), set[str]()
    for one in signature(function, name, source):
        if one.kind is one.VAR_POSITIONAL:
            continue
        slot = _slot(one, source.uses(name, one.name), taken)
        if slot.roles() == [""]:
            used = role_by_use(source, name, one.name)
            slot = slot._replace(role="" if used in taken or (used == "none" and not slot.needed) else used)
        if slot.role or slot.needed or slot.keys is not None or slot.parts:
            slots.append(slot)
            taken |= set(slot.roles())
    keyed = source.keyed(name)
    return [slot._replace(role=keyed.get(slot.name, "")) if slot.roles() == [""] else slot for slot in slots]


def _switched(slots: list[Slot], function: Function, name: str, source: Source) -> tuple[list[Slot], Any]:
    """With the argument that the code compares with two values of its own as the mode; and these."""
    space = getattr(inspect.unwrap(function), "__globals__", {})
    for i, slot in enumerate(slots):
        keys = [key for key, role in slot.keys or () if role in FLAGS]
        asked = [""] if slot.keys is None and not slot.parts and slot.role in ("", *FLAGS) else keys
        for key in asked:
            if found := switch_of(source, name, slot.name, space, key):
                theirs = slot.keys and tuple((one, "mode" if one == key else role) for one, role in slot.keys)
                changed = slot._replace(keys=theirs) if key else slot._replace(role="mode")
                return [*slots[:i], changed, *slots[i + 1 :]], tuple(found)
    return slots, None


def _dealt(slots: list[Slot]) -> tuple[list[Slot], tuple[str, ...]]:
    """x, gamma and beta for what has no meaning yet, in this order; and the names of what that is a guess for."""
    taken = {role for slot in slots for role in slot.roles()}
    missing = [role for role in ("x", "gamma", "beta") if role not in taken]
    unknown = [i for i, slot in enumerate(slots) if slot.needed and slot.roles() == [""]]
    dealt = dict(zip(unknown, missing, strict=False))
    # The first argument is x, and the only one that is left is what is left.
    sure = unknown[:1] if missing[:1] == ["x"] and (unknown[:1] == [0] or len(unknown) == 1) else []
    sure = unknown if len(unknown) == len(missing) == 1 else sure
    guessed = tuple(slots[i].name for i in unknown if i not in sure)
    return [slot._replace(role=dealt.get(i, slot.role)) for i, slot in enumerate(slots)], guessed


def signature(function: Function, name: str, source: Source) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        found = []
    if all(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in found) and source.parameters(name):
        return [inspect.Parameter(word, inspect.Parameter.POSITIONAL_OR_KEYWORD) for word in source.parameters(name)]
    return found


def _slot(one: inspect.Parameter, uses: Uses, taken: set[str]) -> Slot:
    spread, default = one.kind is one.VAR_KEYWORD, None if one.default is one.empty else one.default
    made = Slot(
        one.name, "", one.default is one.empty and not spread, one.kind is one.KEYWORD_ONLY, spread, default=default
    )
    if uses.labelled and not role_of(one.name):
        asked = (*((text, role_in(text, role_of)) for text in uses.computed), *((k, role_of(k)) for k in uses.keys))
        return made._replace(keys=tuple((text, role) for text, role in asked if role in ANSWERED), answers=True)
    roles = [(key, _typed(role_of(key), default)) for key, default in uses.keys.items() if role_of(key)]
    if "x" in [role for _, role in roles]:
        roles += [(key, SIDES[plain(key)]) for key in uses.keys if plain(key) in SIDES]
    if plain(one.name) in CONTEXTS.split() and uses.labelled is False and not uses.keys:
        return made._replace(keys=(), dotted=True)
    roles = _without_batchs(roles)
    dotted = _without_batchs([(name, role_of(name)) for name in uses.dotted if role_of(name)])
    if dotted and not roles and not role_of(one.name):
        return made._replace(keys=tuple((key, role) for key, role in dotted if role not in taken), dotted=True)
    if roles or (not role_of(one.name) and plain(one.name) in DICTS.split() and not uses.parts):
        return made._replace(keys=tuple((key, role) for key, role in roles if role not in taken))
    parts = tuple(map(role_of, uses.parts))
    if len(parts) > 1 and all(parts):
        return made._replace(parts=parts)
    role = "label" if plain(one.name) in LABELS.split() else _typed(role_of(one.name), default)
    role = "left" if default is False and plain(one.name) in LEFT.split() else role
    return made._replace(role="" if role in taken else role)


def _without_batchs(roles: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """std beside running_var is one batch's."""
    kept = {role for name, role in roles if is_kept(name)}
    return [(name, role) for name, role in roles if role not in kept or is_kept(name)]


def _typed(role: str, default: Any) -> str:
    """Whether the mode is a word or a flag."""
    if role in ("mode", "train") and isinstance(default, str | bool | Enum):
        return "train" if isinstance(default, bool) else "mode"
    return role


def _completed(keys: tuple[tuple[str, str], ...], named: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """A dict that is handed to code we cannot see gets what is usual."""
    moded = {"mode", "train", "test"} & named
    usual = [one for one in STANDARD_KEYS if one[1] not in named and not (one[1] == "mode" and moded)]
    return (*keys, *usual, *(one for one in RUNNING_KEYS if one[1] not in named and not keys))


def _momentum(slots: list[Slot], name: str, source: Source) -> float | None:
    found = [slot.default for slot in slots if slot.role == "momentum"]
    for slot in slots:
        if slot.keys is not None:
            found += [value for key, value in source.uses(name, slot.name).keys.items() if role_of(key) == "momentum"]
    return next((value for value in found if isinstance(value, float)), None)


def _as_flag(slot: Slot) -> Slot:
    keys = slot.keys and tuple((key, "train" if role == "mode" else role) for key, role in slot.keys)
    return slot._replace(role="train" if slot.role == "mode" else slot.role, keys=keys)


def _guessed(slots: tuple[Slot, ...]) -> list[tuple[Slot, ...]]:
    """What an argument without a meaning may be: a dict of settings, eps, or nothing of importance."""
    if all(slot.roles() != [""] for slot in slots):
        return [slots]
    guesses: list[dict[str, Any]] = [{"keys": STANDARD_KEYS + RUNNING_KEYS}, {"role": "eps"}, {"role": "none"}]
    return [tuple(slot._replace(**guess) if slot.roles() == [""] else slot for slot in slots) for guess in guesses]
