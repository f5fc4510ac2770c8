"""From what the user names to layers that can be called."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from dataclasses import replace
from typing import Any, NamedTuple

from bncheck.errors import BadInput
from bncheck.layers.classes import finding as classes
from bncheck.layers.classes import pairs as method_pairs
from bncheck.layers.functions import finding as functions
from bncheck.layers.functions.factories import makers
from bncheck.layers.loading.files import load
from bncheck.layers.obstacles import obstacle
from bncheck.layers.protocol import Layer
from bncheck.layers.unrecognised import unrecognised

_GLUE = """
    # glue.py: ten lines that say how your layer is called; then: bncheck check glue.py
    {imported}

    def batchnorm_forward(x, gamma, beta, bn_param):
        # bn_param holds mode ("train" or "test"), eps, momentum (the share kept),
        # and running_mean and running_var, which training is to replace
        ...
        return out, cache

    def batchnorm_backward(dout, cache):
        ...
        return dx, dgamma, dbeta
"""


class Resolved(NamedTuple):
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]
    """For standard error: what had to be lifted or stubbed."""


def resolve(target: str, isolate: bool = False) -> Resolved:
    """The layers in ``file.py``, ``file.py:name``, ``package.module:Name``; raises BadInput where there are none."""
    loaded = load(target, isolate)
    found: list[Layer] = []
    for finder in _finders():
        # What a framework has claimed, NumPy's conventions need not guess at.
        found = found or finder(loaded.names, loaded.tree, loaded.path, loaded.wanted)
    passed = [f"{name} is not recognised, for {said}" for name, said in unrecognised(loaded, found).items()]
    module = loaded.path.rsplit("/", 1)[-1].removesuffix(".py")
    if not found:
        names = ", ".join(loaded.names) or "nothing"
        what = f"{loaded.wanted} is no layer" if loaded.wanted else "no batch-normalization layer in it"
        what = "; ".join(passed if loaded.wanted and passed else [what, *passed])
        raise BadInput(f"{loaded.path}: {what}; it defines {names}", _glue(module))
    barred = {layer.name: said for layer in found if (said := obstacle(layer, loaded.lost))}
    if len(barred) == len(found):
        raise BadInput(f"{loaded.path} cannot be checked: {barred[found[0].name]}", _glue(module))
    left = tuple(layer for layer in found if layer.name not in barred)
    unreached = [f"{layer.name}: {layer.traits.unreached}" for layer in left if layer.traits.unreached]
    notes = [*loaded.notes, *(f"{name} was left out: {said}" for name, said in barred.items()), *passed, *unreached]
    return Resolved(left, tuple(notes))


def _glue(module: str) -> str:
    plain = f"from {module} import ..."
    # An import statement takes identifiers only.
    by_name = f'import importlib; theirs = importlib.import_module("{module}")'
    return _GLUE.format(imported=plain if module.isidentifier() else by_name)


def of(thing: Any) -> Layer:
    """The layer that a live object is: a Layer already, a class, an instance, a module, or (forward, backward)."""
    if hasattr(thing, "forward") and hasattr(thing, "traits") and hasattr(thing, "name"):
        return thing  # type: ignore[no-any-return]
    name = getattr(thing, "__name__", type(thing).__name__)
    if isinstance(thing, str):
        return resolve(thing).layers[0]
    for framework in _frameworks():
        layer: Layer | None = framework.of(thing, name)
        if layer is not None:
            return layer
    pair = thing if isinstance(thing, tuple) else (thing,)
    names = {getattr(part, "__name__", f"part{i}"): part for i, part in enumerate(pair)}
    tree = _tree_of(pair)
    found: list[Layer] = [*functions.find(names, tree, name, None), *classes.find(names, tree, name, None)]
    if not found:
        raise BadInput(f"{name} is not recognised as a batch-normalization layer")
    return found[0]


def _tree_of(parts: tuple[Any, ...]) -> ast.Module:
    source = []
    for part in parts:
        try:
            source.append(textwrap.dedent(inspect.getsource(part)))
        except (OSError, TypeError):
            continue
    return ast.parse("\n".join(source))


def _frameworks() -> list[Any]:
    found: list[Any] = []
    if "torch" in sys.modules:
        from bncheck.layers.tensors import torch as torch_layers

        found.append(torch_layers)
    if "jax" in sys.modules:
        from bncheck.layers.tensors import jax as jax_layers

        found.append(jax_layers)
    return found


def _finders() -> list[Any]:
    return [*(framework.find for framework in _frameworks()), _numpy]


def _numpy(names: dict[str, object], tree: ast.Module, path: str, wanted: str | None) -> list[Layer]:
    enclosed = list(makers(names, tree, wanted))
    names = {name: one for name, one in names.items() if name not in [maker.name for maker in enclosed]}
    made: list[Layer] = [*functions.find(names, tree, path, wanted)]
    for name, passes, text in enclosed:
        made += [replace(one, name=f"{path.rpartition('/')[2]}:{name}") for one in functions.find(passes, text, path)]
    inside = {} if made else method_pairs.free(names, tree, wanted)
    found = functions.find(inside, tree, path, (wanted or "").partition(".")[2] or None) if inside else []
    if found:
        return [*made, *found]
    with_context = list(method_pairs.with_context(names, tree, wanted))
    for name, passes, text in with_context:
        pair = functions.find(passes, text, path)
        made += [replace(one, name=f"{one.name.rpartition(':')[0]}:{name}") for one in pair]
    rest = {name: one for name, one in names.items() if name not in [pair.name for pair in with_context]}
    return [*made, *classes.find(rest, tree, path, wanted)]
