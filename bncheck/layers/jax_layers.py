"""Layers in JAX, and what the functional layers of every tensor library share: arguments told by their names."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.errors import LayerRaised
from bncheck.layers.conventions import flat, role_of, speaks_of_layer
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Call, Layer, Traits
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

_DICTS = {
    "bn_param": "bnparam bnparams config cfg",
    "params": "params param parameters theta",
    "state": "state states stats batchstats running runningstats",
}
STATISTICS = ("mean", "var")
LAYOUTS = {"flat": "", "nchw": "(N, C, H, W)", "nhwc": "(N, H, W, C)", "ncl": "(N, C, L)", "ncdhw": "(N, C, D, H, W)"}
_MODES = ("flag", "inverted", "mode", "bn_param")
SPELLINGS = {
    "gamma": ("gamma", "scale", "weight", "g"),
    "beta": ("beta", "bias", "offset", "shift", "b"),
    "mean": ("mean", "running_mean", "moving_mean", "mu"),
    "var": ("var", "running_var", "moving_var", "variance"),
}
"""A dictionary goes in under all of these keys: the layer reads its own, and the gradient of the rest is zero."""


def role(name: str) -> str | None:
    known = role_of(name)
    return next((one for one, names in _DICTS.items() if flat(name) in names.split()), known and known.role)


class Signature(NamedTuple):
    """What the parameters of a function stand for."""

    parts: tuple[tuple[inspect.Parameter, str | None], ...]

    @classmethod
    def of(cls, function: Any, needed: tuple[str, ...] = ("x", "gamma", "beta")) -> Signature | None:
        """None where a role of ``needed`` is missing, or where an argument would have to be guessed."""
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None
        made = cls(_told_apart([p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]))
        found = {own for _, own in made.parts} | ({"gamma", "beta"} if made.takes("params") else set())
        guessed = any(own is None and p.default is p.empty for p, own in made.parts)
        return None if guessed or set(needed) - found else made

    def takes(self, *roles: str) -> bool:
        return any(own in roles for _, own in self.parts)

    def default(self, role: str) -> Any:
        return next((p.default for p, own in self.parts if own == role and p.default is not p.empty), None)

    def call(self, function: Any, values: dict[str, Any]) -> Any:
        """By position wherever that is possible: what wraps a function may not know its names."""
        positional, named = [], {}
        for parameter, own in self.parts:
            value = values.get(own or "")
            if value is None and parameter.default is not parameter.empty:
                value = parameter.default
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                positional.append(value)
        return function(*positional, **named)


def _told_apart(parameters: list[inspect.Parameter]) -> tuple[tuple[inspect.Parameter, str | None], ...]:
    seen: dict[str, str | None] = {}
    for parameter in parameters:
        own = role(parameter.name)
        seen[parameter.name] = None if own in seen.values() else own
    unnamed = [p.name for p in parameters if seen[p.name] is None and p.default is p.empty]
    if unnamed and "x" not in seen.values():
        seen[unnamed[0]] = "x"
    return tuple((parameter, seen[parameter.name]) for parameter in parameters)


# ---- numbers in and out ----


def values_of(settings: LayerSettings, taken: bool | None) -> dict[str, Any]:
    training = settings.mode is Mode.TRAIN
    share = {"eps": settings.eps, "momentum": 1 - settings.momentum if taken else settings.momentum}
    words = {"flag": training, "inverted": not training, "mode": settings.mode.value}
    return share | words | {"bn_param": {"mode": settings.mode.value} | share}


def spelled(values: dict[str, Any], *roles: str) -> dict[str, Any]:
    return {key: values[own] for own in roles for key in SPELLINGS[own]}


def statistics_in(parts: tuple[Any, ...], values: dict[str, Any], width: int) -> tuple[Any, Any] | None:
    """The running statistics after a pass: in what was returned, or else in what was handed in."""
    inner = [one for part in parts[1:] for one in (part if isinstance(part, tuple) and len(part) == 2 else [part])]
    handed = values.get("mean"), values.get("var")
    for part in (*inner, values["bn_param"] if handed[0] is None else None):
        entries = {role(str(key)): value for key, value in part.items()} if isinstance(part, dict) else {}
        if entries.get("mean") is not None and entries.get("var") is not None:
            return entries["mean"], entries["var"]
    if handed[0] is None or handed[1] is None:
        return None
    narrow = [part for part in inner if int(np.prod(getattr(part, "shape", (0,)))) == width]
    return (narrow[-2], narrow[-1]) if len(narrow) > 1 else handed


def spatial(rows: int) -> tuple[int, int, int]:
    """N, H and W of pictures with so many pixels in all, as near to a cube as they divide."""
    sides = [side for side in range(1, rows + 1) if rows % side == 0]
    splits = [(rows // (h * w), h, w) for h in sides for w in sides if h <= w and rows % (h * w) == 0]
    return max(splits, key=lambda split: (1 < split[0] < rows, min(split), split[0]))


def spread(x: Array, layout: str) -> Array:
    if layout == "flat":
        return np.array(x, order="C")
    n, h, w = spatial(len(x))
    inner = {"ncl": (h * w,), "ncdhw": (h, w, 1)}.get(layout, (h, w))
    pictures = x.reshape(n, *inner, x.shape[1])
    return np.array(pictures if layout == "nhwc" else np.moveaxis(pictures, -1, 1), order="C")


def gathered(out: Array, layout: str, shape: tuple[int, ...]) -> Array:
    """Back to rows; what has not the shape that it should is shown as it is."""
    if layout == "flat" or out.shape != spread(np.empty(shape), layout).shape:
        return out
    return (out if layout == "nhwc" else np.moveaxis(out, 1, -1)).reshape(shape)


def fitted(values: Any, width: int) -> Array:
    array = np.array(values)
    return array.reshape(width) if array.size == width else array


def ordered(made: Any) -> tuple[Any, Any, Any]:
    parts = [inner for part in made for inner in (part if isinstance(part, tuple | list) else [part])]
    if len(parts) < 3 or any(part is None for part in parts[:3]):
        raise NotImplementedError("the backward pass returns no dx, dgamma, dbeta")
    return parts[0], parts[1], parts[2]


def narrowed(call: Call) -> Call:
    """No tensor library goes beyond float64."""
    return call.astype(np.float64) if call.x.dtype.itemsize > 8 else call


@dataclass
class TensorPass:
    call: Call
    layout: str
    out: Array
    state: object
    statistics: Statistics | None
    pull: Callable[[Array], tuple[Any, Any, Any]]
    written: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.out = self._dressed(gathered(self.out, self.layout, self.call.x.shape))

    def running(self) -> Statistics | None:
        return self.statistics and Statistics(*map(self._dressed, self.statistics))

    def backward(self, dout: Array) -> Gradients:
        width, given = self.call.gamma.size, spread(dout.astype(narrowed(self.call).x.dtype), self.layout)
        handed = given.copy()
        dx, dgamma, dbeta = self.pull(handed)
        if not np.array_equal(given, handed, equal_nan=True):
            self.written = tuple(dict.fromkeys((*self.written, "dout")))
        dx = gathered(np.array(dx), self.layout, dout.shape)
        return Gradients(*map(self._dressed, (dx, fitted(dgamma, width), fitted(dbeta, width))))

    def _dressed(self, array: Array) -> Array:
        return array.astype(self.call.x.dtype) if self.call.x.dtype.itemsize > 8 else array


@dataclass(frozen=True)
class Functional:
    """A function of x, gamma and beta; ``library`` differentiates it."""

    name: str
    function: Any
    signature: Signature
    library: Any
    layout: str = "flat"
    taken: bool | None = None
    traits: Traits = field(default_factory=Traits)

    def forward(self, call: Call, state: object = None) -> TensorPass:
        inner, library = narrowed(call), self.library
        before = inner.running or (state if isinstance(state, Statistics) else self._start(inner))
        leaves = (spread(inner.x, self.layout), inner.gamma.copy(), inner.beta.copy())
        with guarded(self.name), quiet(), library.precision(inner.x.dtype):
            values = self._values(inner.settings, before and before.astype(inner.x.dtype))
            out, after, pull, written = library.differentiable(
                lambda *parts: self._made(values, parts), leaves, inner.settings.mode
            )
        made = after and Statistics(*(fitted(library.array(part), inner.gamma.size) for part in after))
        return TensorPass(call, self.layout, library.array(out), made, made, self._watched(pull, inner), written)

    def _start(self, call: Call) -> Statistics | None:
        absent = not self.signature.takes(*STATISTICS, "state") or self.signature.takes("bn_param")
        return None if absent else Statistics(np.zeros_like(call.gamma), np.ones_like(call.gamma))

    def _values(self, settings: LayerSettings, before: Statistics | None) -> dict[str, Any]:
        values = values_of(settings, self.taken)
        if before:
            tensors = {own: self.library.tensor(part.copy()) for own, part in zip(STATISTICS, before, strict=True)}
            values["bn_param"] |= {f"running_{own}": tensor for own, tensor in tensors.items()}
            values |= {"state": spelled(tensors, *STATISTICS)}
            values |= tensors if self.signature.takes(*STATISTICS) else {}
        return values

    def _made(self, values: dict[str, Any], leaves: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        """(out, the running statistics, the cache)."""
        named = dict(zip(("x", "gamma", "beta"), leaves, strict=True))
        values |= named | {"params": spelled(named, "gamma", "beta"), "cache": self.library.context()}
        result = self.signature.call(self.function, values)
        parts = tuple(result) if isinstance(result, tuple | list) else (result,)
        if not parts or not hasattr(parts[0], "shape"):
            raise NotImplementedError(f"no array comes back from {self.name}")
        cache = parts[1] if len(parts) == 2 else parts[1:]
        return parts[0], statistics_in(parts, values, leaves[1].shape[0]), cache if parts[1:] else values["cache"]

    def _watched(self, pull: Any, call: Call) -> Any:
        def watched(dout: Array) -> Any:
            with guarded(self.name), quiet(), self.library.precision(call.x.dtype):
                return tuple(map(self.library.array, pull(dout)))

        return watched


# ---- trials ----


def trial(width: int = 5, seed: int = 0, **settings: Any) -> Call:
    draw = np.random.default_rng(seed)
    gamma, beta = draw.uniform(0.5, 2.0, width), draw.normal(size=width)
    return Call(draw.normal(3.0 + seed, 2.0, (24, width)), gamma, beta, None, LayerSettings(**settings))


def outcome(layer: Layer, call: Call) -> Array | None:
    """What the layer makes of a trial; None where it raises."""
    try:
        out = layer.forward(call).out
    except LayerRaised:
        return None
    return out if out.shape == call.x.shape else None


def is_centred(out: Array | None, call: Call) -> bool:
    """What normalizes the columns of a batch leaves beta as their mean; a layer norm does not."""
    return out is not None and bool(np.all(np.abs(out.mean(axis=0) - call.beta) < 0.1 * call.gamma))


def momentum_of(layer: Layer, width: int, default: Any) -> tuple[bool | None, float | None]:
    """Whether momentum is the share taken, None where it has no effect; and the share kept by default."""
    call = trial(width, 1, momentum=0.75)
    try:
        first = layer.forward(trial(width, momentum=0.75))
        old, new = first.running(), layer.forward(call, first.state).running()
    except LayerRaised:
        return None, None
    if old is None or new is None or old.mean.shape != (width,) or new.mean.shape != (width,):
        return None, None
    with np.errstate(all="ignore"):
        taken = float(np.median((new.mean - old.mean) / (call.x.mean(axis=0) - old.mean)))
    for share, is_taken in ((0.25, False), (0.75, True)):
        if abs(taken - share) < 0.01:
            known = isinstance(default, int | float)
            return is_taken, (float(1 - default if is_taken else default) if known else None)
    return None, (1 - taken if 0 < taken < 1 else None)


def settled(layer: Functional, kind: str, way: str, source: str) -> Layer | None:
    """The layout that the function accepts, and what can be asked of it."""
    call, signature = trial(), layer.signature
    tried = [replace(layer, layout=layout) for layout in LAYOUTS]
    made = next((one for one in tried if outcome(one, call) is not None), layer)
    if not is_centred(outcome(made, call), call) and not speaks_of_layer(layer.name, None):
        return None
    taken, kept = momentum_of(made, len(call.gamma), signature.default("momentum"))
    keeps = signature.takes(*STATISTICS, "state", "bn_param")
    traits = Traits(
        recognised=told(kind, made.layout, taken, way),
        takes_eps=signature.takes("eps", "bn_param"),
        takes_momentum=taken is not None,
        kept_by_default=kept,
        differentiates_test_mode=layer.library.automatic,
        has_test_mode=signature.takes(*_MODES) or layer.library.by_grad,
        keeps_statistics=keeps,
        starts_anywhere=keeps,
        widest="float64",
        source=(source,),
    )
    return replace(made, taken=taken, traits=traits)


def told(kind: str, layout: str, taken: bool | None, way: str) -> str:
    """The sentence that --verbose shows."""
    shape = f" over {LAYOUTS[layout]}" if LAYOUTS[layout] else ""
    momentum = "" if taken is None else f", momentum = share {'taken' if taken else 'kept'}"
    return f"{kind}{shape}{momentum}, {way}"


def speaks(thing: Any, library: str, depth: int = 2) -> bool:
    """Whether the code of a function or of a class names anything of the library, by itself or through others."""
    thing = inspect.unwrap(getattr(thing, "__func__", thing))
    if inspect.isclass(thing):
        parts = [getattr(part, "__func__", part) for part in vars(thing).values()]
        bases = any(_home(base) == library for base in thing.__mro__)
        return bases or any(speaks(part, library, depth) for part in parts if inspect.isroutine(part))
    code, scope = getattr(thing, "__code__", None), getattr(thing, "__globals__", {})
    used = [scope[name] for name in getattr(code, "co_names", ()) if name in scope]
    deeper = any(speaks(one, library, depth - 1) for one in used if depth and callable(one))
    return _home(thing) == library or any(_home(one) == library for one in used) or deeper


def _home(thing: Any) -> str:
    home = thing.__name__ if inspect.ismodule(thing) else getattr(thing, "__module__", None)
    return str(home).split(".")[0]


def defined(names: dict[str, object], tree: ast.Module, wanted: str | None) -> list[tuple[str, object]]:
    """What the file itself binds, or the one thing that was asked for."""
    if wanted is not None:
        name = wanted.split(".")[0]
        return [(name, names[name])] if name in names else []
    nodes = list(ast.walk(tree))
    bound = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    bound |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return [(name, thing) for name, thing in names.items() if name in bound and not name.startswith("_")]


def counterpart(name: str, names: dict[str, object]) -> Any:
    """The backward function that goes by the same name; None where there is none."""
    pairs = (("forward", "backward"), ("fwd", "bwd"))
    return next((names.get(name.replace(*pair)) for pair in pairs if pair[0] in name), None)


def is_backward(name: str) -> bool:
    return "backward" in name or "bwd" in name


def titled(layers: list[Any], path: str, wanted: str | None) -> list[Layer]:
    """As reports show them; of several ways back, the one that was asked for."""
    named = [layer for layer in layers if layer.name == wanted] or layers
    return [replace(layer, name=f"{path.rpartition('/')[2]}:{layer.name}") for layer in named]


def placed(path: str, thing: Any, name: str) -> str:
    """Where the code stands, as file:function; what lives in a session has the module's name for a file."""
    return f"{path.rpartition('/')[2] or getattr(thing, '__module__', '')}:{name}"


# ---- JAX itself ----


@dataclass(frozen=True)
class Jax:
    """Differentiates by vjp, and by the user's own rule where there is one."""

    by_hand: tuple[Any, Signature] | None = None
    by_grad = False

    @property
    def automatic(self) -> bool:
        return self.by_hand is None

    def tensor(self, array: Array) -> Any:
        return sys.modules["jax.numpy"].asarray(array)

    def array(self, tensor: Any) -> Array:
        return np.array(tensor)

    def context(self) -> Any:
        return None

    @contextmanager
    def precision(self, dtype: Any) -> Iterator[None]:
        config: Any = sys.modules["jax"].config
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

        out, pull, after = sys.modules["jax"].vjp(split, *tensors, has_aux=True)
        return out, after, lambda dout: pull(self.tensor(dout).astype(out.dtype)), ()


def of(thing: object, name: str, path: str = "") -> Layer | None:
    """A function over JAX arrays, or a pair of them, forward and backward.  Flax's own BatchNorm is made one."""
    if "jax" not in sys.modules:
        return None
    function, backward = (*thing, None)[:2] if isinstance(thing, tuple) and thing else (thing, None)
    made = _of_flax(function)
    if not callable(function) or (made is None and (inspect.isclass(function) or not speaks(function, "jax"))):
        return None
    signature, back = Signature.of(made or function), Signature.of(backward, ("x", "cache")) if backward else None
    if signature is None:
        return None
    layer = Functional(name, made or function, signature, Jax((backward, back) if back else None))
    way = f"gradients by {getattr(backward, '__name__', 'backward')}" if back else "gradients by vjp"
    return settled(layer, f"{'flax module' if made else 'JAX function'} {name}", way, placed(path, function, name))


def _of_flax(thing: Any) -> Any:
    """The module's pure function; it keeps its parameters and its statistics outside of itself anyway."""
    linen: Any = sys.modules.get("flax.linen")
    cls = thing if inspect.isclass(thing) else type(thing)
    if linen is None or not issubclass(cls, linen.BatchNorm):
        return None
    module: Any = thing() if inspect.isclass(thing) else thing
    share = module.momentum

    def batch_norm(
        x: Any,
        gamma: Any,
        beta: Any,
        running_mean: Any,
        running_var: Any,
        training: bool,
        eps: float,
        momentum: float = share,
    ) -> Any:
        own = module.clone(use_running_average=not training, momentum=momentum, epsilon=eps)
        variables = {
            "params": {"scale": gamma, "bias": beta},
            "batch_stats": {"mean": running_mean, "var": running_var},
        }
        out, new = own.apply(variables, x, mutable=["batch_stats"])
        return out, new["batch_stats"]["mean"], new["batch_stats"]["var"]

    return batch_norm


def find(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None) -> list[Layer]:
    """The layers that a user's file defines; the halves of a custom rule are none of their own."""
    if "jax" not in sys.modules:
        return []
    rules = {id(getattr(thing, part, None)) for thing in names.values() for part in ("fwd", "bwd")}
    mine = [(name, thing) for name, thing in defined(names, tree, wanted) if id(thing) not in rules or wanted]
    backwards = {name: counterpart(name, names) for name, thing in mine if id(thing) not in rules}
    made = [of((thing, backwards.get(name)), name, path) for name, thing in mine if not is_backward(name)]
    return titled([layer for layer in made if layer], path, wanted)
