"""PyTorch as a library that differentiates, and copies of what is made of its tensors."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.tensors.arrays import Signature, ordered
from bncheck.vocabulary import Mode

LEAVES = ("x", "gamma", "beta")


def torch() -> Any:
    return sys.modules["torch"]


class Context:
    """What an autograd function calls ctx, for classes that only look like one."""

    saved_tensors: tuple[Any, ...] = ()
    needs_input_grad = (True,) * 9

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *_: Any) -> None:
        """Nothing is differentiated here."""


@dataclass(frozen=True)
class Torch:
    """Differentiates by autograd, or by a backward pass that the user wrote."""

    by_hand: tuple[Any, Signature] | None = None
    by_grad: bool = False
    """The layer tells the mode by whether gradients are enabled."""

    @property
    def automatic(self) -> bool:
        return self.by_hand is None

    def tensor(self, array: Array) -> Any:
        return torch().from_numpy(array)

    def array(self, tensor: Any) -> Array:
        return np.array(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor)

    def context(self) -> Context:
        return Context()

    @contextmanager
    def precision(self, dtype: Any) -> Iterator[None]:
        """What a layer makes of its own accord should be no narrower than what it is given."""
        library = torch()
        before = library.get_default_dtype()
        library.set_default_dtype(getattr(library, np.dtype(dtype).name))
        try:
            with library.enable_grad():
                yield
        finally:
            library.set_default_dtype(before)

    def spoken(self, mode: Mode) -> Any:
        """Says that gradients are off, without turning them off: test mode has gradients too."""
        off = self.by_grad and mode is Mode.TEST
        return mock.patch.object(torch(), "is_grad_enabled", return_value=False) if off else nullcontext()

    def differentiable(self, function: Any, leaves: Any, mode: Mode) -> tuple[Any, Any, Any, tuple[str, ...]]:
        # In-place changes of a leaf would raise; those of a copy can be seen, and are named.
        roots = [self.tensor(leaf).requires_grad_(self.by_hand is None) for leaf in leaves]
        handed = [root.clone() for root in roots]
        with self.spoken(mode):
            out, after, cache = function(*handed)
        pull = self._by_hand(cache) if self.by_hand else self.pull(out, roots)
        return out, after, pull, self.changed(roots, handed)

    def changed(self, before: list[Any], after: list[Any]) -> tuple[str, ...]:
        pairs = zip(LEAVES, before, after, strict=False)
        same = {name: np.array_equal(self.array(a), self.array(b), equal_nan=True) for name, a, b in pairs}
        return tuple(name for name, equal in same.items() if not equal)

    def pull(self, out: Any, roots: list[Any]) -> Callable[[Array], Any]:
        def pull(dout: Array) -> Any:
            if not out.requires_grad:
                raise NotImplementedError("autograd finds no way from the output back to the input")
            given = self.tensor(dout).to(out.dtype)
            found = torch().autograd.grad(out, roots, given, retain_graph=True, allow_unused=True)
            return [torch().zeros_like(root) if one is None else one for root, one in zip(roots, found, strict=True)]

        return pull

    def _by_hand(self, cache: Any) -> Callable[[Array], Any]:
        assert self.by_hand
        backward, signature = self.by_hand

        def pull(dout: Array) -> Any:
            made = signature.call(backward, {"x": self.tensor(dout), "cache": copied(cache)})
            return ordered(made)

        return pull


def walk(thing: Any, seen: set[int] | None = None) -> Iterator[tuple[dict[Any, Any], str, Any]]:
    """(where it stands, under which name, what) of everything that an object carries."""
    seen = set() if seen is None else seen
    inside = thing if isinstance(thing, dict) else getattr(thing, "__dict__", {})
    if not inside or id(inside) in seen or inspect.ismodule(thing) or inspect.isclass(thing):
        return
    seen.add(id(inside))
    for key, value in list(inside.items()):
        yield inside, str(key), value
        for part in value if isinstance(value, list | tuple) else [value]:
            if part is not value:
                yield {}, "", part
            if not isinstance(part, torch().Tensor) and not inspect.isroutine(part):
                yield from walk(part, seen)


def copied(thing: Any) -> Any:
    """A deep copy; a tensor that was computed is copied without the way it came about, one to be without numbers."""
    tensors = [part for _, _, part in walk({"": thing}) if isinstance(part, torch().Tensor)]
    lazy = [one for one in tensors if torch().nn.parameter.is_lazy(one)]
    memo = {id(one): type(one)() for one in lazy}
    memo |= {id(one): one.detach().clone() for one in tensors if id(one) not in memo and not one.is_leaf}
    return copy.deepcopy(thing, memo)
