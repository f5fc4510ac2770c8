"""A function pair as it is called: the text of its passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.errors import Unspelled
from bncheck.layers.functions import naming
from bncheck.layers.functions.kept import Attributes, Held, Home
from bncheck.layers.functions.layer import FunctionLayer, FunctionPass
from bncheck.layers.protocol import Call, Spelled
from bncheck.layers.writing_down import Text, call, literal, place_of, places
from bncheck.vocabulary import Mode

_ARRAYS = {"x": "x", "gamma": "gamma", "beta": "beta", "mean": "running_mean", "var": "running_var"}
_TAKEN = {*_ARRAYS.values(), "dout", "module", "np", "run"}
_CHANNELS = {"features first": 0, "(N, H, W, C)": 3}
Known = list[tuple[str, Any]]


def spell(layer: FunctionLayer, calls: tuple[Call, ...], dout: Array | None) -> Spelled:
    if layer.bare:
        raise Unspelled(f"gamma and beta are applied to what {layer.pair.forward_name} returns")
    if len(calls) > 1:
        raise Unspelled("functions keep nothing from one pass to the next")
    if hasattr(layer.pair.forward, "__wrapped__") or layer.keeper.cells:
        raise Unspelled("its functions are wrapped in others")
    if any(naming.plain(slot.name) in naming.CONTEXTS.split() for slot in layer.binding.slots):
        raise Unspelled("it takes a context")
    if getattr(layer.pair.backward, "__module__", "").startswith("bncheck."):
        what = "several functions" if layer.pair.parts else "a function that the forward pass returns"
        raise Unspelled(f"its backward pass is {what}")
    if any(slot.answers for slot in layer.binding.slots):
        raise Unspelled("it makes the keys of its parameters as it asks for them")
    made = layer.forward(calls[0])
    values = layer._values(calls[0], made.state._replace(dicts={}, running=None))
    arrays = {name: values[role] for role, name in _ARRAYS.items() if values[role] is not None}
    lines, known = _forward(made)
    kept = {role: _home(home, made.held) for role, home in layer.homes.items()}
    if calls[0].running is not None:
        arrays |= {_ARRAYS[role]: layer.layout.parameter(getattr(calls[0].running, role)) for role in kept}
        lines = [*(f"{text} = {_ARRAYS[role]}.copy()" for role, text in kept.items()), *lines]
    out = layer.find_out(made.items, made.values["x"].shape)
    results = {"out": place_of(out, known)}
    for role in naming.START:
        results[f"running_{role}"] = place_of(made._statistic(role), known) or kept.get(role)
    if dout is not None:
        arrays["dout"] = layer.layout.inwards(dout)
        back, gradients = _backward(made, dout, known)
        lines, results = [*lines, *back], results | gradients
    found = {name: text for name, text in results.items() if text is not None}
    return Spelled(tuple(lines), found, arrays, _CHANNELS.get(layer.layout.name, 1))


def _home(home: Home, held: Held) -> str:
    """A global, an entry of one, or an attribute of one."""
    if home.key is None:
        return f"module.{home.name}"
    first, *rest = home.key if isinstance(home.key, tuple) else (home.key,)
    dotted = isinstance(held.get(home.name), Attributes)
    within = f".{first}" if dotted else f"[{literal(first)}]"
    return f"module.{home.name}{within}" + "".join(f"[{literal(key)}]" for key in rest)


def _forward(made: FunctionPass) -> tuple[list[str], Known]:
    """The lines, and the names under which they leave what there is."""
    layer, test = made.layer, made.call.settings.mode is Mode.TEST
    binding = layer.inference if layer.inference is not None and test else layer.binding
    function = layer.pair.inference if binding is layer.inference else layer.pair.forward
    name = layer.pair.inference_name if binding is layer.inference else layer.pair.forward_name
    texts = {role: Text(name) for role, name in _ARRAYS.items() if made.values[role] is not None}
    texts |= {"zeros": Text("np.zeros_like(gamma)"), "ones": Text("np.ones_like(gamma)")}
    args, named, passed = binding.arguments({**made.values, **texts, "state": {}})
    spread = {slot.name for slot in binding.slots if slot.spread}
    dicts = {key: value for key, value in passed.items() if isinstance(value, dict) and key not in spread}
    lines = [f"{key} = {literal(value)}" for key, value in dicts.items()]
    short = {id(value): Text(key) for key, value in dicts.items()}
    args = [short.get(id(value), value) for value in args]
    targets, known = _targets(made)
    pairs = [(key, short.get(id(value), value)) for key, value in named.items()]
    lines.append(f"{targets} = {call(_reached(function, name), args, pairs)}")
    for key in dicts:
        known += places(made.passed[key], key)
    known += [(text, made.values[role]) for role, text in _ARRAYS.items()]
    return lines, known


def _targets(made: FunctionPass) -> tuple[str, Known]:
    """What stands before the equals sign, and what that gives names to."""
    if not isinstance(made.result, tuple | list):
        name = "result" if isinstance(made.result, dict) else "out"
        return name, list(places(made.result, name))
    names = list[str]()
    for i, (name, _) in enumerate(made.items):
        free = name.isidentifier() and name not in {*names, *made.passed}
        names.append((f"new_{name}" if name in _TAKEN else name) if free else f"result{i}")
    inside = [place for name, (_, item) in zip(names, made.items, strict=True) for place in places(item, name)]
    return ", ".join(names), inside


def _backward(made: FunctionPass, dout: Array, known: Known) -> tuple[list[str], dict[str, str | None]]:
    layer = made.layer
    given = layer.layout.inwards(dout)
    args, named = layer.plan(made, given)
    known = [("dout", given), *known]
    # A dict that the gradients are to be written into.
    empty = [("grads", one) for one in (*args, *named.values()) if isinstance(one, dict) and not one]
    lines, known = [f"{name} = {{}}" for name, _ in empty[:1]], [*empty[:1], *known]
    function = _reached(layer.pair.backward, layer.pair.backward_name)
    said = call(function, (_known(a, known) for a in args), ((k, _known(v, known)) for k, v in named.items()))
    result, gradients = made.run_backward(args, named)
    items = layer.results(gradients)
    roles = {i: name for name, i in zip(Gradients._fields, layer.order, strict=True) if i is not None}
    found = {name: items[i][1] for i, name in roles.items() if i < len(items)}
    dicts = [place for name, one in known if isinstance(one, dict) and "[" not in name for place in places(one, name)]
    names, inside = _gradient_targets(result, found)
    inside += [place for value in found.values() for place in _row_of(value, inside)]
    where = {role: place_of(value, [*inside, *dicts]) for role, value in found.items()}
    return [*lines, f"{names} = {said}".removeprefix(" = ")], where


def _row_of(value: Any, known: Known) -> Known:
    """A gradient that is one row of an array of several."""
    base: Any = getattr(value, "base", None)
    whole: Known = [(name, one) for name, one in known if isinstance(one, np.ndarray) and base is one]
    rows = [(f"{name}[{i}]", row) for name, one in whole for i, row in enumerate(one)]
    return [(text, value) for text, row in rows if np.shares_memory(row, value)]


def _gradient_targets(result: Any, found: dict[str, Any]) -> tuple[str, Known]:
    """What the result is taken under: the names of the gradients, if it is nothing but these."""
    parts = result if isinstance(result, tuple) else (result,)
    names = [place_of(part, found.items()) or f"extra{i}" for i, part in enumerate(parts)]
    if result is None:
        return "", []
    if isinstance(result, tuple | dict | list) and all(name.startswith("extra") for name in names[-1:]):
        return "result", list(places(result, "result"))
    return ", ".join(names), list(zip(names, parts, strict=True))


def _known(value: Any, known: Known) -> Any:
    """What a backward pass is given, by the name that it has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if place := place_of(value, known):
        return Text(place)
    if isinstance(value, tuple):
        return tuple(_known(item, known) for item in value)
    if isinstance(value, np.ndarray | dict | list):
        raise Unspelled("what its backward pass is given cannot be traced to the forward pass")
    return value


def _reached(function: Any, name: str) -> str:
    """From the module: a function, or a method of a class that needs no object."""
    owner, _, last = getattr(function, "__qualname__", name).rpartition(".")
    if not owner.isidentifier() or last != name:
        return f"module.{name}"
    bound = not isinstance(getattr(function, "__self__", None), type | None)
    return f"object.__new__(module.{owner}).{name}" if bound else f"module.{owner}.{name}"
