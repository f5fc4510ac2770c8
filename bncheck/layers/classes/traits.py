"""What a class can be asked for, found out by asking it."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncheck.arrays import Array, DTypeLike
from bncheck.batchnorm import Statistics
from bncheck.errors import LayerRaised
from bncheck.layers.classes import methods
from bncheck.layers.classes.instances import leaves
from bncheck.layers.classes.layer import ClassLayer, ClassPass
from bncheck.layers.classes.layouts import ROWS, places_of
from bncheck.layers.classes.plan import Plan
from bncheck.layers.classes.recipes import Raw
from bncheck.layers.functions.results import array_in
from bncheck.layers.isolation import guarded, quiet
from bncheck.layers.protocol import Call, Traits
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

D = 3
_SHARE = 0.75
"""Far enough from 1/2 for the share kept and the share taken to be told apart."""
_STEP, _CLOSE = 1e-5, 1e-7


def batch(layout: str, seed: int = 7, d: int = D) -> Array:
    rows = 40 if places_of(layout) else 5
    made = np.random.default_rng(seed).normal(size=(rows, d)) * np.arange(1, d + 1) + np.arange(d)
    return np.asarray(made)


def settle(layer: ClassLayer, file: str) -> ClassLayer:
    """The same layer with everything set that only trial passes tell."""
    layer = _left_its_eps(_warm_if_needed(layer))
    share = _share(layer)
    layer = layer.with_plan(takes_share=_takes_share(layer.plan, share), bare=_is_bare(layer))
    plan = layer.plan
    keeps = "mean" in plan.slots and "var" in plan.slots
    traits = Traits(
        recognised=_sentence(plan, file, keeps),
        packs=_pass(layer, d=7) is not None,
        takes_eps=_takes_eps(layer),
        takes_momentum=keeps and plan.takes("momentum") and _follows(share),
        has_backward=plan.backward is not None,
        has_test_mode=plan.switch.kind != "none",
        keeps_statistics=keeps,
        bare=plan.bare,
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
) -> ClassPass | None:
    """None where the layer raises."""
    x = batch(layer.plan.recipe.layout, seed, d).astype(dtype)
    ones = np.ones(d, dtype)
    running = None if start is None else Statistics(ones * start, ones * start)
    try:
        return layer.forward(Call(x, ones * gamma, ones * 0, running, LayerSettings(**settings)), state)
    except LayerRaised:
        return None


def _differ(one: ClassPass | None, other: ClassPass | None) -> bool:
    return one is not None and other is not None and not np.array_equal(one.out, other.out, equal_nan=True)


def _is_bare(layer: ClassLayer) -> bool:
    """Whether it centres its columns and has neither gamma nor beta, under whatever names, nor their gradients."""
    plan, made = layer.plan, _pass(layer)
    if any(plan.takes(role) for role in ("gamma", "beta", "dgamma", "dbeta")) or made is None or plan.steps:
        return False
    x = batch(plan.recipe.layout)
    if made.out.shape != x.shape or np.any(np.abs(made.out.mean(axis=0)) > _CLOSE):
        return False
    kept = [path for role in ("mean", "var") if role in plan.slots for path in plan.slots[role].paths]
    # Not every list can be an array: a layer may keep tables of several shapes in one.
    held = [array_in(value) for path, value in leaves(made.instance) if path not in kept]
    if any(one is not None and one.size == D and np.ptp(one) == 0 and one.flat[0] in (0, 1) for one in held):
        return False
    return plan.backward is None or _hands_out(made, np.ones_like(x)) == {"dx"}


def _hands_out(made: ClassPass, dout: Array) -> set[str]:
    try:
        found, result = made.run_backward(dout)
    except LayerRaised:
        return set()
    return {role for role, value in found.parts(result).items() if value is not None}


def _warm_if_needed(layer: ClassLayer) -> ClassLayer:
    """A layer that makes its parameters in the first pass, whatever was set before, is given one."""
    cold = _obeys(layer)
    if all(cold):
        return layer
    warm = layer.with_plan(warm=True)
    return warm if _obeys(warm) > cold else layer


def _obeys(layer: ClassLayer) -> tuple[bool, bool]:
    """Whether gamma and the running statistics, where there are any, can be set from outside."""
    responds = _differ(_pass(layer, gamma=1.0), _pass(layer, gamma=2.0))
    return responds, "mean" not in layer.plan.slots or _starts_anywhere(layer)


def _starts_anywhere(layer: ClassLayer) -> bool:
    return any(_start_shows(layer, mode) for mode in Mode)


def _start_shows(layer: ClassLayer, mode: Mode) -> bool:
    one, other = _pass(layer, start=1.0, mode=mode), _pass(layer, start=2.0, mode=mode)
    if one is None or other is None:
        return False
    means = _mean(one), _mean(other)
    moved = means[0] is not None and means[1] is not None and not np.array_equal(means[0], means[1], equal_nan=True)
    return moved or _differ(one, other)


def _mean(made: ClassPass | None) -> Array | None:
    running = made.running() if made else None
    return running.mean if running else None


def _share(layer: ClassLayer) -> float | None:
    """How much of the running mean a training step keeps, momentum being 0.75: it is the same for every start."""
    before, after = [], []
    for seed in (7, 8):
        first = _pass(layer, seed=seed, momentum=_SHARE)
        second = _pass(layer, seed=9, momentum=_SHARE, state=first.state) if first else None
        means = _mean(first), _mean(second)
        if means[0] is None or means[1] is None or means[0].shape != means[1].shape:
            return None
        before.append(means[0])
        after.append(means[1])
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
        found = plan.slots["momentum"].read(_fresh(plan))
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
    usual = _pass(layer, eps=1e-5)
    return "eps" in plan.slots and (usual is None or _differ(usual, _pass(layer, eps=0.5)))


def _left_its_eps(layer: ClassLayer) -> ClassLayer:
    """An eps that nobody is asked for is left alone, where forward and backward agree on the value it has only."""
    plan = layer.plan
    if "eps" not in plan.slots or plan.backward is None:
        return layer
    left = layer.with_plan(slots={role: slot for role, slot in plan.slots.items() if role != "eps"})
    return left if _agrees(left, 1e-5) and not _agrees(layer, 0.5) else layer


def _agrees(layer: ClassLayer, eps: float) -> bool:
    """Whether dx is the derivative of the forward pass, along one direction."""
    x = batch(layer.plan.recipe.layout)
    dout, along = np.random.default_rng(11).normal(size=(2, *x.shape))
    call = Call(x, np.ones(D), np.zeros(D), None, LayerSettings(eps=eps))
    ends = [call._replace(x=x + step * along) for step in (_STEP, -_STEP)]
    try:
        up, down = (layer.forward(end).out for end in ends)
        slope = float(np.sum(dout * (up - down)) / (2 * _STEP))
        return abs(slope - float(np.sum(layer.forward(call).backward(dout).dx * along))) < _CLOSE * max(1, abs(slope))
    except (LayerRaised, ValueError, TypeError):
        return False  # it raises, or what it returns is of another shape


def _widest(layer: ClassLayer) -> DTypeLike:
    made = _pass(layer, dtype=np.longdouble)
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
        moved = ", moved by its backward" * plan.backs
        parts.append(f"statistics in {plan.slots['mean'].label}, {plan.slots['var'].label}{moved}")
    pattern = plan.slots["gamma"].pattern if "gamma" in plan.slots else None
    if pattern and pattern != (-1,):
        parts.append("parameters (" + ", ".join("D" if n == -1 else str(n) for n in pattern) + ")")
    return ", ".join([*parts, _gradients(plan), *["gamma and beta applied afterwards"] * plan.bare])


def _gradients(plan: Plan) -> str:
    if plan.backward is None:
        return "no backward"
    returned = plan.recipe.text.returned(plan.backward)
    if returned and len(returned) > 1:
        return f"{plan.backward} returns {', '.join(name or '...' for name in returned)}"
    if "dgamma" in plan.slots and "dbeta" in plan.slots:
        return f"gradients in attributes {plan.slots['dgamma'].label}, {plan.slots['dbeta'].label}"
    if plan.steps:
        return "gradients from the step that backward takes"
    asked = plan.recipe.text.optimizers or plan.backward_arguments.has("optimizer")
    return "gradients as handed to the optimizer" if asked else f"gradients as {plan.backward} returns them"
