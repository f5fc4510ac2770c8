"""Which methods of a user's class are its forward and its backward pass: by their names."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from bncheck.layers import conventions as names
from bncheck.layers.conventions import flat
from bncheck.layers.functions.pairs import OTHERS, member
from bncheck.layers.nothing import Nothing
from bncheck.layers.titles import speaks_of_layer

_WEAK = (
    "propagate",
    "apply",
    "transform",
    "normalize",
    "output",
    "compute",
    "predict",
    "grad",
    "gradient",
    "gradients",
)


def method_names(kind: type) -> list[str]:
    private = tuple(f"_{base.__name__.lstrip('_')}__" for base in kind.__mro__)
    own = {name for base in kind.__mro__ if base not in (object, Nothing) for name in vars(base)}
    return sorted(n for n in own if callable(getattr(kind, n, None)) and not n.startswith(private))


def find_method(kind: type, table: Iterable[str], part: str = "", but: tuple[str, ...] = ()) -> str | None:
    """The first that the table names, the class's own before inherited ones; failing that, one that has ``part``."""
    order = {name: place for place, name in enumerate(table)}
    known = [name for name in method_names(kind) if flat(name) in order]
    if known:
        # An inherited backward() without arguments is the optimizer's step, and gradient(dout) the pass.
        idle = {name for name in known if part and not _is_handed_something(kind, name)}
        return min(known, key=lambda n: (n in idle, flat(n) in _WEAK, n not in vars(kind), order[flat(n)]))
    others = [n for n in method_names(kind) if part and part in flat(n) and not any(b in flat(n) for b in but)]
    return min(others, key=len) if others else None


def _is_handed_something(kind: type, name: str) -> bool:
    try:
        found = inspect.signature(getattr(kind, name)).parameters.values()
    except (TypeError, ValueError):
        return True
    is_static = isinstance(inspect.getattr_static(kind, name), staticmethod | classmethod)
    return len(found) > (0 if is_static else 1) or any(p.kind is p.VAR_POSITIONAL for p in found)


def forward_of(kind: type) -> str | None:
    if found := inner_of(kind, "forward"):
        return found
    plain = find_method(kind, names.FORWARD, "forward", ("backward", *names.TEST_FORWARD))
    train = find_method(kind, names.TRAIN_FORWARD)
    return train if plain is None or (train and _apart(kind, plain, train)) else plain


def backward_of(kind: type) -> str | None:
    if inner_of(kind, "forward"):
        return inner_of(kind, "backward")
    return find_method(kind, names.BACKWARD, "backward") or find_method(kind, (), "backprop") or _torch7(kind)


def inner_of(kind: type, part: str) -> str | None:
    """batchnorm_forward and batchnorm_backward of a class that is something larger, a dense layer or a network."""
    if speaks_of_layer(kind.__name__, None):
        return None
    found = [one for one in map(member, method_names(kind)) if one.norm and not one.variant & OTHERS]
    said = [one.name for one in found if one.part == part]
    if part == "forward" and not said and any(one.part == "backward" for one in found):
        said = [one.name for one in found if not one.part]
    return min(said, key=len, default=None)


def _apart(kind: type, plain: str, train: str) -> bool:
    """Whether a forward beside a forward_training is the test pass, and not what chooses or what is chosen."""
    if train == plain:
        return False
    called = {name: getattr(getattr(getattr(kind, name), "__code__", None), "co_names", ()) for name in (plain, train)}
    return flat(plain) == "forward" and train not in called[plain] and plain not in called[train]


def _torch7(kind: type) -> str | None:
    return find_method(kind, ("updategradinput",))


def plain_beside(kind: type, forward: str) -> str | None:
    plain = find_method(kind, ("forward",)) if flat(forward) in names.TRAIN_FORWARD else None
    return plain if plain and _apart(kind, plain, forward) else None
