"""A backward pass that is several functions: one for each gradient, or one for dx and one for the parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bncheck.layers.functions import naming
from bncheck.layers.functions.binding import Function, Values
from bncheck.layers.functions.naming import plain

_MARK = (
    r"dloss|dldw|dld|dl|dj|d|gradients|gradient|grads|grad|backwards|backward|backpropagation|backpropagate|backprop|"
    r"bprop|bwd|back|derivatives|derivative|deriv|partial|delta|del|nabla|vjp"
)
_NORM = r"batchnormalization|batchnormalisation|batchnormalize|batchnorm|bnorm|bn"
_EMPTY = rf"{_NORM}|compute|calculate|calc|get|of|wrt|withrespectto|by|for|the|loss|l|step|pass|[12]d|np"
_WHAT = {
    "gamma": "gammas|gamma|scale|scaling|gain",
    "beta": "betas|beta|betta|shift|offset",
    "params": "params|parameters|gammabeta|gammaandbeta|gammasandbetas|scaleshift|scaleandshift|affine",
    "x": "x|xin|inputs|input|inp|z|h|a|u|data",
}
_OF_NORM = {"gamma": "weights|weight|w|g", "beta": "bias|b"}
"""Words that other layers have too: they count where the function says that it is of this one."""
ROLES = ("gamma", "beta", "params", "x")


class Part(NamedTuple):
    role: str
    """gamma, beta or x; params is both of the first."""
    name: str
    function: Function


class Done(NamedTuple):
    """In place of an argument: the gradient that an earlier part has returned."""

    role: str


def part_of(name: str) -> str:
    """The gradient that a function is named after; "" where it is none: d_gamma, grad_beta, bn_backward_dx."""
    word = re.sub(r"^_+", "", plain(name))
    for role, words in _WHAT.items():
        known = f"{words}|{_OF_NORM[role]}" if role in _OF_NORM and re.search(_NORM, word) else words
        found = re.fullmatch(rf"((?:{_EMPTY}|{_MARK})*?)(?:{known})((?:{_EMPTY}|{_MARK})*)", word)
        if found and not all(re.fullmatch(rf"(?:{_EMPTY})*", side) for side in found.groups()):
            return role
    return ""


def parts_in(functions: dict[str, Function]) -> tuple[Part, ...]:
    """One for each gradient, in the order in which they may need each other; empty where one is lacking."""
    known = [Part(role, name, one) for name, one in functions.items() if (role := part_of(name))]
    own = [part for part in known if re.search(_NORM, plain(part.name))]
    chosen = {role: [p for p in own if p.role == role] or [p for p in known if p.role == role] for role in ROLES}
    of_both = not (chosen["gamma"] and chosen["beta"])
    wanted = ("params", "x") if of_both else ("gamma", "beta", "x")
    if not all(chosen[role] for role in wanted):
        return ()
    order = list(functions)
    first = order.index(chosen[wanted[0]][0].name)
    # Other layers of the file have a dx too: it is the one that stands beside.
    return tuple(min(chosen[role], key=lambda part: abs(order.index(part.name) - first)) for role in wanted)


def name_of(parts: Iterable[Part]) -> str:
    return ", ".join(part.name for part in parts)


def together(parts: tuple[Part, ...], names: Callable[[str, int], list[str]]) -> Function:
    """One function of the arguments and keywords of each part, in turn, that returns the gradients by name.

    ``names`` tells what the results of a function are called.
    """

    def backward(*calls: tuple[list[Any], Values]) -> dict[str, Any]:
        found = dict[str, Any]()
        for part, (args, named) in zip(parts, calls, strict=True):
            given = [_settled(one, found) for one in args]
            result = part.function(*given, **{key: _settled(one, found) for key, one in named.items()})
            found |= _gradients(part, result, names)
        return found

    return backward


def _settled(value: Any, found: dict[str, Any]) -> Any:
    return found[f"d{value.role}"] if isinstance(value, Done) else value


def _gradients(part: Part, result: Any, names: Callable[[str, int], list[str]]) -> dict[str, Any]:
    if part.role != "params":
        first = result[0] if isinstance(result, tuple | list) and len(result) else result
        return {f"d{part.role}": first}
    pairs = list(result.items()) if isinstance(result, dict) else []
    if isinstance(result, tuple | list):
        pairs = list(zip(names(part.name, len(result)), result, strict=True))
    roles = [naming.gradient_of(str(name)) for name, _ in pairs]
    roles = roles if {"gamma", "beta"} <= set(roles) else ["gamma", "beta", *roles[2:]]
    return {f"d{role}": value for role, (_, value) in zip(roles, pairs, strict=False)}
