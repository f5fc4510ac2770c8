"""What a trial tells of a layer over tensors, and which of a file's definitions are one."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Statistics
from bncheck.errors import LayerRaised
from bncheck.layers.protocol import Call, Layer, Traits
from bncheck.layers.tensors.arrays import LAYOUTS, MODES, STATISTICS, Functional
from bncheck.layers.titles import speaks_of_layer
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

_PARTS = 12
_EXACT = 1e-6


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


def asks_for_gradients(one: Array | None, other: Array | None) -> bool:
    """Whether a pass is another one where gradients are said to be off, or fails only there or only elsewhere."""
    return differ(one, other) or (one is None) is not (other is None)


def remembers(layer: Layer, width: int) -> bool:
    """Whether its test mode goes by the batches that it was trained on, under whatever names."""
    test = trial(width, 2, mode=Mode.TEST)
    try:
        trained = [layer.forward(trial(width, seed)).state for seed in (0, 1)]
        outs = [layer.forward(test, state).out for state in trained]
    except LayerRaised:
        return False
    return differ(*outs)


def starts_anywhere(layer: Layer, width: int) -> bool:
    """Whether running statistics can be set before its first pass, and test mode is then what it is after training."""
    test, given = trial(width, 1, mode=Mode.TEST), Statistics(np.full(width, 2.0), np.full(width, 5.0))
    try:
        trained = layer.forward(trial(width)).state
        late = layer.forward(test._replace(running=given), trained).out
    except LayerRaised:
        return True
    early = outcome(layer, test._replace(running=given))
    return early is not None and np.allclose(early, late, equal_nan=True)


def differ(one: Array | None, other: Array | None) -> bool:
    return one is not None and other is not None and not np.allclose(one, other, equal_nan=True)


def momentum_of(layer: Layer, width: int, default: Any) -> tuple[bool | None, float | None]:
    """Whether momentum is the share taken, None where it has no effect; and the share kept by default."""
    known = isinstance(default, int | float)
    taken = _taken(layer, trial(width, momentum=0.75), trial(width, 1, momentum=0.75))
    for share, is_taken in ((0.25, False), (0.75, True)):
        if taken is not None and abs(taken - share) < 0.01:
            return is_taken, (float(1 - default if is_taken else default) if known else None)
    if taken is not None and (often := _often(layer, width)) is not None:
        return often, (float(1 - default if often else default) if known else None)
    return None, (1 - taken if taken is not None and 0 < taken < 1 else None)


def _taken(layer: Layer, first: Call, then: Call) -> float | None:
    """The share of the mean of the second of two batches that the running mean takes."""
    try:
        made = layer.forward(first)
        old, new = made.running(), layer.forward(then, made.state).running()
    except LayerRaised:
        return None
    width = (first.x.shape[1],)
    if old is None or new is None or old.mean.shape != width or new.mean.shape != width:
        return None
    with np.errstate(all="ignore"):
        return float(np.median((new.mean - old.mean) / (then.x.mean(axis=0) - old.mean)))


def _often(layer: Layer, width: int) -> bool | None:
    """Likewise of a layer that takes its share several times in a pass, once for each part of the batch.

    All parts of a batch of two rows again and again are alike, so that k steps keep the k-th power of what one keeps.
    """
    first, then = (trial(width, seed, momentum=0.75) for seed in (0, 1))
    then = then._replace(x=np.tile(then.x[:2], (len(then.x) // 2, 1)))
    taken = _taken(layer, first, then)
    if taken is None:
        return None
    powers = [(is_taken, kept**k) for is_taken, kept in ((False, 0.75), (True, 0.25)) for k in range(2, _PARTS + 1)]
    found = {is_taken for is_taken, kept in powers if abs(1 - taken - kept) < _EXACT * kept}
    return found.pop() if len(found) == 1 else None


def laid_out(layer: Functional) -> Functional:
    """In the layout that the function accepts."""
    call, tried = trial(), [replace(layer, layout=layout) for layout in LAYOUTS]
    made = next((one for one in tried if outcome(one, call) is not None), layer)
    if made.layout != "flat" and not is_centred(outcome(made, call), call):
        # (C,) runs along the wrong axis of some layout where (1, C, 1, 1) is meant.
        shaped = [replace(one, shaped=True) for one in tried[1:]]
        made = next((one for one in shaped if is_centred(outcome(one, call), call)), made)
    return made


def settled(layer: Functional, kind: str, way: str, source: str) -> Layer | None:
    """The layout that the function accepts, and what can be asked of it."""
    call, signature = trial(), layer.signature
    made = layer if layer.layout != "flat" else laid_out(layer)
    if not is_centred(outcome(made, call), call) and not speaks_of_layer(layer.name, None):
        return None
    taken, kept = momentum_of(made, len(call.gamma), signature.default("momentum"))
    keeps = signature.takes(*STATISTICS, "state", "bn_param")
    traits = Traits(
        recognised=told(kind, made.layout, taken, way),
        compiles=layer.library.compiles,
        takes_eps=signature.takes("eps", "bn_param"),
        takes_momentum=taken is not None,
        kept_by_default=kept,
        differentiates_test_mode=layer.library.automatic,
        has_test_mode=signature.takes(*MODES) or layer.library.by_grad,
        keeps_statistics=keeps,
        starts_anywhere=keeps,
        bare=layer.bare,
        widest=layer.library.widest,
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
    used = [scope[name] for name in _names(code) if name in scope]
    deeper = any(speaks(one, library, depth - 1) for one in used if depth and callable(one))
    return _home(thing) == library or any(_home(one) == library for one in used) or deeper


def _names(code: Any) -> list[str]:
    """Those of the functions within included."""
    inner = [one for one in getattr(code, "co_consts", ()) if hasattr(one, "co_names")]
    return [*getattr(code, "co_names", ()), *(name for one in inner for name in _names(one))]


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
