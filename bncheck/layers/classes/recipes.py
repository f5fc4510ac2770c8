"""How instances of a user's class are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from bncheck.layers import conventions as names
from bncheck.layers.classes.handed import read_by
from bncheck.layers.classes.instances import Recorder, leaves, put
from bncheck.layers.classes.layouts import GAMMAS, SHAPES, places_of
from bncheck.layers.classes.methods import constructor, parameters, required
from bncheck.layers.classes.neighbours import Regularizer, stand_in
from bncheck.layers.classes.passes import backward_of, find_method, forward_of, method_names
from bncheck.layers.classes.text import ClassText
from bncheck.layers.conventions import flat, role_of, words
from bncheck.layers.functions.pairs import member
from bncheck.layers.untouched import Untouched

FORMS: Final = 3
_ANY_LENGTH: Final = 4
_OF_A_WINDOW: Final = {"kernel", "stride", "pad", "padding", "window", "pool"}
_RANKS: Final = {"dimensions", "dims", "dim", "ndim", "ndims", "numdims", "numdimensions", "rank"}
_USUAL: Final = {"eps": 1e-5, "momentum": 0.9}


class Raw(NamedTuple):
    """What the constructor is given; None leaves its default.  ``momentum`` is as the class takes it."""

    eps: float | None = None
    momentum: float | None = None


class Preparation(NamedTuple):
    """A method that is called before the first pass."""

    method: str
    given: tuple[Any, ...]
    named: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """One way of making instances: constructor arguments by role, then the methods that prepare them."""

    kind: type
    text: ClassText
    layout: str
    form: int = 0
    sized: bool = True
    """Sizes that have a default are given all the same."""
    prepared: bool = True
    probe: Untouched | None = None
    """Given for what would have to be guessed, to see whether it matters."""

    def make(self, d: int, raw: Raw) -> Any:
        """Runs the user's code: to be called within ``guarded``."""
        instance = self.kind(**self.arguments(d, raw))
        if self.prepared:
            for name, value in self.shapes(instance, d).items():
                setattr(instance, name, value)
            for one in self.preparations(instance, d, raw):
                getattr(instance, one.method)(*one.given, **one.named)
        _watch_optimizers(instance, self.text)
        _lend_helpers(instance, self.text.optimizers - self.text.tested)
        self._lend_numbers(instance)
        return instance

    def arguments(self, d: int, raw: Raw) -> dict[str, Any]:
        """Of the constructor."""
        return self._arguments(constructor(self.kind, self.text), d, raw)

    def takes(self, role: str) -> bool:
        return any(_role(p.name) == role for p in constructor(self.kind, self.text))

    def guessed(self) -> list[str]:
        """The arguments of the constructor whose names say nothing."""
        needed = [p.name for p in constructor(self.kind, self.text) if required(p) and not _role(p.name)]
        known = {*names.WIDTHS, *_OF_A_WINDOW}
        return [name for name in needed if not known & {*words(name), flat(name)} and stand_in(name, 1, ()) is None]

    def default(self, role: str) -> Any:
        found = [p.default for p in constructor(self.kind, self.text) if _role(p.name) == role and not required(p)]
        return found[0] if found else None

    def alternatives(self) -> list[Recipe]:
        """The other ways that this class leaves open, the likelier first."""
        optional = any(_role(p.name) == "size" and not required(p) for p in constructor(self.kind, self.text))
        prepares = bool(_preparations(self.kind))
        return [
            Recipe(self.kind, self.text, self.layout, form, sized, prepared)
            for sized in ((True, False) if optional else (True,))
            for prepared in ((True, False) if prepares else (True,))
            for form in range(FORMS)
        ]

    def _shape(self, d: int) -> tuple[int, ...]:
        images = dict(enumerate((_ANY_LENGTH, 5, 2)))
        given = SHAPES[self.layout][self.form]
        return tuple(d if n == -1 else n or images.get(i, _ANY_LENGTH) for i, n in enumerate(given))

    def _arguments(self, wanted: list[Any], d: int, raw: Raw) -> dict[str, Any]:
        values = {p.name: self._value(p, d, raw) for p in wanted} | self._counts(wanted)
        return {name: value for name, value in values.items() if value is not _SKIP}

    def _counts(self, wanted: list[Any]) -> dict[str, int]:
        """How many dimensions x has, asked for beside its columns: without the batch's, or with it."""
        needed = [p.name for p in wanted if required(p)]
        sized = any(_role(name) == "size" and flat(name) not in _RANKS for name in needed)
        rank = places_of(self.layout) + 1 + self.form
        return {name: rank for name in needed if sized and flat(name) in _RANKS and self.form < FORMS - 1}

    def _value(self, parameter: Any, d: int, raw: Raw) -> Any:
        role, needed = _role(parameter.name), required(parameter)
        if role in ("eps", "momentum"):
            given = raw.eps if role == "eps" else raw.momentum
            usual = _USUAL[role] if needed else _SKIP
            return usual if given is None else given
        if needed and self.form == 1 and flat(parameter.name) in names.WIDTHS:
            return [d] * 3
        if role == "size" and (needed or (self.sized and isinstance(parameter.default, (int, type(None))))):
            return (d,) if needed and self.form == 2 and not self.text.functions else d
        if parameter.default is False and member(parameter.name).norm:
            return True  # use_batch_norm=False of a network that has the layer in it
        return self._needed(parameter.name, role, d) if needed else _SKIP

    def _needed(self, name: str, role: str, d: int) -> Any:
        shape = tuple(d if n == -1 else n for n in GAMMAS[self.layout][self.form])
        values: dict[str, Any] = {
            "shape": self._shape(d),
            "gamma": np.ones(shape),
            "beta": np.zeros(shape),
            "mean": np.zeros(shape),
            "var": np.ones(shape),
            "optimizer": Recorder(),
            "lr": 0.01,
            "index": 0,
            "flag": True,
            "inverted": False,
            "mode": "train",
            "x": np.zeros((d, d)),
        }
        if role in values:
            return values[role]
        if set(words(name)) & _OF_A_WINDOW:
            return 1
        if "init" in flat(name):
            return np.zeros if any(word in flat(name) for word in ("beta", "bias", "mean", "zero")) else np.ones
        helper = stand_in(name, d, self._shape(d), self.text.asked.get(name, frozenset()))
        guess = (d, None, (d,))[self.form] if self.probe is None else self.probe
        return guess if helper is None else helper

    def preparations(self, instance: Any, d: int, raw: Raw) -> list[Preparation]:
        """What a new instance wants to be told before its first pass: methods to call."""
        setter = find_method(self.kind, names.SHAPE_SETTERS)
        methods = [(name, getattr(instance, name)) for name in _preparations(self.kind)]
        told = [Preparation(name, (), self._arguments(parameters(method), d, raw)) for name, method in methods]
        told += self._connections(instance, d, raw)
        return [Preparation(setter, (self._shape(d),), {}), *told] if setter else told

    def shapes(self, instance: Any, d: int) -> dict[str, Any]:
        """Attributes that a missing base class would have set."""
        if find_method(self.kind, names.SHAPE_SETTERS):
            return {}
        known = [name for name in self.text.attributes if _role(name) == "shape" and flat(name) != "shape"]
        return {name: self._shape(d) for name in known if not hasattr(instance, name)}

    def _connections(self, instance: Any, d: int, raw: Raw) -> Iterator[Preparation]:
        """What a network tells a layer of the one before it, where a pass counts on it and only that sets it."""
        passes = forward_of(self.kind), backward_of(self.kind)
        called = {"__init__", *passes, *_preparations(self.kind)}
        for name in read_by(self.text.functions, *passes):
            setters = [] if hasattr(instance, name) else list(dict.fromkeys(self.text.setters(name)))
            if len(setters) != 1 or setters[0] in called:
                continue
            called.add(setters[0])
            wanted = parameters(getattr(instance, setters[0]))
            if wanted and all(_is_of_before(p.name) for p in wanted if required(p)):
                yield Preparation(setters[0], (), self._arguments(wanted, d, raw))

    def _lend_numbers(self, instance: Any) -> None:
        """What a network sets from outside before it trains."""
        for path, value in list(leaves(instance)):
            role = _role(str(path[-1][1]))
            if value is None and role in _USUAL and not self.takes(role):
                put(instance, path, _USUAL[role])


def _watch_optimizers(instance: Any, text: ClassText) -> None:
    """What an optimizer of the user's own makes of a gradient need not show it; where none was given, one is lent.

    One of which the backward pass asks what no other knows stays.
    """
    asked, backward = text.optimizers, backward_of(type(instance))
    for path, value in list(leaves(instance)):
        name = str(path[-1][1])
        is_one = _role(name) == "optimizer" or words(name)[-1:] in (["opt"], ["optimizer"], ["optim"])
        steps = name in asked if value is None else any(hasattr(value, step) for step in names.STEPS)
        known = value is None or all(hasattr(Recorder, one) for one in text.asked_of(name, backward))
        if is_one and steps and known and not isinstance(value, dict):
            put(instance, path, Recorder())


def _lend_helpers(instance: Any, asked: frozenset[str]) -> None:
    """Somebody sets them from outside, for they are called as if they were never None."""
    for path, value in list(leaves(instance)):
        if value is None and (name := str(path[-1][1])) in asked:
            put(instance, path, stand_in(name, 0, ()) or Regularizer())


def _is_of_before(name: str) -> bool:
    """prev_activation and prev_out_dim: the width of a layer is that of the one before it."""
    sized = _role(words(name)[-1]) in ("size", "shape") and {"prev", "previous", "input", "in"} & {*words(name)}
    return bool(sized) or stand_in(name, 1, ()) is not None


_SKIP: Final = object()


def _role(name: str) -> str:
    found = role_of(name)
    return "size" if names.is_size(name) else found.role if found else ""


def _preparations(kind: type) -> list[str]:
    order = {name: place for place, name in enumerate(names.PREPARATIONS)}
    public = [name for name in method_names(kind) if not name.startswith("_") and names.prepares(name)]
    # layer(width) builds it where x is given to another method.
    sizes = [_role(p.name) for p in parameters(kind.__call__)[1:]] if "__call__" in method_names(kind) else []
    built = ["__call__"] if sizes in (["size"], ["shape"]) and forward_of(kind) != "__call__" else []
    return built + sorted(public, key=lambda name: order.get(flat(name), len(order)))
