"""Functions over a tensor class of the file's own, which goes back by itself: as a pair of functions of arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.functions import naming
from bncheck.layers.functions.pairs import Pair
from bncheck.layers.isolation import guarded, quiet

LEAVES = ("x", "gamma", "beta")


def tensor_in(space: dict[str, Any]) -> Any:
    """The class whose objects hold an array in .data, its gradient in .grad, and have a way back."""
    return next((one for one in space.values() if isinstance(one, type) and _is_tensor(one)), None)


def _is_tensor(kind: type) -> bool:
    if not callable(getattr(kind, "backward", None)):
        return False
    try:
        with quiet(), guarded(kind.__name__):
            made: Any = kind(np.ones((2, 3)))
            return isinstance(made.data, np.ndarray) and made.data.shape == (2, 3) and hasattr(made, "grad")
    except Exception:  # a class that wants something else is no tensor
        return False


def over_arrays(pair: Pair, tensor: Any) -> Pair:
    """x, gamma and beta go in as tensors; what comes out is unwrapped, and its own backward is the backward pass."""

    @functools.wraps(pair.forward)
    def forward(*arguments: Any, **options: Any) -> Any:
        # The way back is gone anew, for the graph of a tensor is not made for being gone twice.
        kept = deepcopy((arguments, options))
        out, _ = _run(pair.forward, tensor, arguments, options)
        return _plain(out), kept

    def backward(dout: Array, cache: Any) -> Any:
        arguments, options = deepcopy(cache)
        out, leaves = _run(pair.forward, tensor, arguments, options)
        pull(tensor, out[0] if isinstance(out, tuple | list) else out, dout)
        return tuple(numbers_of(leaves[role].grad) for role in LEAVES)

    return pair._replace(forward=forward, backward_name=f"{tensor.__name__}.backward", backward=backward)


def _run(function: Callable[..., Any], tensor: Any, arguments: Any, options: Any) -> tuple[Any, dict[str, Any]]:
    given = inspect.signature(function).bind(*arguments, **options).arguments
    leaves = {role: leaf(tensor, given[name]) for name in given if (role := naming.role_of(name)) in LEAVES}
    return function(
        **given | {name: leaves[role] for name in given if (role := naming.role_of(name)) in leaves}
    ), leaves


def leaf(tensor: Any, array: Array) -> Any:
    """A tensor that is to have a gradient, where its class asks for that."""
    asked = "requires_grad" in inspect.signature(tensor).parameters
    return tensor(array, requires_grad=True) if asked else tensor(array)


def _plain(value: Any) -> Any:
    return _plain(value[0]) if isinstance(value, tuple | list) else np.array(value.data)


def numbers_of(value: Any) -> Any:
    """The array in a tensor, or in the tensor that its gradient is."""
    return value if value is None else np.array(value if isinstance(value, np.ndarray) else value.data)


def pull(tensor: Any, out: Any, dout: Array) -> None:
    """By the gradient of sum(out * dout), or by handing dout to backward where it takes one."""
    asked = [p for p in inspect.signature(out.backward).parameters.values() if p.default is p.empty]
    if asked or not hasattr(out, "sum"):
        out.backward(dout)
    else:
        (out * tensor(dout)).sum().backward()
