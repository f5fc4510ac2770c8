"""Layers in PyTorch: modules and other objects over tensors, autograd functions, and pairs of functions."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.conventions import flat, role_of
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Layer, Traits
from bncheck.layers.tensors.arrays import LAYOUTS, Functional
from bncheck.layers.tensors.signatures import Signature
from bncheck.layers.tensors.torch_autograd import LEAVES, Torch, copied, home_of, torch, walk
from bncheck.layers.tensors.torch_objects import Object, awake, makers, signature_of
from bncheck.layers.tensors.torch_parts import idle_in, is_network, places_of
from bncheck.layers.tensors.trials import (
    asks_for_gradients,
    counterpart,
    defined,
    differ,
    is_backward,
    is_centred,
    laid_out,
    momentum_of,
    outcome,
    placed,
    remembers,
    settled,
    speaks,
    starts_anywhere,
    titled,
    told,
    trial,
)
from bncheck.layers.titles import speaks_of_layer
from bncheck.vocabulary import Mode

_WIDTH = 5
_HIDDEN = "what it keeps for test mode has no name known here, and is judged by what many training steps make of it"


def of(thing: object, name: str, path: str = "") -> Layer | None:
    """A module, an autograd function, a static class, an object over tensors or a function, if it is one of ours."""
    if "torch" not in sys.modules or not _is_over_tensors(thing):
        return None
    anything: Any = thing
    if inspect.isclass(thing) and issubclass(thing, torch().autograd.Function):
        return _of_autograd(thing, name, path)
    if inspect.isclass(thing) and isinstance(inspect.getattr_static(thing, "forward", None), staticmethod):
        return _of_functions(anything.forward, getattr(thing, "backward", None), name, "static class", path)
    if inspect.isclass(thing):
        return _of_object(makers(thing), name, thing, path)
    if inspect.isroutine(thing):
        return _of_functions(thing, None, name, "function", path)
    if isinstance(thing, tuple):
        return _of_functions(thing[0], thing[1], name, "function pair", path)
    return _of_object([lambda width, layout, _: awake(copied(anything), width, layout)], name, thing, path)


def find(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None) -> list[Layer]:
    """The layers that a user's file defines; functions only where there is nothing else."""
    if "torch" not in sys.modules:
        return []
    mine = [(name, thing) for name, thing in defined(names, tree, wanted) if _is_over_tensors(thing)]
    kinds = [thing for _, thing in mine if inspect.isclass(thing)]
    mine = [(name, thing) for name, thing in mine if not _is_abstract(thing, kinds)]
    made = [layer for name, thing in mine if not inspect.isroutine(thing) for layer in _all_of(name, thing, path)]
    functions = {name: thing for name, thing in mine if inspect.isroutine(thing)} if not made else {}
    for name, thing in functions.items():
        other = counterpart(name, names)
        layer = None if is_backward(name) else of((thing, other) if other else thing, name, path)
        made += [layer] if layer else []
    return titled(made, path, wanted)


def _is_abstract(thing: Any, kinds: list[Any]) -> bool:
    """Whether it leaves the forward pass to classes that are made from it."""
    derived = inspect.isclass(thing) and any(other is not thing and issubclass(other, thing) for other in kinds)
    return derived and _is_unwritten(object.__new__(thing))


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
    lone = cls.setup_context is not torch().autograd.Function.setup_context
    whole = Signature.of(cls.forward)
    bare = whole is None and speaks_of_layer(name, None)
    signature = Signature.of(cls.forward, ("x",)) if bare else whole
    if signature is None or (signature.takes("mean") and not signature.takes("momentum", "flag", "inverted", "mode")):
        return None
    signature = signature if lone else signature._replace(parts=signature.parts[1:])
    if bare and signature.takes("gamma", "beta"):
        return None
    way = "gradients by its backward" + (", gamma and beta applied afterwards" if bare else "")
    place = placed(path, cls, f"{cls.__qualname__}.forward")
    # A backward that has no gradient for eps is one for calls without eps.
    tried = [Functional(name, cls.apply, one, Torch(), bare=bare) for one in (signature, signature.needed())]
    layers = [settled(one, f"torch.autograd.Function {name}", way, place) for one in tried]
    layer = next((one for one in layers if one and _goes_back(one)), layers[0])
    return layer if not bare or (layer and outcome(layer, trial()) is not None) else None


def _goes_back(layer: Layer) -> bool:
    call = trial()
    try:
        layer.forward(call).backward(call.x.copy())
    except LayerRaised:
        return False
    return True


def _of_functions(forward: Any, backward: Any, name: str, kind: str, path: str) -> Layer | None:
    signature = Signature.of(forward)
    back = Signature.of(backward, ("x", "cache")) if backward else None
    if signature is None or (backward and back is None):
        return None
    way = f"gradients by {backward.__name__}" if back else "gradients by autograd"
    source = placed(path, forward, getattr(forward, "__qualname__", name))
    layer = laid_out(Functional(name, forward, signature, Torch((backward, back) if back else None)))
    by_grad = replace(layer, library=replace(layer.library, by_grad=True))
    test = trial(mode=Mode.TEST)
    if not back and asks_for_gradients(outcome(layer, test), outcome(by_grad, test)):
        layer = by_grad
    return settled(layer, f"torch {kind} {name}", way, source)


class Candidate(NamedTuple):
    """A layer in one of the layouts, and whether it takes a trial."""

    layer: Object
    width: int
    fresh: Any
    works: bool
    idle: tuple[str, ...] = ()
    """What it learns that a pass of x alone does not go through."""


def _of_object(makes: list[Any], name: str, thing: Any, path: str) -> Layer | None:
    cls = thing if inspect.isclass(thing) else type(thing)
    candidates = [one for make in makes for layout in LAYOUTS if (one := _candidate(make, name, thing, layout))]
    if not candidates or re.search(r"(layer|instance|group|rms)_?norm", cls.__name__, re.IGNORECASE):
        return None
    layer, width, fresh, _, idle = next((one for one in candidates if one.works), candidates[0])
    call, test = trial(width), trial(width, mode=Mode.TEST)
    proofs = is_centred(outcome(layer, call), call), speaks_of_layer(cls.__name__, cls.__doc__)
    # What holds nothing that would tell it has to do as it is called.
    if not (any(proofs) if layer.places or not layer.written else all(proofs)):
        return None
    out = outcome(layer, test)
    by_grad = replace(layer, library=replace(layer.library, by_grad=True))
    if asks_for_gradients(out, outcome(by_grad, test)):
        layer = by_grad
    taken, kept = momentum_of(layer, width, _setting(fresh, "momentum"))
    shows = {"mean", "var"} <= set(layer.places)
    keeps = shows or remembers(layer, width)
    is_module = issubclass(cls, torch().nn.Module)
    by_hand = not is_module and hasattr(cls, "backward")
    home = f"torch.nn.{cls.__name__}" if getattr(torch().nn, cls.__name__, None) is cls else name
    kind = f"torch {'module' if is_module else 'class'} {home}"
    way = f"gradients by {'its backward' if by_hand else 'autograd'}"
    traits = Traits(
        recognised=told(kind, layer.layout, taken, way + (", gamma and beta applied afterwards" if layer.bare else "")),
        packs=inspect.isclass(thing),
        takes_eps=_setting(fresh, "eps") is not None,
        takes_momentum=taken is not None,
        kept_by_default=kept,
        differentiates_test_mode=not by_hand,
        has_test_mode=keeps or layer.library.by_grad or differ(out, outcome(layer, call)),
        by_gradients=is_module and layer.library.by_grad and not differ(out, outcome(layer, call)),
        keeps_statistics=keeps,
        keeps_none_by_choice=any(flat(key) == "trackrunningstats" and value is False for _, key, value in walk(fresh)),
        bare=layer.bare,
        starts_anywhere=shows and starts_anywhere(layer, width),
        unreached=_without(_left_out(fresh), idle) or ("" if shows or not keeps else _HIDDEN),
        widest=layer.library.widest,
        source=(placed(path, cls, f"{cls.__qualname__}.forward"),),
    )
    return replace(layer, taken=taken, traits=traits)


def _left_out(thing: Any) -> list[str]:
    """The arguments of its forward pass that nothing is known about, and that can be done without."""
    known = signature_of(thing.forward) if hasattr(thing, "forward") else None
    parts = known.parts if known else ()
    return [p.name for p, own in parts if own in (None, "cache") and p.default is not p.empty]


def _without(arguments: list[str], idle: tuple[str, ...]) -> str:
    if not idle:
        return ""
    what = f"without {', '.join(arguments)}" if arguments else "with x alone"
    return f"it is checked {what}, and {', '.join(idle)} {'is' if len(idle) == 1 else 'are'} not looked at"


def _setting(thing: Any, role: str) -> float | None:
    found = [value for _, key, value in walk(thing) if (m := role_of(key)) and m.role == role]
    return next((value for value in found if isinstance(value, int | float) and not isinstance(value, bool)), None)


def _candidate(make: Any, name: str, thing: Any, layout: str) -> Candidate | None:
    try:
        with guarded(name), quiet():
            width = _WIDTH if inspect.isclass(thing) else _width(thing)
            fresh = make(width, layout, {})
            places = places_of(fresh, width)
            idle = idle_in(fresh, width, layout) if is_network(fresh, width, places) else {}
            places = places_of(fresh, width, idle) if idle else places
    except NotImplementedByLayer:
        return Candidate(Object(name, make, {}, layout=layout, written=False), _WIDTH, None, False)
    except LayerRaised:
        return None
    found = set(places)
    bare = not {"gamma", "beta"} & found and ({"mean", "var"} <= found or _is_plain(fresh))
    if not (bare or {"gamma", "beta"} <= found) or is_network(fresh, width, places, idle):
        unwritten = Object(name, make, {}, layout=layout, written=False)
        return Candidate(unwritten, width, fresh, False) if _is_unwritten(fresh) else None
    layer = Object(name, make, places, Torch(device=home_of(fresh)), layout)
    try:
        made = layer.forward(trial(width))
    except LayerRaised:
        return Candidate(layer, width, fresh, False)
    if made.statistics is None:
        layer = replace(layer, places={role: place for role, place in places.items() if role in LEAVES})
    named = fresh.named_parameters() if idle else ()
    others = tuple(dict.fromkeys(path.partition(".")[0] for path, one in named if id(one) in idle))
    return Candidate(layer, width, fresh, made.out.shape == trial(width).x.shape, others)


def _is_unwritten(thing: Any) -> bool:
    """Whether its forward pass says so itself; what has no parameters yet cannot be run otherwise."""
    try:
        with guarded(""), quiet():
            thing.forward(torch().ones(4, 5))
    except NotImplementedByLayer:
        return True
    except LayerRaised:
        return False
    return False


def _width(thing: Any) -> int:
    """Of a finished object: as many columns as gamma, or else the mean, has entries; a lazy one takes any number."""
    held = [(m.role, v) for _, key, v in walk(thing) if (m := role_of(key)) and isinstance(v, torch().Tensor)]
    if any(torch().nn.parameter.is_lazy(value) for _, value in held):
        return _WIDTH
    sizes = [int(v.numel()) for wanted in ("gamma", "mean") for own, v in held if own == wanted]
    return next(iter(sizes), int(_setting(thing, "size") or 0))


def _is_plain(thing: Any) -> bool:
    """Whether it is a module without anything that it learns or keeps."""
    is_module = isinstance(thing, torch().nn.Module)
    holds = any(isinstance(value, torch().Tensor) for _, _, value in walk(thing))
    return is_module and not holds and not _is_unwritten(thing)
