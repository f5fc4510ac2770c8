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
from bncheck.layers.tensors.arrays import ordered
from bncheck.layers.tensors.signatures import Signature
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
    device: Any = None
    """Where the layer's tensors live; None is where PyTorch makes those of whom nobody says where."""

    compiles = False

    @property
    def automatic(self) -> bool:
        return self.by_hand is None

    @property
    def place(self) -> Any:
        return torch().empty(0).device if self.device is None else self.device

    @property
    def widest(self) -> str:
        """Apple's devices have no float64."""
        return "float32" if self.place.type == "mps" else "float64"

    def tensor(self, array: Array) -> Any:
        """On the layer's device; on the CPU it shares the array's memory."""
        return torch().from_numpy(array).to(self.place)

    def root(self, array: Array) -> Any:
        """What gradients lead back to, where autograd makes them."""
        return self.tensor(array).requires_grad_(self.by_hand is None)

    def handed(self, array: Array) -> Any:
        """The same as a layer gets it.  In-place changes of a root would raise; those of a copy can be seen."""
        return self.root(array).clone()

    def array(self, tensor: Any) -> Array:
        """The one way back; NumPy has no bfloat16, and all of its numbers are float32's too."""
        if not hasattr(tensor, "detach"):
            return np.array(tensor)
        plain = tensor.detach().cpu()
        return np.array((plain.float() if plain.dtype is torch().bfloat16 else plain).numpy())

    def value(self, out: Any, dtype: Any) -> Any:
        """A result, without the way it came about."""
        return out.detach().to(getattr(torch(), np.dtype(dtype).name))

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
        roots = [self.root(leaf) for leaf in leaves]
        handed = [root.clone() for root in roots]
        with self.spoken(mode):
            out, after, cache = function(*handed)
        pull = self._by_hand(cache) if self.by_hand else self.pull(out, roots)
        return out, after, pull, self.changed(roots, handed)

    def changed(self, before: list[Any], after: list[Any]) -> tuple[str, ...]:
        pairs = zip(LEAVES, before, after, strict=False)
        return tuple(name for name, one, other in pairs if not _same(one.detach(), other.detach()))

    @contextmanager
    def lent(self, array: Array) -> Iterator[Any]:
        """A tensor of an array, in which stands afterwards what has been written into the tensor."""
        given = self.tensor(array)
        before = given.clone()
        yield given
        if not _same(given, before):
            array[...] = self.array(given)

    def pull(self, out: Any, roots: list[Any]) -> Callable[[Array], Any]:
        def pull(dout: Array) -> Any:
            if not out.requires_grad:
                raise NotImplementedError("autograd finds no way from the output back to the input")
            with self.lent(dout) as given:
                found = torch().autograd.grad(out, roots, given.to(out.dtype), retain_graph=True, allow_unused=True)
            return [torch().zeros_like(root) if one is None else one for root, one in zip(roots, found, strict=True)]

        return pull

    def _by_hand(self, cache: Any) -> Callable[[Array], Any]:
        assert self.by_hand
        backward, signature = self.by_hand

        def pull(dout: Array) -> Any:
            with self.lent(dout) as given:
                made = signature.call(backward, {"x": given, "cache": copied(cache)})
            return ordered(made)

        return pull


def _same(one: Any, other: Any) -> bool:
    """Compared where they are; what is no number is like itself."""
    if one.shape != other.shape:
        return False
    equal = one == other
    return bool(equal.all()) or bool((equal | (one != one) & (other != other)).all())


def home_of(thing: Any) -> Any:
    """The device of what a module, or another object, carries; None of what carries nothing."""
    found = (v.device for _, _, v in walk(thing) if isinstance(v, torch().Tensor) and v.is_floating_point())
    return next(found, None)


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
