"""What the backward function of a pair is given: what the forward left, by name or as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import Parameter
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.functions import binding as by
from bncheck.layers.functions import naming
from bncheck.layers.functions.answering import Answering
from bncheck.layers.functions.binding import Values
from bncheck.layers.functions.blobs import holder, key_of_dout
from bncheck.layers.functions.definition import dxhat, is_of_xhat, known_as, of_definition
from bncheck.layers.functions.layer import FunctionPass
from bncheck.layers.functions.split import Done

Plan = Callable[[FunctionPass, Array], tuple[list[Any], Values]]


def cache_of(made: FunctionPass) -> Any:
    """What the forward pass returns beside out and running statistics."""
    items = made.items
    given = {name: value for name, value in made.passed.items() if isinstance(value, dict)}
    passed = list(given.values())
    if len(items) == 1:
        # What it was given may hold everything.
        filled = [value for name, value in given.items() if naming.plain(name) in naming.CACHES.split()]
        return (passed if len(passed) == 1 else filled if len(filled) == 1 else [None])[0]
    out = made.layer.find_out(items, made.values["x"].shape)
    statistics = "mean" in made.layer.binding.named
    rest = [
        (name, item)
        for name, item in items
        if item is not out
        and not (statistics and naming.role_of(name) in naming.START)
        and all(item is not p for p in passed)
        if not (naming.is_settings(name) and isinstance(item, dict))
    ]
    named = [item for name, item in rest if naming.plain(name) in naming.CACHES.split()]
    packed = [item for _, item in rest if not isinstance(item, np.ndarray | np.number | float | None)]
    values = [item for _, item in rest]
    return (named or packed or [tuple(values) if len(values) > 1 else next(iter(values), None)])[0]


def pool_of(made: FunctionPass) -> dict[str, Any]:
    """What the forward pass leaves that has a name."""
    pool, cache = {name: item for name, item in made.items if name}, cache_of(made)
    if isinstance(cache, dict):
        pool.update(cache)
    elif hasattr(cache, "_asdict"):
        pool.update(cache._asdict())
    made_of = made.layer.source.made_of(made.layer.pair.forward_name, len(made.items))
    for (_, item), parts in zip(made.items, made_of, strict=False):
        if isinstance(item, tuple | list) and len(item) == len(parts):
            pool = {**{name: one for name, one in zip(parts, item, strict=True) if name}, **pool}
    return pool


def plans(made: FunctionPass) -> list[Plan]:
    pair, cache = made.layer.pair, cache_of(made)
    assert pair.backward is not None
    if pair.parts:
        return [_by_parts(made)]
    parameters = by.signature(pair.backward, pair.backward_name, made.layer.source)
    asks = any(naming.plain(one.name) in naming.CACHES.split() for one in parameters)
    found = list[Plan]()
    if isinstance(cache, dict) and not asks:
        found.append(lambda made, dout: ([dout], cache_of(made)))
    named = _by_name(parameters, made)
    found += [named] if named else []
    found.append(lambda made, dout: ([dout, cache_of(made)], {}))
    found.append(lambda made, dout: ([cache_of(made), dout], {}))
    if isinstance(cache, tuple | list):
        found.append(lambda made, dout: ([dout, *cache_of(made)], {}))
    return found


def _by_parts(made: FunctionPass) -> Plan:
    """What each part of the backward pass is given, and the gradients of those before it."""
    ways, done = list[Plan](), set[str]()
    for part in made.layer.pair.parts:
        parameters = by.signature(part.function, part.name, made.layer.source)
        named = _by_name(parameters, made, frozenset(done))
        ways.append(named or (lambda made, dout: ([dout, cache_of(made)], {})))
        done |= {"gamma", "beta"} if part.role == "params" else {part.role}
    return lambda made, dout: ([way(made, dout) for way in ways], {})


def _by_name(parameters: list[Parameter], made: FunctionPass, done: frozenset[str] = frozenset()) -> Plan | None:
    """``done`` are the gradients that are there already."""
    pool = pool_of(made)
    earlier = {one.name: role for one in parameters if (role := _gradient_of(one.name)) in done}
    source, backward = made.layer.source, made.layer.pair.backward_name
    blobs = {one.name: key for one in parameters if (key := key_of_dout(source, backward, one.name))}
    free = [one for one in parameters if one.name not in earlier]
    incoming = "" if blobs else _incoming(free, pool, made.layer.bare, not made.layer.pair.parts)
    sources = list[tuple[str, str, str]]()
    keywords = any(one.kind is one.KEYWORD_ONLY for one in parameters)
    for one in parameters:
        kind, key = ("dout", "") if one.name == incoming else _where(one.name, pool, made)
        kind, key = ("done", earlier[one.name]) if one.name in earlier else (kind, key)
        kind, key = ("blob", one.name) if one.name in blobs else (kind, key)
        if kind:
            sources.append((one.name, kind, key))
        elif one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD:
            if any(kind == "cache" for _, kind, _ in sources):
                return None
            sources.append((one.name, "cache", ""))

    def plan(made: FunctionPass, dout: Array) -> tuple[list[Any], Values]:
        given = {"dout": {"": dout}, "cache": {"": cache_of(made)}, "role": made.values, "passed": made.passed}
        given |= {"pool": pool_of(made), "grads": {"": Answering({}, {}, naming.role_of)}}
        given |= {"done": {role: Done(role) for role in done}, "definition": of_definition(made)}
        left = (given["pool"], made.passed, made.result, cache_of(made))
        given["definition"]["dxhat"] = dxhat(made, dout)
        given["blob"] = {name: {**holder(name, *left), key: dout} for name, key in blobs.items()}
        values = {name: given[kind].get(key) for name, kind, key in sources}
        leading = not keywords and [one.name for one in parameters][: len(sources)] == list(values)
        return ([*values.values()], {}) if leading else ([], values)

    return plan


def _incoming(parameters: list[Parameter], pool: dict[str, Any], bare: bool, whole: bool) -> str:
    """What is dout; of a ``whole`` backward pass there is always one."""
    left = {*map(naming.plain, pool), *naming.CACHES.split()}
    free = [one.name for one in parameters if naming.plain(one.name) not in left and not known_as(one.name)]
    # That of xhat is for the caller to make of it.
    free = [name for name in free if not is_of_xhat(name)] or (free if whole else [])
    roles = {one.name: naming.role_of(one.name) for one in parameters}
    # A g beside a gamma is a gradient.
    twice = [name for name in free if len(name) == 1 and [*roles.values()].count(roles[name]) > 1]
    unknown = [name for name in free if not roles[name] or (bare and roles[name] in ("gamma", "beta")) or name in twice]
    likely = [name for name in unknown if re.match(r"d|grad|delta|up|err|top", naming.plain(name))]
    return next(iter(likely or unknown or free), "")


def _where(name: str, pool: dict[str, Any], made: FunctionPass) -> tuple[str, str]:
    if naming.plain(name) in naming.CACHES.split():
        return "cache", ""
    if naming.plain(name) in naming.GRADS.split() and name not in made.passed:
        return "grads", ""
    if name in pool:
        return "pool", name
    if name in made.passed:
        return "passed", name
    if alike := _alike(name, pool):
        return "pool", alike
    if alike := next((one for one in made.passed if naming.plain(one) == naming.plain(name)), ""):
        return "passed", alike
    if said := known_as(name) or ("dxhat" if is_of_xhat(name) else ""):
        return "definition", said
    role = naming.role_of(name) or made.layer.source.keyed(made.layer.pair.backward_name).get(name, "")
    return ("role", role) if made.values.get(role) is not None else ("", "")


def _gradient_of(name: str) -> str:
    """gamma of dgamma and grad_gamma, and not of gamma itself."""
    return naming.gradient_of(name) if re.match(r"d|grad", naming.plain(name)) else ""


def _alike(name: str, pool: dict[str, Any]) -> str:
    """mean is what the forward pass calls sample_mean, where nothing else that it leaves is a mean of the batch's."""
    own = [one for one in pool if not naming.is_kept(one) and _bare(one) == _bare(name)]
    return own[0] if len(own) == 1 else ""


def _bare(name: str) -> str:
    word = re.sub(r"^(batch|sample|mini)+", "", naming.plain(name))
    role = naming.role_of(word)
    return role if role in naming.START else word
