"""What a class can be asked for, found out by asking it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bncheck.arrays import Array, DTypeLike
from bncheck.batchnorm import Statistics
from bncheck.errors import LayerRaised
from bncheck.layers import methods
from bncheck.layers.class_layer import ClassLayer, ClassPass
from bncheck.layers.class_plan import Plan
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Call, Traits
from bncheck.layers.recipes import COLUMNS, ROWS, Raw
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

D = 3
_SHARE = 0.75
"""Far enough from 1/2 for the share kept and the share taken to be told apart."""


def batch(layout: str, seed: int = 7, d: int = D) -> Array:
    rows = 5 if layout in (ROWS, COLUMNS) else 40
    made = np.random.default_rng(seed).normal(size=(rows, d)) * np.arange(1, d + 1) + np.arange(d)
    return np.asarray(made)


def settle(layer: ClassLayer, file: str) -> ClassLayer:
    """The same layer with everything set that only trial passes tell."""
    layer = _warm_if_needed(layer)
    share = _share(layer)
    layer = layer.with_plan(takes_share=_takes_share(layer.plan, share))
    plan = layer.plan
    keeps = "mean" in plan.slots and "var" in plan.slots
    traits = Traits(
        recognised=_sentence(plan, file, keeps),
        packs=_asked(lambda: _pass(layer, d=7)) is not None,
        takes_eps=_takes_eps(layer),
        takes_momentum=plan.takes("momentum") and _follows(share),
        has_backward=plan.backward is not None,
        has_test_mode=plan.switch.kind != "none",
        keeps_statistics=keeps,
        starts_anywhere=keeps and _starts_anywhere(layer),
        widest=_widest(layer),
        source=tuple(f"{file}:{plan.name}.{name}" for name in (plan.forward, plan.backward) if name),
    )
    return ClassLayer(layer.name, plan, traits)


def _pass(
    layer: ClassLayer,
    *,
    d: int = D,
    seed: int = 7,
    state: object = None,
    start: float | None = None,
    gamma: float = 1.0,
    dtype: DTypeLike = np.float64,
    **settings: Any,
) -> ClassPass:
    x = batch(layer.plan.recipe.layout, seed, d).astype(dtype)
    ones = np.ones(d, dtype)
    running = None if start is None else Statistics(ones * start, ones * start)
    return layer.forward(Call(x, ones * gamma, ones * 0, running, LayerSettings(**settings)), state)


def _asked(question: Callable[[], Any]) -> Any:
    """None where the layer raises."""
    try:
        return question()
    except LayerRaised:
        return None


def _differ(one: Any, other: Any) -> bool:
    return one is not None and other is not None and not np.array_equal(one, other, equal_nan=True)


def _warm_if_needed(layer: ClassLayer) -> ClassLayer:
    """A layer that makes its parameters in the first pass, whatever was set before, is given one."""
    if _responds(layer) and ("mean" not in layer.plan.slots or _starts_anywhere(layer)):
        return layer
    warm = layer.with_plan(warm=True)
    return warm if _responds(warm) >= _responds(layer) and _asked(lambda: _pass(warm)) else layer


def _responds(layer: ClassLayer) -> bool:
    return _differ(*(_asked(lambda g=g: _pass(layer, gamma=g).out) for g in (1.0, 2.0)))


def _starts_anywhere(layer: ClassLayer) -> bool:
    return any(_start_shows(layer, mode) for mode in Mode)


def _start_shows(layer: ClassLayer, mode: Mode) -> bool:
    one, other = (_asked(lambda s=s: _pass(layer, start=s, mode=mode)) for s in (1.0, 2.0))
    if one is None or other is None:
        return False
    return _differ(one.out, other.out) or _differ(_mean(one), _mean(other))


def _mean(made: ClassPass) -> Array | None:
    running = made.running()
    return running.mean if running else None


def _share(layer: ClassLayer) -> float | None:
    """How much of the running mean a training step keeps, momentum being 0.75: it is the same for every start."""
    if "mean" not in layer.plan.slots:
        return None
    first = [_asked(lambda s=s: _pass(layer, seed=s, momentum=_SHARE)) for s in (7, 8)]
    if None in first:
        return None
    second = [_asked(lambda p=p: _pass(layer, seed=9, momentum=_SHARE, state=p.state)) for p in first]
    if None in second:
        return None
    before, after = ([_mean(made) for made in passes] for passes in (first, second))
    if any(mean is None for mean in (*before, *after)):
        return None
    with np.errstate(all="ignore"):
        return float(np.mean((after[0] - after[1]) / (before[0] - before[1])))


def _takes_share(plan: Plan, share: float | None) -> bool:
    """The default says which was meant; a step that contradicts it is a mistake, and not a convention."""
    default = _default_momentum(plan)
    if default is not None and default != 0.5:
        return default < 0.5
    return share is not None and abs(share - (1 - _SHARE)) < 1e-6


def _default_momentum(plan: Plan) -> float | None:
    if plan.recipe.takes("momentum"):
        found = plan.recipe.default("momentum")
    elif plan.forward_arguments.has("momentum"):
        found = _default_of_argument(plan)
    elif "momentum" in plan.slots:
        found = plan.slots["momentum"].read(_asked(lambda: _fresh(plan)))
    else:
        found = None
    return float(found) if isinstance(found, (int, float)) else None


def _default_of_argument(plan: Plan) -> Any:
    name = next(name for name, role in plan.forward_arguments.roles if role == "momentum")
    found = methods.parameters(getattr(plan.recipe.kind, plan.forward))
    return next((p.default for p in found if p.name == name), None)


def _fresh(plan: Plan) -> Any:
    with quiet(), guarded(plan.name):
        return plan.recipe.make(D, Raw())


def _follows(share: float | None) -> bool:
    """A step that keeps another share than it was told has a momentum of its own, under another name.

    One that keeps everything, or nothing that can be told, is a mistake to be seen by the checks.
    """
    return share is None or not np.isfinite(share) or min(abs(share - s) for s in (_SHARE, 1 - _SHARE, 1)) < 1e-6


def _takes_eps(layer: ClassLayer) -> bool:
    plan = layer.plan
    if plan.recipe.takes("eps") or plan.forward_arguments.has("eps"):
        return True
    outs = [_asked(lambda e=e: _pass(layer, eps=e).out) for e in (1e-5, 0.5)]
    return "eps" in plan.slots and (outs[0] is None or _differ(*outs))


def _widest(layer: ClassLayer) -> DTypeLike:
    made = _asked(lambda: _pass(layer, dtype=np.longdouble))
    return "longdouble" if made is not None and made.out.dtype == np.longdouble else "float64"


def _sentence(plan: Plan, file: str, keeps: bool) -> str:
    given = ", ".join(name for name, _ in plan.forward_arguments.roles)
    parts = [f"class {file}:{plan.name}", f"{plan.forward}({given})"]
    if plan.recipe.layout != ROWS:
        parts.append(f"x is {plan.recipe.layout}")
    parts.append(str(plan.switch))
    if plan.takes("momentum"):
        parts.append(f"momentum = share {'taken' if plan.takes_share else 'kept'}")
    if keeps:
        parts.append(f"statistics in {plan.slots['mean'].label}, {plan.slots['var'].label}")
    return ", ".join([*parts, _gradients(plan)])


def _gradients(plan: Plan) -> str:
    if plan.backward is None:
        return "no backward"
    returned = plan.recipe.text.returned(plan.backward)
    if returned and len(returned) > 1:
        return f"{plan.backward} returns {', '.join(name or '...' for name in returned)}"
    if "dgamma" in plan.slots and "dbeta" in plan.slots:
        return f"gradients in attributes {plan.slots['dgamma'].label}, {plan.slots['dbeta'].label}"
    return "gradients from the step that backward takes" if plan.steps else "gradients as handed to the optimizer"
