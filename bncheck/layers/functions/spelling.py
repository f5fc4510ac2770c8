"""A function pair as it is called: the text of its passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients
from bncheck.errors import Unspelled
from bncheck.layers.functions import binding as by
from bncheck.layers.functions.layer import FunctionLayer, FunctionPass
from bncheck.layers.protocol import Call, Spelled
from bncheck.layers.writing_down import Text, call, literal, place_of, places
from bncheck.vocabulary import Mode

_ARRAYS = {"x": "x", "gamma": "gamma", "beta": "beta", "mean": "running_mean", "var": "running_var"}
_TAKEN = {*_ARRAYS.values(), "dout", "module", "np", "run"}
_CHANNELS = {"features first": 0, "(N, H, W, C)": 3}
Known = list[tuple[str, Any]]


def spell(layer: FunctionLayer, calls: tuple[Call, ...], dout: Array | None) -> Spelled:
    if len(calls) > 1:
        raise Unspelled("functions keep nothing from one pass to the next")
    made = layer.forward(calls[0])
    values = layer._values(calls[0], made.state._replace(dicts={}, running=None))
    arrays = {name: values[role] for role, name in _ARRAYS.items() if values[role] is not None}
    lines, known = _forward(made)
    out = layer.find_out(made.items, made.values["x"].shape)
    results = {"out": place_of(out, known)}
    for role in by.START:
        results[f"running_{role}"] = place_of(made._statistic(role), known)
    if dout is not None:
        arrays["dout"] = layer.layout.inwards(dout)
        line, gradients = _backward(made, dout, known)
        lines, results = [*lines, line], results | gradients
    found = {name: text for name, text in results.items() if text is not None}
    return Spelled(tuple(lines), found, arrays, _CHANNELS.get(layer.layout.name, 1))


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


def _backward(made: FunctionPass, dout: Array, known: Known) -> tuple[str, dict[str, str | None]]:
    layer = made.layer
    result = made.returned(dout)
    assert made.dout is not None
    given = layer.layout.inwards(dout)
    args, named = layer.plan(made, given)
    known = [("dout", given), *known]
    function = _reached(layer.pair.backward, layer.pair.backward_name)
    made_call = call(function, (_known(a, known) for a in args), ((k, _known(v, known)) for k, v in named.items()))
    items = [item for _, item in layer.results(result)]
    roles = {i: name for name, i in zip(Gradients._fields, layer.order, strict=True) if i is not None}
    if isinstance(result, tuple | list) and not any(isinstance(one, tuple | list) for one in result):
        names = [roles.get(i, f"extra{i}") for i in range(len(items))]
        return f"{', '.join(names)} = {made_call}", {name: name for name in names if name in Gradients._fields}
    inside = list(places(result, "result"))
    return f"result = {made_call}", {name: place_of(items[i], inside) for i, name in roles.items() if i < len(items)}


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
