"""Layers in JAX: functions, and Flax's own module as one."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.protocol import Layer
from bncheck.layers.tensors.arrays import Functional, ordered
from bncheck.layers.tensors.equinox import unbound
from bncheck.layers.tensors.flax import function_of
from bncheck.layers.tensors.signatures import Signature
from bncheck.layers.tensors.stax import applied
from bncheck.layers.tensors.trials import counterpart, defined, is_backward, placed, settled, speaks, titled
from bncheck.vocabulary import Mode


def _on_what_there_is(config: Any) -> None:
    """A file that asks for a platform which this machine lacks is run on one that it has."""
    try:
        sys.modules["jax"].devices()
    except RuntimeError:
        config.update("jax_platforms", None)
        config.update("jax_platform_name", "cpu")


@dataclass(frozen=True)
class Jax:
    """Differentiates by vjp, and by the user's own rule where there is one."""

    by_hand: tuple[Any, Signature] | None = None
    by_grad = False
    compiles = True
    widest = "float64"

    @property
    def automatic(self) -> bool:
        return self.by_hand is None

    def tensor(self, array: Array) -> Any:
        return sys.modules["jax.numpy"].asarray(array)

    # Nothing can be written into an array, and none knows how it came about.
    root = handed = tensor

    def value(self, out: Any, dtype: Any) -> Any:
        return out.astype(dtype)

    def spoken(self, _: Mode) -> Any:
        return nullcontext()

    def array(self, tensor: Any) -> Array:
        """NumPy has no bfloat16 of its own, and all of its numbers are float32's too."""
        made = np.array(tensor)
        return made.astype(np.float32) if made.dtype.name == "bfloat16" else made

    def context(self) -> Any:
        return None

    @contextmanager
    def precision(self, dtype: Any) -> Iterator[None]:
        config: Any = sys.modules["jax"].config
        _on_what_there_is(config)
        before = config.jax_enable_x64
        config.update("jax_enable_x64", before or dtype == np.float64)
        try:
            yield
        finally:
            config.update("jax_enable_x64", before)

    def differentiable(self, function: Any, leaves: Any, _: Mode) -> tuple[Any, Any, Any, tuple[str, ...]]:
        tensors = list(map(self.tensor, leaves))
        if self.by_hand:
            backward, signature = self.by_hand
            out, after, cache = function(*tensors)
            return (
                out,
                after,
                lambda dout: ordered(signature.call(backward, {"x": self.tensor(dout), "cache": cache})),
                (),
            )

        def split(*parts: Any) -> tuple[Any, Any]:
            out, after, _ = function(*parts)
            return out, after

        def pull(dout: Array) -> Any:
            # Most passes are never differentiated, and a vjp costs ten times what the pass itself does.
            made, back, _ = sys.modules["jax"].vjp(split, *tensors, has_aux=True)
            return *back(self.tensor(dout).astype(made.dtype)), made

        out, after, _ = function(*tensors)
        return out, after, pull, ()


def of(thing: object, name: str, path: str = "") -> Layer | None:
    """A function over JAX arrays, or a pair of them, forward and backward.  a module of Flax's is made one."""
    if "jax" not in sys.modules:
        return None
    function, backward = (*thing, None)[:2] if isinstance(thing, tuple) and thing else (thing, None)
    made = function_of(function) or unbound(function)
    if not callable(function) or (made is None and not speaks(function, "jax")):
        return None
    made = made or applied(function)
    if made is None and inspect.isclass(function):
        return None
    back = Signature.of(backward, ("x", "cache")) if backward else None
    signature = Signature.of(made or function) or (Signature.of(made, ("x",)) if made else None)
    if signature is None:
        return None
    bare = not signature.takes("gamma", "params")
    layer = Functional(name, made or function, signature, Jax((backward, back) if back else None), bare=bare)
    way = f"gradients by {getattr(backward, '__name__', 'backward')}" if back else "gradients by vjp"
    return settled(layer, f"{_kind(function, made)} {name}", way, placed(path, function, name))


def _kind(thing: Any, made: Any) -> str:
    if made is None:
        return "JAX function"
    if "__wrapped__" in vars(made):
        return "JAX class" if inspect.isclass(thing) else "stax layer"
    return "flax module" if function_of(thing) else "equinox module"


def find(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None) -> list[Layer]:
    """The layers that a user's file defines, functions only where there are no modules; half a rule is none."""
    if "jax" not in sys.modules:
        return []
    rules = {id(getattr(thing, part, None)) for thing in names.values() for part in ("fwd", "bwd")}
    mine = [(name, thing) for name, thing in defined(names, tree, wanted) if id(thing) not in rules or wanted]
    backwards = {name: counterpart(name, names) for name, thing in mine if id(thing) not in rules}
    modules = [(name, thing) for name, thing in mine if inspect.isclass(thing)]
    plain = [(name, thing) for name, thing in mine if not inspect.isclass(thing) and not is_backward(name)]
    made = [of(thing, name, path) for name, thing in modules]
    if not any(made):
        made = [of((thing, backwards.get(name)), name, path) for name, thing in plain]
    return titled([layer for layer in made if layer], path, wanted)
