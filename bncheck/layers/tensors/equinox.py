"""Equinox modules as functions: their fields are replaced, their statistics handed in and taken out as its State."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from typing import Any

from bncheck.errors import LayerRaised
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.tensors.modules import COLUMNS, PLACES, Held, arguments, as_function, modes, named, numbers, shaped

_AXIS = "batch"


def unbound(thing: Any) -> Callable[..., Any] | None:
    """The function of what a module has of gamma, beta, statistics, a mode, eps and momentum; None for what is none."""
    library: Any = sys.modules.get("equinox")
    cls: Any = thing if inspect.isclass(thing) else type(thing)
    if library is None or not issubclass(cls, library.Module) or "__call__" not in dir(cls):
        return None
    given = list(inspect.signature(cls.__call__).parameters.values())[1:]
    told = [p.name for p in given if named(p.name) in ("flag", "inverted")]
    stateful = any(named(p.name) == "state" for p in given)
    if any(p.default is p.empty and named(p.name) not in ("x", "state", "flag", "inverted") for p in given[1:]):
        return None
    made = _maker(library, thing, cls)
    try:
        with guarded(cls.__name__), quiet():
            first, state = made(COLUMNS, None)
    except LayerRaised:
        return None
    held = {field.name: getattr(first, field.name, None) for field in dataclasses.fields(cls)}
    places = _places(library, held, state)
    settings, flags = numbers(held), [] if told else list(modes([n for n, v in held.items() if _tells(v)], True))

    def apply(values: dict[str, Any]) -> Any:
        module, state = made(int(values["x"].shape[-1]), values["x"].dtype)
        training = values.get("training", True)
        new = {name: values[own] for own, name in settings.items() if own in values} | modes(flags, training)
        for own, (name, _) in places.items():
            if own in ("gamma", "beta"):
                new[name] = shaped(values[own], getattr(module, name))
        twin = _twin(module, new)
        state = _filled(twin, state, places, values)
        result = _called(twin, values["x"], state if stateful else None, modes(told, training))
        out, after = result if isinstance(result, tuple) else (result, None)
        if after is None or not {"mean", "var"} <= places.keys():
            return out
        return out, *(_part(after.get(getattr(twin, name)), at) for name, at in (places["mean"], places["var"]))

    roles = frozenset({*places, *settings, *(["training"] if told or flags else [])})
    return as_function(apply, Held(roles, held.get(settings.get("momentum", ""))))


def _maker(library: Any, thing: Any, cls: Any) -> Callable[[int, Any], tuple[Any, Any]]:
    """A module for so many columns in the precision in use, and a state of its own: of one, another is made once."""
    jax, known = sys.modules["jax"], dict[Any, Any]()

    def made(width: int, dtype: Any) -> tuple[Any, Any]:
        if (key := (width, dtype)) not in known:
            keys = {"key": jax.random.PRNGKey(0), "axis_name": _AXIS}
            own = arguments(cls, width, 2, keys) if inspect.isclass(thing) else {}
            module, state = library.nn.make_with_state(lambda: cls(**own) if inspect.isclass(thing) else thing)()
            leaves, structure = jax.tree.flatten(state)
            known[key] = module, [_widened(leaf, dtype) for leaf in leaves], structure
        module, leaves, structure = known[key]
        return module, jax.tree.unflatten(structure, leaves)

    return made


def _widened(leaf: Any, dtype: Any) -> Any:
    """What an instance that was made in 32 bits keeps, as it would have made it in the precision of x."""
    arrays = sys.modules["jax.numpy"]
    if leaf.ndim == 0 and leaf.weak_type:
        return arrays.array(leaf.item())
    return leaf.astype(dtype) if dtype is not None and arrays.issubdtype(leaf.dtype, arrays.floating) else leaf


def _places(library: Any, held: dict[str, Any], state: Any) -> dict[str, tuple[str, int | None]]:
    """By role, the field, and which part of a pair that is kept in one piece of state."""
    found: dict[str, tuple[str, int | None]] = {}
    for name, value in held.items():
        index = isinstance(value, library.nn.StateIndex)
        kept = state.get(value) if index else value
        if isinstance(kept, tuple) and [getattr(part, "shape", ()) for part in kept] == [(COLUMNS,)] * 2:
            found |= {"mean": (name, 0), "var": (name, 1)}
        elif (own := named(name)) in PLACES and hasattr(kept, "shape") and index == (own in ("mean", "var")):
            found[own] = (name, None)
    return found


def _filled(module: Any, state: Any, places: dict[str, Any], values: dict[str, Any]) -> Any:
    pairs: dict[str, dict[int | None, Any]] = {}
    for own in ("mean", "var"):
        if own in places:
            name, at = places[own]
            pairs.setdefault(name, {})[at] = values[own]
    for name, parts in pairs.items():
        index = getattr(module, name)
        new = (parts[0], parts[1]) if 0 in parts else shaped(parts[None], state.get(index))
        state = _set(state, index, new)
    return state


def _set(state: Any, index: Any, new: Any) -> Any:
    """What a module keeps has the dtype that the module gave it."""
    fitting = sys.modules["jax"].tree.map(lambda old, value: value.astype(old.dtype), state.get(index), new)
    return state.set(index, fitting)


def _called(module: Any, x: Any, state: Any, told: dict[str, bool]) -> Any:
    """A module that names an axis takes one row at a time."""
    if not hasattr(module, "axis_name"):
        return module(x, **told) if state is None else module(x, state, **told)
    over = sys.modules["jax"].vmap
    if state is None:
        return over(lambda row: module(row, **told), axis_name=_AXIS)(x)
    each = over(lambda row, own: module(row, own, **told), (0, None), (0, None), axis_name=_AXIS)
    return each(x, state)


def _twin(module: Any, new: dict[str, Any]) -> Any:
    twin = object.__new__(type(module))
    for field in dataclasses.fields(module):
        object.__setattr__(twin, field.name, new.get(field.name, getattr(module, field.name, None)))
    return twin


def _part(value: Any, at: int | None) -> Any:
    return value if at is None else value[at]


def _tells(value: Any) -> bool:
    return value is None or isinstance(value, bool)
