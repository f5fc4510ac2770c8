"""Layers in PyTorch: modules and other objects over tensors, autograd functions, and pairs of functions."""

from __future__ import annotations

import ast
import copy
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Statistics
from bncheck.errors import LayerRaised
from bncheck.layers.conventions import gradient_of, role_of, speaks_of_layer
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.jax_layers import (
    LAYOUTS,
    Functional,
    Signature,
    TensorPass,
    counterpart,
    defined,
    fitted,
    is_backward,
    is_centred,
    momentum_of,
    narrowed,
    ordered,
    outcome,
    placed,
    settled,
    speaks,
    spread,
    titled,
    told,
    trial,
    values_of,
)
from bncheck.layers.protocol import Call, Layer, Traits
from bncheck.vocabulary import Mode

RANKS = {"flat": 2, "ncl": 3, "nchw": 4, "nhwc": 4, "ncdhw": 5}
LEAVES = ("x", "gamma", "beta")


def _torch() -> Any:
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
        return _torch().from_numpy(array)

    def array(self, tensor: Any) -> Array:
        return np.array(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor)

    def context(self) -> Context:
        return Context()

    @contextmanager
    def precision(self, dtype: Any) -> Iterator[None]:
        """What a layer makes of its own accord should be no narrower than what it is given."""
        torch = _torch()
        before = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, np.dtype(dtype).name))
        try:
            with torch.enable_grad():
                yield
        finally:
            torch.set_default_dtype(before)

    def spoken(self, mode: Mode) -> Any:
        """Says that gradients are off, without turning them off: test mode has gradients too."""
        off = self.by_grad and mode is Mode.TEST
        return mock.patch.object(_torch(), "is_grad_enabled", return_value=False) if off else nullcontext()

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
            found = _torch().autograd.grad(out, roots, given, retain_graph=True, allow_unused=True)
            return [_torch().zeros_like(root) if one is None else one for root, one in zip(roots, found, strict=True)]

        return pull

    def _by_hand(self, cache: Any) -> Callable[[Array], Any]:
        assert self.by_hand
        backward, signature = self.by_hand

        def pull(dout: Array) -> Any:
            made = signature.call(backward, {"x": self.tensor(dout), "cache": copied(cache)})
            return ordered(made)

        return pull


# ---- objects ----


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
            if not isinstance(part, _torch().Tensor) and not inspect.isroutine(part):
                yield from walk(part, seen)


def copied(thing: Any) -> Any:
    """A deep copy; a tensor that was computed is copied without the way it came about."""
    tensors = [part for _, _, part in walk({"": thing}) if isinstance(part, _torch().Tensor)]
    return copy.deepcopy(thing, {id(one): one.detach().clone() for one in tensors if not one.is_leaf})


def places_of(thing: Any, width: int) -> dict[str, str]:
    """The names under which gamma, beta and the running statistics stand; those that say it best."""
    found: dict[str, tuple[int, str]] = {}
    for _, key, value in walk(thing):
        meaning = role_of(key)
        if meaning is None or meaning.role not in ("gamma", "beta", "mean", "var"):
            continue
        fits = isinstance(value, _torch().Tensor) and value.numel() == width
        empty = value is None or isinstance(value, int | float) or getattr(value, "shape", None) == ()
        if fits or (empty and meaning.rank == 0 and meaning.role in ("mean", "var")):
            found[meaning.role] = min(found.get(meaning.role, (99, "")), (meaning.rank, key))
    return {role: key for role, (_, key) in found.items()}


def is_network(thing: Any, width: int) -> bool:
    """Whether it learns more than one gamma and one beta, as a network does."""
    parameter = _torch().nn.Parameter
    learnt = {id(v): v for _, _, v in walk(thing) if isinstance(v, parameter) and v.requires_grad}
    return len(learnt) > 2 or any(one.numel() != width for one in learnt.values())


@dataclass(frozen=True)
class Object:
    """A module, or any other object that is called with a tensor."""

    name: str
    make: Callable[[int, str, dict[str, float]], Any]
    places: dict[str, str]
    library: Torch = field(default_factory=Torch)
    layout: str = "flat"
    taken: bool | None = None
    traits: Traits = field(default_factory=Traits)

    def forward(self, call: Call, state: object = None) -> TensorPass:
        inner, library = narrowed(call), self.library
        values, width = values_of(inner.settings, self.taken), inner.gamma.size
        with guarded(self.name), quiet(), library.precision(inner.x.dtype):
            share = {"eps": values["eps"], "momentum": values["momentum"]}
            thing = self.make(width, self.layout, share) if state is None else copied(state)
            gamma, beta = self._set(thing, inner, values)
            x = library.tensor(spread(inner.x, self.layout)).requires_grad_()
            handed = x.clone()
            with library.spoken(inner.settings.mode):
                out = self._run(thing, handed, values)
            before = [x, library.tensor(inner.gamma.copy()), library.tensor(inner.beta.copy())]
            written = library.changed(before, [handed, gamma.reshape(-1), beta.reshape(-1)])
            pull = self._pull(thing, out, [x, gamma, beta])
        made = self._statistics(thing, width)
        return TensorPass(call, self.layout, library.array(out), thing, made, pull, written)

    def _set(self, thing: Any, call: Call, values: dict[str, Any]) -> tuple[Any, Any]:
        torch, dtype = _torch(), self.library.tensor(call.x[:1].copy()).dtype
        for _, _, value in walk(thing):
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                value.data = value.data.to(dtype)
        made: dict[str, Any] = {}
        given = dict(zip(("mean", "var"), call.running or (None, None), strict=True))
        given |= {"gamma": call.gamma, "beta": call.beta}
        for inside, key, value in walk(thing):
            own = next((role for role, place in self.places.items() if place == key), None)
            array = given.get(own or "")
            if own and array is not None and (own not in made or value is made[own]):
                made[own] = inside[key] = self._filled(value, array)
        _configure(thing, {"eps": values["eps"], "momentum": values["momentum"]}, bool)
        return made["gamma"].requires_grad_(), made["beta"].requires_grad_()

    def _filled(self, value: Any, array: Array) -> Any:
        tensor = self.library.tensor(array.copy())
        if not isinstance(value, _torch().Tensor) or value.numel() != array.size:
            return tensor
        if not value.is_leaf:
            return tensor.reshape(value.shape)
        value.data = tensor.reshape(value.shape)
        return value

    def _run(self, thing: Any, x: Any, values: dict[str, Any]) -> Any:
        _configure(thing, {role: values[role] for role in ("flag", "inverted", "mode")}, type(None))
        switch = getattr(thing, "train" if values["flag"] else "eval", None)
        if callable(switch):
            switch()
        forward = getattr(thing, "forward", thing)
        signature = Signature.of(forward, ("x",))
        called = thing if callable(thing) else forward
        out = signature.call(called, values | {"x": x}) if signature else called(x)
        first = out[0] if isinstance(out, tuple | list) and out else out
        if not isinstance(first, _torch().Tensor):
            raise NotImplementedError(f"no tensor comes back from {self.name}")
        return first

    def _statistics(self, thing: Any, width: int) -> Statistics | None:
        found = {key: value for _, key, value in walk(thing) if key in self.places.values() and key}
        pair = [found.get(self.places.get(role, "")) for role in ("mean", "var")]
        if any(one is None for one in pair):
            return None
        return Statistics(*(fitted(self.library.array(one), width) for one in pair))

    def _pull(self, thing: Any, out: Any, roots: list[Any]) -> Callable[[Array], Any]:
        backward = None if isinstance(thing, _torch().nn.Module) else getattr(thing, "backward", None)
        inner = self.library.pull(out, roots) if backward is None else self._by_hand(thing)

        def pull(dout: Array) -> Any:
            with guarded(self.name), quiet(), self.library.precision(dout.dtype):
                return tuple(map(self.library.array, inner(dout)))

        return pull

    def _by_hand(self, thing: Any) -> Callable[[Array], Any]:
        def pull(dout: Array) -> Any:
            twin = copied(thing)
            with _torch().no_grad():
                made = twin.backward(self.library.tensor(dout))
            if isinstance(made, tuple | list):
                return ordered(made)
            kept = {m.role: v for _, key, v in walk(twin) if (m := gradient_of(key)) and v is not None}
            return ordered((made, kept.get("dgamma"), kept.get("dbeta")))

        return pull


def _configure(thing: Any, values: dict[str, Any], excepted: type) -> None:
    """Sets what an object has of settings; where None stands, or a value of another kind, it stays."""
    for inside, key, value in walk(thing):
        meaning = role_of(key)
        new = values.get(meaning.role) if meaning else None
        alike = isinstance(value, str if isinstance(new, str) else int | float) and not isinstance(value, excepted)
        if new is not None and key and alike:
            inside[key] = new


def maker(cls: Any) -> Callable[[int, str, dict[str, float]], Any] | None:
    """How a class is constructed for so many columns; None where it wants what we cannot guess."""
    try:
        parameters = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        return None
    parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    roles = {p.name: (meaning.role if (meaning := role_of(p.name)) else "") for p in parameters}
    needed = [p.name for p in parameters if p.default is p.empty and roles[p.name] not in ("eps", "momentum", "flag")]
    sized = needed[:1] or [p.name for p in parameters if roles[p.name] == "size"][:1]
    counts = [name for name in needed[1:] if "dim" in name]
    if len(needed) > 1 + len(counts):
        return None

    def make(width: int, layout: str, values: dict[str, float]) -> Any:
        own = {name: values[role] for name, role in roles.items() if role in values}
        sizes = dict.fromkeys(sized, width) | dict.fromkeys(counts, RANKS[layout])
        return cls(**own, **sizes)

    return make


# ---- what is there ----


def of(thing: object, name: str, path: str = "") -> Layer | None:
    """A module, an autograd function, a static class, an object over tensors or a function, if it is one of ours."""
    if "torch" not in sys.modules or not _is_over_tensors(thing):
        return None
    anything: Any = thing
    if inspect.isclass(thing) and issubclass(thing, _torch().autograd.Function):
        return _of_autograd(thing, name, path)
    if inspect.isclass(thing) and isinstance(inspect.getattr_static(thing, "forward", None), staticmethod):
        return _of_functions(anything.forward, getattr(thing, "backward", None), name, "static class", path)
    if inspect.isclass(thing):
        make = maker(thing)
        return _of_object(make, name, thing, path) if make else None
    if inspect.isroutine(thing):
        return _of_functions(thing, None, name, "function", path)
    if isinstance(thing, tuple):
        return _of_functions(thing[0], thing[1], name, "function pair", path)
    return _of_object(lambda *_: copied(anything), name, thing, path)


def find(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None) -> list[Layer]:
    """The layers that a user's file defines; functions only where there is nothing else."""
    if "torch" not in sys.modules:
        return []
    mine = [(name, thing) for name, thing in defined(names, tree, wanted) if _is_over_tensors(thing)]
    made = [layer for name, thing in mine if not inspect.isroutine(thing) for layer in _all_of(name, thing, path)]
    functions = {name: thing for name, thing in mine if inspect.isroutine(thing)} if not made else {}
    for name, thing in functions.items():
        other = counterpart(name, names)
        layer = None if is_backward(name) else of((thing, other) if other else thing, name, path)
        made += [layer] if layer else []
    return titled(made, path, wanted)


def _all_of(name: str, thing: object, path: str) -> Iterator[Layer]:
    """A class may hold several ways back."""
    layer = of(thing, name, path)
    if layer:
        yield layer
    if isinstance(layer, Functional) and layer.library.by_hand:
        for other in [key for key in vars(thing) if key.startswith("backward_")]:
            twin = _of_functions(layer.function, getattr(thing, other), f"{name}.{other}", "static class", path)
            yield from [twin] if twin else []


def _is_over_tensors(thing: object) -> bool:
    thing = thing[0] if isinstance(thing, tuple) and thing else thing
    return speaks(thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing), "torch")


def _of_autograd(cls: Any, name: str, path: str) -> Layer | None:
    """What is handed its mean and its variance does not find them by itself, and is a part of a layer."""
    lone = cls.setup_context is not _torch().autograd.Function.setup_context
    signature = Signature.of(cls.forward)
    if signature is None or (signature.takes("mean") and not signature.takes("momentum", "flag", "inverted", "mode")):
        return None
    signature = signature if lone else Signature(signature.parts[1:])
    layer = Functional(name, cls.apply, signature, Torch())
    return settled(
        layer,
        f"torch.autograd.Function {name}",
        "gradients by its backward",
        placed(path, cls, f"{cls.__qualname__}.forward"),
    )


def _of_functions(forward: Any, backward: Any, name: str, kind: str, path: str) -> Layer | None:
    signature = Signature.of(forward)
    back = Signature.of(backward, ("x", "cache")) if backward else None
    if signature is None or (backward and back is None):
        return None
    way = f"gradients by {backward.__name__}" if back else "gradients by autograd"
    source = placed(path, forward, getattr(forward, "__qualname__", name))
    tried = [Torch((backward, back) if back else None, by_grad) for by_grad in ((False,) if back else (False, True))]
    layers = [Functional(name, forward, signature, library) for library in tried]
    differs = len(layers) > 1 and _differ(*(outcome(layer, trial(mode=Mode.TEST)) for layer in layers))
    return settled(layers[-1 if differs else 0], f"torch {kind} {name}", way, source)


class Candidate(NamedTuple):
    """A layer in one of the layouts, and whether it takes a trial."""

    layer: Object
    width: int
    fresh: Any
    works: bool


def _of_object(make: Any, name: str, thing: Any, path: str) -> Layer | None:
    cls = thing if inspect.isclass(thing) else type(thing)
    candidates = [one for layout in LAYOUTS if (one := _candidate(make, name, thing, layout))]
    if not candidates or re.search(r"(layer|instance|group|rms)_?norm", cls.__name__, re.IGNORECASE):
        return None
    layer, width, fresh, _ = next((one for one in candidates if one.works), candidates[0])
    call, test = trial(width), trial(width, mode=Mode.TEST)
    if not is_centred(outcome(layer, call), call) and not speaks_of_layer(cls.__name__, cls.__doc__):
        return None
    out = outcome(layer, test)
    if _differ(out, outcome(replace(layer, library=Torch(by_grad=True)), test)):
        layer = replace(layer, library=Torch(by_grad=True))
    taken, kept = momentum_of(layer, width, _setting(fresh, "momentum"))
    keeps = {"mean", "var"} <= set(layer.places)
    is_module = issubclass(cls, _torch().nn.Module)
    by_hand = not is_module and hasattr(cls, "backward")
    home = f"torch.nn.{cls.__name__}" if getattr(_torch().nn, cls.__name__, None) is cls else name
    kind = f"torch {'module' if is_module else 'class'} {home}"
    traits = Traits(
        recognised=told(kind, layer.layout, taken, f"gradients by {'its backward' if by_hand else 'autograd'}"),
        packs=inspect.isclass(thing),
        takes_eps=_setting(fresh, "eps") is not None,
        takes_momentum=taken is not None,
        kept_by_default=kept,
        differentiates_test_mode=not by_hand,
        has_test_mode=keeps or layer.library.by_grad or _differ(out, outcome(layer, call)),
        keeps_statistics=keeps,
        starts_anywhere=keeps,
        widest="float64",
        source=(placed(path, cls, f"{cls.__qualname__}.forward"),),
    )
    return replace(layer, taken=taken, traits=traits)


def _differ(one: Array | None, other: Array | None) -> bool:
    return one is not None and other is not None and not np.allclose(one, other, equal_nan=True)


def _setting(thing: Any, role: str) -> float | None:
    found = [value for _, key, value in walk(thing) if (m := role_of(key)) and m.role == role]
    return next((value for value in found if isinstance(value, int | float) and not isinstance(value, bool)), None)


def _candidate(make: Any, name: str, thing: Any, layout: str) -> Candidate | None:
    try:
        with guarded(name), quiet():
            width = 5 if inspect.isclass(thing) else _width(thing)
            fresh = make(width, layout, {})
            places = places_of(fresh, width)
    except LayerRaised:
        return None
    if not {"gamma", "beta"} <= set(places) or is_network(fresh, width):
        return None
    layer = Object(name, make, places, layout=layout)
    try:
        made = layer.forward(trial(width))
    except LayerRaised:
        return Candidate(layer, width, fresh, False)
    if made.statistics is None:
        layer = replace(layer, places={role: place for role, place in places.items() if role in LEAVES})
    return Candidate(layer, width, fresh, made.out.shape == trial(width).x.shape)


def _width(thing: Any) -> int:
    found = [v for _, key, v in walk(thing) if (m := role_of(key)) and m.role == "gamma" and hasattr(v, "numel")]
    return int(found[0].numel()) if found else 0
