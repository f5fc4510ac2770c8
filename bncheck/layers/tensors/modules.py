"""What the modules of JAX's libraries have in common: made for some columns, and a pure function once they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bncheck.layers.conventions import role_of
from bncheck.layers.tensors.signatures import role

COLUMNS = 5
PLACES = ("gamma", "beta", "mean", "var")
_ARGUMENTS = ("gamma", "beta", "mean", "var", "training", "eps")
_SETTINGS = ("eps", "momentum")


class Held(NamedTuple):
    """What a module has of a layer."""

    roles: frozenset[str]
    """Of gamma, beta, mean, var, training, eps and momentum."""
    share: float | None
    """Its momentum, where nobody says otherwise."""


def as_function(apply: Callable[[dict[str, Any]], Any], held: Held) -> Callable[..., Any]:
    """One whose arguments are what the module has."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ["x", *(name for name in _ARGUMENTS if name in held.roles)]
    given = [inspect.Parameter(name, kind) for name in names]
    if "momentum" in held.roles:
        given.append(inspect.Parameter("momentum", kind, default=held.share))
    names = [parameter.name for parameter in given]

    def batch_norm(*arguments: Any) -> Any:
        return apply(dict(zip(names, arguments, strict=True)))

    vars(batch_norm)["__signature__"] = inspect.Signature(given)
    return batch_norm


def named(name: str) -> str:
    """What a field, a variable or an argument of this name is for; nothing where it does not say."""
    return role(name) or ""


def modes(names: Iterable[str], training: bool) -> dict[str, bool]:
    """The arguments or fields that tell the mode, as they are set for it."""
    words = {"flag": training, "inverted": not training}
    return {name: words[own] for name in names if (own := named(name)) in words}


def numbers(held: Mapping[str, Any]) -> dict[str, str]:
    """By role, the names under which eps and momentum stand."""
    plain = {name: value for name, value in held.items() if isinstance(value, int | float) and value is not True}
    return {own: name for name in plain if (own := named(name)) in _SETTINGS}


def needed(cls: Any) -> list[str]:
    """What its constructor has no default for; a metaclass may not show the constructor's own signature."""
    is_class = inspect.isclass(cls)
    parameters = list(inspect.signature(cls.__init__ if is_class else cls).parameters.values())[is_class:]
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def arguments(cls: Any, width: int, rank: int, keys: Mapping[str, Any]) -> dict[str, Any]:
    """What a constructor cannot do without, for so many columns and pictures of so many axes."""
    asked = needed(cls)
    left = [name for name in asked if name not in keys and named(name) not in ("eps", "flag", "inverted", "momentum")]
    sized = next((name for name in left if (meant := role_of(name)) and meant.role in ("size", "shape")), None)
    sized = sized or next(iter(left), None)
    known: dict[str, Any] = {"eps": 1e-5, "momentum": 0.9, "flag": True, "inverted": False}
    given = {name: keys.get(name, known.get(named(name))) for name in asked}
    return given | {name: width if name == sized or "dim" not in name else rank for name in left}


def shaped(value: Any, like: Any) -> Any:
    """gamma and beta go in as vectors, and stand as whatever the module made of them."""
    return value if value is None else value.reshape(like.shape)
