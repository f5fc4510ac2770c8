"""What a layer of functions can be asked for, and by which conventions: found out by trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.errors import LayerRaised
from bncheck.layers.functions import naming
from bncheck.layers.functions.evidence import drops
from bncheck.layers.functions.kept import Home, places
from bncheck.layers.functions.layer import FunctionLayer
from bncheck.layers.protocol import Call, Traits
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

MODES = {"mode", "train", "test"}


def sample(n: int = 5, d: int = 3, *, running: bool = False, **settings: Any) -> Call:
    """A small batch, the same at every call."""
    draw = np.random.default_rng(9)
    x, gamma, beta = draw.normal(1, 2, (n, d)), draw.normal(size=d), draw.normal(size=d)
    statistics = Statistics(draw.normal(7, 1, d), draw.uniform(9, 11, d)) if running else None
    return Call(x, gamma, beta, statistics, LayerSettings(**settings))


def with_conventions(layer: FunctionLayer) -> FunctionLayer:
    layer, named = _formed(layer), layer.binding.named
    if (
        not MODES & named
        and "mean" in named
        and not any(slot.needed and slot.role == "mean" for slot in layer.binding.slots)
    ):
        layer = replace(layer, fixed=_differs(layer, sample(), sample(running=True)))
    layer = replace(layer, homes={} if "mean" in layer.binding.named else _homes(layer))
    return replace(layer, takes_share=_takes_share(layer), repeats=_repeats(layer))


def _formed(layer: FunctionLayer) -> FunctionLayer:
    """Statistics that it does not take in the shape of a parameter it may take in that in which it returns them."""
    start = sample(running=True)
    if "mean" not in layer.binding.named or _out(layer, start) is not None:
        return layer
    try:
        items = layer.forward(sample()).items
    except LayerRaised:
        return layer
    shapes = {naming.role_of(name): np.shape(item) for name, item in items if naming.role_of(name) in naming.START}
    d = len(start.gamma)
    forms = {role: tuple(-1 if n == d else n for n in shape) for role, shape in shapes.items() if d in shape}
    other = replace(layer, forms=forms)
    return layer if _out(other, start) is None else other


def _homes(layer: FunctionLayer) -> dict[str, Home]:
    """The running statistics among what the functions keep; what only repeats the batch's are none."""
    call = sample(*((24, 5) if layer.layout.name.startswith("(") else (5, 3)))
    batch, found = batchnorm.batch_statistics(call.x)._asdict(), dict[str, Home]()
    try:
        held = layer.forward(call).held
    except LayerRaised:
        return {}
    known = [(naming.role_of(home.said), home, value) for home, value in places(held)]
    for role, home, value in sorted(known, key=lambda one: not naming.is_kept(one[1].said)):
        fits = role in batch and isinstance(value, np.ndarray) and value.dtype.kind == "f"
        fits = fits and value.size == len(batch[role])
        if fits and (naming.is_kept(home.said) or not np.allclose(np.ravel(value), batch[role])):
            found.setdefault(role, home)
    return found if len(found) == len(batch) else {}


def _takes_share(layer: FunctionLayer) -> bool:
    """What its own default means tells what it means to do; without one, what it does."""
    default = layer.binding.momentum
    if default is not None:
        return default < 0.5
    call = sample(running=True)
    after = _running(layer, call)
    if after is None or call.running is None or after.mean.shape != call.gamma.shape:
        return False
    batch = batchnorm.batch_statistics(call.x)
    kept = (after.mean - batch.mean) / (call.running.mean - batch.mean)
    return bool(np.allclose(kept, 0.1, 1e-3))


def _repeats(layer: FunctionLayer) -> bool:
    call = sample(*((24, 5) if layer.layout.name.startswith("(") else (5, 3)))
    try:
        made = layer.forward(call)
        first, second = (made.backward(np.sin(call.x)) for _ in range(2))
    except LayerRaised:
        return True
    return all(map(np.array_equal, first, second))


def _running(layer: FunctionLayer, call: Call) -> Statistics | None:
    try:
        return layer.forward(call).running()
    except LayerRaised:
        return None


def _out(layer: FunctionLayer, call: Call) -> Array | None:
    try:
        return layer.forward(call).out
    except LayerRaised:
        return None


def _differs(layer: FunctionLayer, one: Call, other: Call) -> bool:
    first, again, second = _out(layer, one), _out(layer, one), _out(layer, other)
    if first is None or again is None or second is None or not np.array_equal(first, again):
        return False
    return not np.array_equal(first, second)


def traits_of(layer: FunctionLayer, file: str, works: bool) -> Traits:
    pair, named = layer.pair, layer.binding.named
    known = [name for name in (pair.forward_name, pair.backward_name, pair.inference_name) if name]
    start, test = sample(running=True), sample(running=True, mode=Mode.TEST)
    after = _running(layer, start) if works else None
    moved = after is not None and start.running is not None and not np.array_equal(after.mean, start.running.mean)
    # What only normalizes by the statistics it is given, and returns those it went by, averages nothing.
    keeps = ("mean" in named and "momentum" in named) or (moved and not layer.fixed) or _drops(layer)
    wide = _out(layer, start.astype("longdouble")) if works else None
    other = _out(layer, sample(6, 7)) if works else None
    return Traits(
        recognised=_recognised(layer, file, known, keeps),
        packs=not works or (other is not None and other.shape == (6, 7)),
        takes_eps="eps" in named or _differs(layer, sample(), sample(eps=1.0)),
        takes_momentum="momentum" in named or _moves(layer, start),
        has_backward=pair.backward is not None,
        unchecked=", ".join(pair.unchecked) if pair.backward is None else "",
        has_test_mode=bool(pair.inference or MODES & named or layer.fixed) or _differs(layer, start, test),
        keeps_statistics=keeps,
        takes_statistics={"mean", "var"} <= (layer.inference or layer.binding).named,
        bare=layer.bare and works,
        widest="longdouble" if wide is not None and wide.dtype == np.longdouble else "float64",
        source=tuple(f"{file}:{name}" for name in known),
    )


def _drops(layer: FunctionLayer) -> bool:
    """It means to average them, though nobody ever sees what it makes of them."""
    asked = [slot.name for slot in layer.binding.slots if slot.role in naming.START]
    return any(drops(layer.source, layer.pair.forward_name, name) for name in asked)


def _moves(layer: FunctionLayer, call: Call) -> bool:
    """The running statistics depend on momentum."""
    other = call._replace(settings=LayerSettings(momentum=0.5))
    first, second = _running(layer, call), _running(layer, other)
    return first is not None and second is not None and not np.array_equal(first.mean, second.mean)


def _recognised(layer: FunctionLayer, file: str, known: list[str], keeps: bool) -> str:
    parts = [f"function {'pair ' if len(known) > 1 else ''}{file}:{'/'.join(known)}"]
    if layer.layout.name:
        parts.append(f"x is {layer.layout.name}")
    if keeps:
        parts.append(f"momentum = share {'taken' if layer.takes_share else 'kept'}")
    if layer.pair.backward is not None:
        order = sorted((i, name) for i, name in zip(layer.order, Gradients._fields, strict=True) if i is not None)
        parts.append(f"returns {', '.join(name for _, name in order)}")
    return ", ".join([*parts, *["gamma and beta applied afterwards"] * layer.bare])
