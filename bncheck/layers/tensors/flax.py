"""Modules of Flax as pure functions: linen keeps its variables outside of the module anyway, nnx can be told to."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bncheck.errors import LayerRaised
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.tensors.modules import COLUMNS, PLACES, Held, arguments, as_function, modes, named, numbers, shaped

_RANKS = (2, 4)
_OWN = ("parent", "name")


def function_of(thing: Any) -> Callable[..., Any] | None:
    """None where it is no module, or one that cannot be made without more."""
    cls = thing if inspect.isclass(thing) else type(thing)
    for home, opened in (("flax.linen", _linen), ("flax.nnx", _nnx)):
        library: Any = sys.modules.get(home)
        if library is not None and issubclass(cls, library.Module):
            return opened(thing, cls)
    return None


def _linen(thing: Any, cls: Any) -> Callable[..., Any] | None:
    random, known = sys.modules["jax"].random, dict[Any, Any]()
    given = list(inspect.signature(cls.__call__).parameters.values())[2:]
    fields = [name for name in cls.__dataclass_fields__ if name not in _OWN]
    # Where both a field and an argument tell the mode, one is to be left alone.
    told = [p.name for p in given if modes([p.name], True) and (p.default is p.empty or not modes(fields, True))]
    if any(p.default is p.empty and p.name not in told and p.kind is not p.VAR_KEYWORD for p in given):
        return None

    def made(width: int, rank: int, training: bool) -> Any:
        keys = dict.fromkeys(_OWN)
        module = cls(**arguments(cls, width, rank, keys)) if inspect.isclass(thing) else thing
        return module.clone(**modes(fields, training))

    def fresh(x: Any, training: bool) -> Any:
        # As few rows as show the statistics: what is learnt has one entry for each column.
        if (key := ((2,) * (x.ndim - 1) + (_columns(x),), x.dtype)) not in known:
            zeros = sys.modules["jax.numpy"].zeros(*key)
            module = made(_columns(x), x.ndim, training)
            known[key] = module.init(random.PRNGKey(0), zeros, **modes(told, training))
        return known[key]

    def apply(values: dict[str, Any]) -> Any:
        x, training = values["x"], values.get("training", True)
        module = made(_columns(x), x.ndim, training)
        module = module.clone(**{name: values[own] for own, name in settings.items() if own in values})
        filled = {part: _filled(tree, values) for part, tree in fresh(x, training).items()}
        # An own module of linen's has one axis of columns, the last; so have those that are written after it.
        state = [part for part in filled if part != "params"]
        out, new = module.apply(filled, x, mutable=state, **modes(told, training))
        after = dict(_leaves(new))
        return (out, after["mean"], after["var"]) if {"mean", "var"} <= after.keys() else out

    try:
        settings = numbers({name: getattr(made(COLUMNS, 2, True), name) for name in fields})
    except (TypeError, AttributeError):
        return None
    share = getattr(made(COLUMNS, 2, True), settings["momentum"]) if "momentum" in settings else None
    roles = {own for own, _ in _leaves(_first(fresh, cls.__name__))} & set(PLACES) or set(PLACES)
    switched = {"training"} if told or modes(fields, True) else set()
    return as_function(apply, Held(frozenset(roles | set(settings) | switched), share))


def _first(fresh: Any, name: str) -> Any:
    """Its variables, in the first shape of x that it takes; none where it takes none."""
    zeros = sys.modules["jax.numpy"].zeros
    for rank in _RANKS:
        try:
            with guarded(name), quiet():
                return fresh(zeros((2,) * (rank - 1) + (COLUMNS,)), True)
        except LayerRaised:
            continue
    return {}


def _columns(x: Any) -> int:
    return int(x.shape[-1])


def _filled(tree: Any, leaves: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in tree.items():
        known = leaves.get(named(name))
        inner = isinstance(value, Mapping)
        made[name] = _filled(value, leaves) if inner else value if known is None else shaped(known, value)
    return made


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        yield from _leaves(value) if isinstance(value, Mapping) else [(named(name), value)]


def _nnx(thing: Any, cls: Any) -> Callable[..., Any] | None:
    nnx: Any = sys.modules["flax.nnx"]
    given = list(inspect.signature(cls.__call__).parameters.values())[2:]
    told = [p.name for p in given if named(p.name) in ("flag", "inverted")]
    if any(p.default is p.empty and p.name not in told and p.kind is not p.VAR_KEYWORD for p in given):
        return None
    known: dict[Any, Any] = {}

    def made(x: Any) -> Any:
        """Another one each time: a pass changes the variables of a module."""
        key = _columns(x), x.ndim
        if key not in known:
            own = arguments(cls, *key, {"rngs": nnx.Rngs(0)}) if inspect.isclass(thing) else {}
            known[key] = nnx.split(cls(**own) if inspect.isclass(thing) else thing)
        return nnx.merge(*known[key], copy=True)

    try:
        with guarded(cls.__name__), quiet():
            first = made(sys.modules["jax.numpy"].zeros((4, COLUMNS)))
    except LayerRaised:
        return None
    places = {own: name for name, value in _variables(nnx, first) if (own := named(name)) in PLACES}
    settings, plain = numbers(vars(first)), [name for name, value in vars(first).items() if _tells(value)]
    flags = [] if told else list(modes(plain, True))

    def apply(values: dict[str, Any]) -> Any:
        module, training = made(values["x"]), values.get("training", True)
        for own, name in places.items():
            variable = getattr(module, name)
            variable.value = shaped(values[own], variable.value)
        changed = {name: values[own] for own, name in settings.items() if own in values}
        for name, value in (changed | modes(flags, training)).items():
            setattr(module, name, value)
        out = module(values["x"], **modes(told, training))
        after = [getattr(module, places[own]).value for own in ("mean", "var") if own in places]
        return (out, *after) if len(after) == 2 else out

    roles = frozenset({*places, *settings, *(["training"] if told or flags else [])})
    return as_function(apply, Held(roles, getattr(first, settings.get("momentum", ""), None)))


def _tells(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _variables(nnx: Any, module: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in vars(module).items() if isinstance(value, nnx.Variable)]
