"""Failures of a class that are no mistake of its own: it was called by a guess, or without what comes before."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Final

import numpy as np

from bncheck.errors import LayerRaised
from bncheck.layers.classes.plan import Plan
from bncheck.layers.conventions import VALUES, prepares
from bncheck.layers.isolation import Unrunnable, guarded, one_line, quiet, where

_OF_TENSORS: Final = {*VALUES, "grad", "requires_grad", "is_leaf", "creator", "numpy", "detach", "tensor"}


@contextlib.contextmanager
def running(plan: Plan, method: str) -> Iterator[None]:
    """``guarded``, for a method of the class; "" stands for making an instance."""
    name = f"{plan.name}.{method}" if method else plan.name
    try:
        with quiet(), guarded(name):
            yield
    except LayerRaised as error:
        cause = error.__cause__
        said = cause and (
            _unset(plan, cause) or _wrapped(cause) or _mixed(plan, cause) or _unknown(plan, method, cause)
        )
        if said and not isinstance(error, Unrunnable):
            raise Unrunnable(f"{name} {said}") from cause
        raise


def _unset(plan: Plan, error: BaseException) -> str | None:
    """An attribute that only a method sets that has no part in the layer's two passes."""
    if not isinstance(error, AttributeError) or not error.name or type(error.obj) is not plan.recipe.kind:
        return None
    setters = list(dict.fromkeys(plan.recipe.text.setters(error.name)))
    own = {plan.forward, plan.backward, "__init__"}
    if not setters or any(name in own or prepares(name) for name in setters):
        return None
    return f"reads self.{error.name}, which {' or '.join(setters)} has to set before: that is not done here"


def _wrapped(error: BaseException) -> str | None:
    """x.value, where x is to be an object of the user's package that holds an array."""
    if not isinstance(error, AttributeError) or not isinstance(error.obj, np.ndarray) or error.name not in _OF_TENSORS:
        return None
    return f"asks an array for .{error.name}, which a tensor of its own package would have: it is given plain arrays"


def _mixed(plan: Plan, error: BaseException) -> str | None:
    """Numbers among objects of the file's own that keep their gradients."""
    if not isinstance(error, TypeError) or "unsupported operand" not in str(error):
        return None
    space = vars(sys.modules[plan.recipe.kind.__module__]) if plan.recipe.kind.__module__ in sys.modules else {}
    space = space or getattr(getattr(plan.recipe.kind, plan.forward), "__globals__", {})
    kinds = [name for name in re.findall(r"'(\w+)'", str(error)) if hasattr(space.get(name), "backward")]
    return f"computes with objects of {kinds[0]}, one for each number: it is given arrays" if kinds else None


def _unknown(plan: Plan, method: str, error: BaseException) -> str | None:
    """An argument whose name says nothing to us, and that had to be made up."""
    arguments = {plan.forward: plan.forward_arguments, plan.backward: plan.backward_arguments}.get(method)
    names = [name for name, role in arguments.roles if not role] if arguments else []
    if plan.innocent or isinstance(error, NameError):
        return None
    if not method and not plan.recipe.guessed() and isinstance(error, TypeError) and not where(error):
        return f"cannot be made with what is known here: {one_line(error)}"
    if not method or (not names and isinstance(error, ValueError)):
        names = plan.recipe.guessed()  # sizes of arrays may have come of them
    return f"asks for {', '.join(names)}, and what that is cannot be told: {one_line(error)}" if names else None
