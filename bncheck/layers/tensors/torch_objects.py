"""Modules of PyTorch, and other objects that are called with a tensor."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from bncheck.arrays import Array
from bncheck.batchnorm import Statistics
from bncheck.layers.conventions import gradient_of, role_of
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Call, Traits, Walk
from bncheck.layers.tensors.arrays import TensorPass, fitted, narrowed, ordered, scaled, spread, values_of
from bncheck.layers.tensors.signatures import Signature
from bncheck.layers.tensors.torch_autograd import Torch, copied, home_of, torch, walk
from bncheck.layers.tensors.walking import lines_through

_SIGNATURES: WeakKeyDictionary[Any, Signature | None] = WeakKeyDictionary()
_USUAL = {"eps": 1e-5, "momentum": 0.1, "flag": True}
"""What a constructor is given that cannot do without them."""
RANKS = {"flat": 2, "ncl": 3, "nchw": 4, "nhwc": 4, "ncdhw": 5}


@dataclass(frozen=True)
class Object:
    """A module, or any other object that is called with a tensor."""

    name: str
    make: Callable[[int, str, dict[str, float]], Any]
    places: dict[str, str]
    library: Torch = field(default_factory=Torch)
    layout: str = "flat"
    taken: bool | None = None
    written: bool = True
    """False of what says itself that it is still to be written."""
    traits: Traits = field(default_factory=Traits)

    @property
    def bare(self) -> bool:
        """Only normalizes; gamma and beta are then applied to what comes out."""
        return "gamma" not in self.places

    def forward(self, call: Call, state: object = None) -> TensorPass:
        inner, library = narrowed(call, self.library), self.library
        width = inner.gamma.size
        with guarded(self.name), quiet(), library.precision(inner.x.dtype):
            x = library.tensor(spread(inner.x, self.layout)).requires_grad_()
            handed = x.clone()
            thing, gamma, beta, out = self._made(inner, handed, state)
            before = [x, library.tensor(inner.gamma.copy()), library.tensor(inner.beta.copy())]
            written = library.changed(before, [handed, gamma.reshape(-1), beta.reshape(-1)])
            pull = self._pull(thing, out, [x, gamma, beta])
        made = self._statistics(thing, width)
        return TensorPass(call, inner.x.dtype, self.layout, library.array(out), thing, made, pull, written)

    def walk(self, call: Call, weights: Array) -> Walk | None:
        return lines_through(self, call, weights, lambda inner, x: self._made(inner, x)[-1])

    def _made(self, call: Call, x: Any, state: object = None) -> tuple[Any, Any, Any, Any]:
        """An object of its own for this pass, its gamma and beta, and its output."""
        values = values_of(call.settings, self.taken)
        share = {"eps": values["eps"], "momentum": values["momentum"]}
        thing = self.make(call.gamma.size, self.layout, share) if state is None else copied(state)
        if not self.written:
            raise NotImplementedError("it has no parameters")
        gamma, beta = self._set(thing, call, values)
        with self.library.spoken(call.settings.mode):
            out = self._run(thing, x, values)
            return thing, gamma, beta, scaled(out, gamma, beta, self.layout) if self.bare else out

    def _set(self, thing: Any, call: Call, values: dict[str, Any]) -> tuple[Any, Any]:
        library, dtype = torch(), getattr(torch(), call.x.dtype.name)
        for _, _, value in walk(thing):
            if isinstance(value, library.Tensor) and value.is_floating_point():
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
        if self.bare:
            made |= {"gamma": self.library.tensor(call.gamma.copy()), "beta": self.library.tensor(call.beta.copy())}
        return made["gamma"].requires_grad_(), made["beta"].requires_grad_()

    def _filled(self, value: Any, array: Array) -> Any:
        tensor = self.library.tensor(array.copy())
        if not isinstance(value, torch().Tensor) or value.numel() != array.size:
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
        signature = signature_of(forward)
        called = thing if callable(thing) else forward
        out = signature.call(called, values | {"x": x}) if signature else called(x)
        first = out[0] if isinstance(out, tuple | list) and out else out
        if not isinstance(first, torch().Tensor):
            raise NotImplementedError(f"no tensor comes back from {self.name}")
        return first

    def _statistics(self, thing: Any, width: int) -> Statistics | None:
        found = {key: value for _, key, value in walk(thing) if key in self.places.values() and key}
        pair = [found.get(self.places.get(role, "")) for role in ("mean", "var")]
        if any(one is None for one in pair):
            return None
        return Statistics(*(fitted(self.library.array(one), width) for one in pair))

    def _pull(self, thing: Any, out: Any, roots: list[Any]) -> Callable[[Array], Any]:
        backward = None if isinstance(thing, torch().nn.Module) else getattr(thing, "backward", None)
        inner = self.library.pull(out, roots) if backward is None else self._by_hand(thing)

        def pull(dout: Array) -> Any:
            with guarded(self.name), quiet(), self.library.precision(dout.dtype):
                return tuple(map(self.library.array, inner(dout)))

        return pull

    def _by_hand(self, thing: Any) -> Callable[[Array], Any]:
        def pull(dout: Array) -> Any:
            twin = copied(thing)
            with torch().no_grad(), self.library.lent(dout) as given:
                made = twin.backward(given)
            if isinstance(made, tuple | list):
                return ordered(made)
            kept = {m.role: v for _, key, v in walk(twin) if (m := gradient_of(key)) and v is not None}
            return ordered((made, kept.get("dgamma"), kept.get("dbeta")))

        return pull


def signature_of(forward: Any) -> Signature | None:
    """Every pass has an object of its own, and they share the method: its source is read once."""
    method = getattr(forward, "__func__", None)
    if method is None:
        return Signature.of(forward, ("x",))
    if method not in _SIGNATURES:
        _SIGNATURES[method] = Signature.of(forward, ("x",))
    return _SIGNATURES[method]


def _configure(thing: Any, values: dict[str, Any], excepted: type) -> None:
    """Sets what an object has of settings; where None stands, or a value of another kind, it stays."""
    for inside, key, value in walk(thing):
        meaning = role_of(key)
        new = values.get(meaning.role) if meaning else None
        alike = isinstance(value, str if isinstance(new, str) else int | float) and not isinstance(value, excepted)
        if new is not None and key and alike:
            inside[key] = new


def maker(cls: Any, spatial: bool = False) -> Callable[[int, str, dict[str, float]], Any] | None:
    """How a class is constructed for so many columns; None where it wants what we cannot guess.

    What is asked for beside a number of columns is the number of axes of x, or of its ``spatial`` ones.
    """
    known = _constructor(cls)
    if known is None:
        return None
    parameters, by_name = known
    roles = {p.name: (meaning.role if (meaning := role_of(p.name)) else "") for p in parameters}
    needed = [p.name for p in parameters if p.default is p.empty and roles[p.name] not in ("eps", "momentum", "flag")]
    sized = needed[:1] or [p.name for p in parameters if roles[p.name] == "size"][:1]
    counts = [p.name for p in parameters if p.name in needed[1:] and _counts(p)]
    if len(needed) > 1 + len(counts):
        return None

    asked = [p.name for p in parameters if p.default is p.empty]

    def make(width: int, layout: str, values: dict[str, float]) -> Any:
        own = {name: values[role] for name, role in roles.items() if role in values}
        own |= {name: _USUAL[roles[name]] for name in asked if name not in own and roles[name] in _USUAL}
        axes = max(1, RANKS[layout] - 2) if spatial else RANKS[layout]
        sizes = dict.fromkeys(sized, width) | dict.fromkeys(counts, axes)
        return awake(cls(**own, **sizes) if by_name else cls(*sizes.values()), width, layout)

    return make


def makers(cls: Any) -> list[Callable[[int, str, dict[str, float]], Any]]:
    return [one for spatial in (False, True) if (one := maker(cls, spatial))]


def _counts(parameter: inspect.Parameter) -> bool:
    """Whether a constructor's argument is a number of something: of axes, or of what a context has."""
    return "dim" in parameter.name or parameter.annotation in (int, "int")


def _constructor(cls: Any) -> tuple[list[inspect.Parameter], bool] | None:
    """Its arguments, and whether they go by name; where it hands on all that it is given, those of its bases."""
    for kind in cls.__mro__:
        try:
            made = list(inspect.signature(kind).parameters.values())
        except (TypeError, ValueError):
            return None if kind is cls else ([], True)
        plain = [p for p in made if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if kind is cls:
            by_name = not made or any(p.kind is not p.VAR_POSITIONAL for p in made)
        if plain or not made:
            return plain, by_name
    return [], True


def awake(thing: Any, width: int, layout: str) -> Any:
    """A lazy module learns its width from its first pass; in evaluation that leaves the statistics where they start."""
    lazy = torch().nn.parameter.is_lazy
    if not isinstance(thing, torch().nn.Module) or not any(map(lazy, [*thing.parameters(), *thing.buffers()])):
        return thing
    thing.eval()(torch().zeros((4, width, *(2,) * (RANKS[layout] - 2)), device=home_of(thing)))
    return thing.train()
