"""What the layers of every tensor library share: arguments told by their names, shapes, and a pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Call, Traits, Walk
from bncheck.layers.tensors.signatures import Signature, role
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

STATISTICS = ("mean", "var")
LAYOUTS = {"flat": "", "nchw": "(N, C, H, W)", "nhwc": "(N, H, W, C)", "ncl": "(N, C, L)", "ncdhw": "(N, C, D, H, W)"}
MODES = ("flag", "inverted", "mode", "bn_param")


# ---- numbers in and out ----


def values_of(settings: LayerSettings, taken: bool | None) -> dict[str, Any]:
    training = settings.mode is Mode.TRAIN
    share = {"eps": settings.eps, "momentum": 1 - settings.momentum if taken else settings.momentum}
    words = {"flag": training, "inverted": not training, "mode": settings.mode.value}
    return share | words | {"bn_param": {"mode": settings.mode.value} | share}


def statistics_in(
    parts: tuple[Any, ...], values: dict[str, Any], width: int, orders: tuple[tuple[str, ...], ...] = ()
) -> tuple[Any, Any] | None:
    """The running statistics after a pass: in what was returned, or else in what was handed in.

    ``orders`` are those in which tuples came in: one of the same length comes back in the same order.
    """
    inner = [one for part in parts[1:] for one in _laid_flat(part, orders)]
    handed = values.get("handed", (None, None))
    for part in (*inner, values["bn_param"]):
        entries = {role(str(key)): value for key, value in _entries(part).items()}
        if entries.get("mean") is not None and entries.get("var") is not None:
            return entries["mean"], entries["var"]
    if handed[0] is None or handed[1] is None:
        return None
    narrow = [part for part in inner if int(np.prod(getattr(part, "shape", (0,)))) == width]
    return (narrow[-2], narrow[-1]) if len(narrow) > 1 else handed


def _entries(part: Any) -> dict[str, Any]:
    """Of a dict, or of what has its parts under names."""
    if isinstance(part, dict):
        return part
    if hasattr(part, "_asdict"):
        return dict(part._asdict())
    return dict(vars(part)) if is_dataclass(part) else {}


def _laid_flat(part: Any, orders: tuple[tuple[str, ...], ...]) -> list[Any]:
    if not isinstance(part, tuple | list) or hasattr(part, "_fields"):
        return [part]
    known = next((order for order in orders if len(order) == len(part) > 2), None)
    if known:
        return [dict(zip(known, part, strict=True))]
    return [inner for one in part for inner in _laid_flat(one, orders)]


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


def scaled(out: Any, gamma: Any, beta: Any, layout: str) -> Any:
    """With gamma and beta applied to what was only normalized."""
    shape = (-1,) if layout in ("flat", "nhwc") else (-1, *(1,) * (out.ndim - 2))
    return out * gamma.reshape(shape) + beta.reshape(shape)


def fitted(values: Any, width: int) -> Array:
    array = np.array(values)
    return array.reshape(width) if array.size == width else array


def ordered(made: Any) -> tuple[Any, Any, Any]:
    parts = [inner for part in made for inner in (part if isinstance(part, tuple | list) else [part])]
    if len(parts) < 3 or any(part is None for part in parts[:3]):
        raise NotImplementedError("the backward pass returns no dx, dgamma, dbeta")
    return parts[0], parts[1], parts[2]


def narrowed(call: Call, library: Any) -> Call:
    """No tensor library goes beyond float64, and some devices do not go so far."""
    return call.astype(library.widest) if call.x.dtype.itemsize > np.dtype(library.widest).itemsize else call


@dataclass
class TensorPass:
    call: Call
    dtype: np.dtype[Any]
    """What is computed in; that of the call, or less where that is too wide."""
    layout: str
    out: Array
    state: object
    statistics: Statistics | None
    pull: Callable[[Array], tuple[Any, ...]]
    written: tuple[str, ...] = ()
    differentiated: Array | None = None
    """out once more, if what is differentiated is another pass, as under a rule of the user's own."""

    def __post_init__(self) -> None:
        self.out = self._dressed(gathered(self.out, self.layout, self.call.x.shape))

    def running(self) -> Statistics | None:
        return self.statistics and Statistics(*map(self._dressed, self.statistics))

    def backward(self, dout: Array) -> Gradients:
        width, given = self.call.gamma.size, spread(dout.astype(self.dtype), self.layout)
        handed = given.copy()
        dx, dgamma, dbeta, *again = self.pull(handed)
        self.differentiated = gathered(again[0], self.layout, dout.shape) if again else None
        if not np.array_equal(given, handed, equal_nan=True):
            self.written = tuple(dict.fromkeys((*self.written, "dout")))
        dx = gathered(np.array(dx), self.layout, dout.shape)
        return Gradients(*map(self._dressed, (dx, fitted(dgamma, width), fitted(dbeta, width))))

    def _dressed(self, array: Array) -> Array:
        return array.astype(self.call.x.dtype) if self.call.x.dtype.itemsize > self.dtype.itemsize else array


@dataclass(frozen=True)
class Functional:
    """A function of x, gamma and beta; ``library`` differentiates it."""

    name: str
    function: Any
    signature: Signature
    library: Any
    layout: str = "flat"
    shaped: bool = False
    """gamma and beta have as many dimensions as the pictures."""
    taken: bool | None = None
    bare: bool = False
    """Only normalizes; gamma and beta are then applied to what comes out."""
    traits: Traits = field(default_factory=Traits)

    def forward(self, call: Call, state: object = None) -> TensorPass:
        inner, library = narrowed(call, self.library), self.library
        before = inner.running or (state if isinstance(state, Statistics) else self._start(inner))
        leaves = (spread(inner.x, self.layout), *(self._shaped(part.copy()) for part in (inner.gamma, inner.beta)))
        with guarded(self.name), quiet(), library.precision(inner.x.dtype):
            values = self._values(inner.settings, before and before.astype(inner.x.dtype))
            out, after, pull, written = library.differentiable(
                lambda *parts: self._made(values, parts), leaves, inner.settings.mode
            )
        made = after and Statistics(*(fitted(library.array(part), inner.gamma.size) for part in after))
        return TensorPass(
            call, inner.x.dtype, self.layout, library.array(out), made, made, self._watched(pull, inner), written
        )

    def walk(self, call: Call, weights: Array) -> Walk | None:
        from bncheck.layers.tensors.walking import lines_through

        def out_of(inner: Call, x: Any) -> Any:
            before = inner.running or self._start(inner)
            learnt = (self.library.handed(self._shaped(part.copy())) for part in (inner.gamma, inner.beta))
            values = self._values(inner.settings, before and before.astype(inner.x.dtype))
            with self.library.spoken(inner.settings.mode):
                return self._made(values, (x, *learnt))[0]

        return lines_through(self, call, weights, out_of)

    def _shaped(self, values: Array) -> Array:
        return spread(values[None], self.layout) if self.shaped else values

    def _start(self, call: Call) -> Statistics | None:
        absent = not self.signature.takes(*STATISTICS, "state") or self.signature.takes("bn_param")
        return None if absent else Statistics(np.zeros_like(call.gamma), np.ones_like(call.gamma))

    def _values(self, settings: LayerSettings, before: Statistics | None) -> dict[str, Any]:
        values = values_of(settings, self.taken)
        if before:
            parts = [self._shaped(part.copy()) for part in before]
            tensors = {own: self.library.tensor(part) for own, part in zip(STATISTICS, parts, strict=True)}
            if self.signature.takes("bn_param"):
                values["bn_param"] |= {f"running_{own}": tensor for own, tensor in tensors.items()}
            values |= {"state": self.signature.packed("state", values | tensors), "handed": tuple(tensors.values())}
            values |= {"statistics": tensors} | (tensors if self.signature.takes(*STATISTICS) else {})
        return values

    def _made(self, values: dict[str, Any], leaves: tuple[Any, ...]) -> tuple[Any, Any, Any]:
        """(out, the running statistics, the cache)."""
        named = dict(zip(("x", "gamma", "beta"), leaves, strict=True))
        learnt = values | values.get("statistics", {}) | {"gamma": named["gamma"], "beta": named["beta"]}
        values |= named | {"params": self.signature.packed("params", learnt), "cache": self.library.context()}
        result = self.signature.call(self.function, values)
        parts = tuple(result) if isinstance(result, tuple | list) else (result,)
        if not parts or not hasattr(parts[0], "shape"):
            raise NotImplementedError(f"no array comes back from {self.name}")
        cache = parts[1] if len(parts) == 2 else parts[1:]
        out = scaled(parts[0], leaves[1], leaves[2], self.layout) if self.bare else parts[0]
        width = int(np.prod(leaves[1].shape))
        after = statistics_in(parts, values, width, self.signature.orders)
        return out, after, cache if parts[1:] else values["cache"]

    def _watched(self, pull: Any, call: Call) -> Any:
        def watched(dout: Array) -> Any:
            with guarded(self.name), quiet(), self.library.precision(call.x.dtype):
                return tuple(map(self.library.array, pull(dout)))

        return watched
