"""Failures that are the fault of what is missing: a base class that would set an attribute, a tensor's own class."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from bncheck.layers.nothing import Nothing, stored

_TENSORS = {"tensor", "variable", "parameter", "var", "node", "value", "param", "array"}
_HOLDS = {"value", "val", "values", "array", "param", "grad", "requires_grad", "creator"}
"""Attributes of an object that holds an array and its gradient."""


class Absent:
    """Whatever stands in for something that is missing."""

    _name = ""


def blamed(error: BaseException) -> str | None:
    """One clause, if what is missing explains the failure."""
    return _not_there(error) or _unset(error) or _no_tensor(error)


def _not_there(error: BaseException) -> str | None:
    """An import inside of a function, or a package of which nothing but its folder could be had."""
    if isinstance(error, ModuleNotFoundError):
        return f"it imports {error.name} as it runs, which is missing"
    if not isinstance(error, AttributeError) or not isinstance(error.obj, ModuleType):
        return None
    bare = getattr(error.obj, "__file__", None) is None and hasattr(error.obj, "__path__")
    return f"it asks {error.obj.__name__} for {error.name}, and that package cannot be imported" if bare else None


def _unset(error: BaseException) -> str | None:
    """Nobody sets it, and there is a base class that may."""
    if not isinstance(error, AttributeError) or not error.name:
        return None
    owner: Any = getattr(error.obj, "__self__", error.obj) if isinstance(error.obj, super) else error.obj
    kind = type(owner)
    if not issubclass(kind, Nothing) or error.name in stored(kind):
        return None
    names = [base._name for part in kind.__mro__ for base in vars(part).get("__orig_bases__", ()) if _is_absent(base)]
    return f"{kind.__name__} asks itself for {error.name}, and its base class {' and '.join(names)} is missing"


def _is_absent(thing: object) -> bool:
    return isinstance(thing, Absent)


def _no_tensor(error: BaseException) -> str | None:
    """x.data of NumPy's array is a memoryview: nobody computes with that who did not expect another object."""
    asked = isinstance(error, AttributeError) and isinstance(error.obj, np.ndarray)
    missing = list(_tensors_near(error))
    known = isinstance(error, AttributeError) and error.name in _HOLDS
    if "memoryview" not in str(error) and not (asked and (missing or known)):
        return None
    what = f", as {' or '.join(missing)} would make, which is missing" if missing else ""
    return f"it takes an object that has its numbers in an attribute, not an array of NumPy's{what}"


def _tensors_near(error: BaseException) -> Iterator[str]:
    step, names = error.__traceback__, dict[str, object]()
    while step is not None:
        names |= step.tb_frame.f_globals
        step = step.tb_next
    for name, value in names.items():
        if isinstance(value, Absent) and name.lower() in _TENSORS:
            yield value._name
