"""Whether one small batch shows a mistake: what the layer gives, beside what it should give."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bncheck import batchnorm
from bncheck.arrays import Array
from bncheck.batchnorm import Statistics, batch_statistics
from bncheck.layers.protocol import Call, Layer, Pass
from bncheck.vocabulary import Mode

_TOLERATED = 1e-6
"""Of the natural size of what is compared."""
_RUNNING = ("running_mean", "running_var")
_STEP = 1e-4
"""Of a column's spread."""


class Trial(NamedTuple):
    """One pass after another, and a dout for the last."""

    calls: tuple[Call, ...]
    dout: Array

    def in_mode(self, mode: Mode, started: bool) -> Trial:
        """``started``: the running statistics matter, and where they can be set they are."""
        *earlier, last = self.calls
        last = last._replace(settings=replace(last.settings, mode=mode), running=last.running if started else None)
        return self._replace(calls=(*earlier, last))


class Shown(NamedTuple):
    """What a layer gave and what it is held against; the rest as in ``Reproduction``."""

    wanted: str
    quantity: str
    off: float
    tolerance: float
    backward: bool = False
    needs: tuple[str, ...] = ()
    kept: float = 0.0
    unbiased: bool = False
    step: float = 0.0


class Made(NamedTuple):
    """The last pass, and the running statistics before it."""

    last: Pass
    before: Statistics | None


def run(layer: Layer, trial: Trial) -> Made:
    state: object = None
    before = trial.calls[0].running
    for call in trial.calls[:-1]:
        made = layer.forward(call, state)
        state, before = made.state, made.running()
    return Made(layer.forward(trial.calls[-1], state), before)


def _power_of_ten(value: float) -> float:
    """The next one below."""
    return float(f"1e{int(np.floor(np.log10(value)))}")


def _compared(wanted: str, quantity: str, actual: Array, expected: Array, scale: float) -> Shown | None:
    scale = max(scale, float(np.abs(expected).max()))
    if not np.isfinite(scale) or scale == 0:
        return None
    tolerance = _power_of_ten(_TOLERATED * scale)
    if np.size(actual) != expected.size:
        return Shown(wanted, quantity, float("inf"), tolerance)
    off = float(np.abs(np.ravel(actual) - np.ravel(expected)).max())
    return Shown(wanted, quantity, off if off == off else float("inf"), tolerance)


# ---- gradients ----


def differences(layer: Layer, trial: Trial, quantity: str) -> Shown | None:
    """The layer's own gradient, against central differences of its own forward pass."""
    if len(trial.calls) > 1:
        return None
    call = trial.calls[0]
    made = layer.forward(call)
    actual = np.array(getattr(made.backward(trial.dout), quantity))
    spread = np.sqrt(batch_statistics(call.x).var + call.settings.eps)
    step = _power_of_ten(_STEP * float(spread.min())) if quantity == "dx" else _STEP
    expected, again = (_central(layer, trial, quantity[1:], h) for h in (step, 2 * step))
    slopes = np.abs(trial.dout * call.gamma / spread) if quantity == "dx" else np.abs(trial.dout)
    shown = _compared("differences", quantity, actual, expected, float(slopes.max()))
    # What two steps do not agree upon is rounding, of a layer in single precision say.
    if shown is None or not np.abs(expected - again).max() <= shown.tolerance:
        return None
    if quantity == "dx" and actual.shape != expected.shape:
        shown = shown._replace(off=float("inf"))
    return shown._replace(backward=True, step=step, needs=("out",))


def _central(layer: Layer, trial: Trial, argument: str, step: float) -> Array:
    call = trial.calls[0]
    at = getattr(call, argument)
    slopes = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        moved = np.zeros_like(at)
        moved[place] = step
        above, below = (np.array(layer.forward(call._replace(**{argument: at + s * moved})).out) for s in (1, -1))
        slopes[place] = np.sum(trial.dout * (above - below)) / (2 * step)
    return np.asarray(slopes)


# ---- out ----


def definition(layer: Layer, trial: Trial) -> Shown | None:
    call = trial.calls[-1]
    if call.settings.mode is Mode.TRAIN and len(trial.calls) > 1:
        return None
    made = run(layer, trial)
    test = call.settings.mode is Mode.TEST
    if test and made.before is None:
        return None
    expected = batchnorm.forward(call.x, call.gamma, call.beta, call.settings.eps, made.before if test else None)
    shown = _compared("definition", "out", np.array(made.last.out), expected, float(np.abs(call.beta).max()))
    if shown is None or np.shape(made.last.out) == call.x.shape:
        return _held(shown, trial) if test else shown
    return shown._replace(off=float("inf"))


def argument_kept(layer: Layer, trial: Trial, name: str) -> Shown | None:
    if len(trial.calls) > 1:
        return None
    made = layer.forward(trial.calls[0])
    backward = name == "dout" and trial.calls[0].settings.mode is Mode.TRAIN
    if backward:
        made.backward(trial.dout)
    if name not in getattr(made, "written", ()):
        return None
    return Shown("copy", name, float("inf"), 0.0, backward=backward)


# ---- running statistics ----


def averages(layer: Layer, trial: Trial, name: str, exchanged: bool) -> Shown | None:
    """One training step: kept * old + (1 - kept) * batch; ``exchanged`` says that the shares are the mistake."""
    call, made = trial.calls[-1], run(layer, trial)
    after = made.last.running()
    if after is None or made.before is None or after.mean.shape != made.before.mean.shape:
        return None
    kept = call.settings.momentum if layer.traits.takes_momentum else _share(made.before, after, call, exchanged)
    if kept is None:
        return None
    batch = batch_statistics(call.x)
    part = _RUNNING.index(name)
    n = len(call.x)
    found = []
    for unbiased in (False, True)[: 1 + part]:
        statistic = batch[part] * (n / (n - 1) if unbiased else 1)
        expected = kept * made.before[part] + (1 - kept) * statistic
        shown = _compared("average", name, after[part], expected, 0.0)
        found += [shown._replace(kept=kept, unbiased=unbiased)] if shown else []
    nearest = min(found, key=lambda one: one.off, default=None)
    return nearest and _held(nearest, trial)


def _share(before: Statistics, after: Statistics, call: Call, exchanged: bool) -> float | None:
    """What a layer keeps whose momentum is its own, by its mean; the other share where they are exchanged."""
    mean = call.x.mean(axis=0)
    with np.errstate(all="ignore"):
        kept = float(((after.mean - mean) / (before.mean - mean))[0])
    if not np.isfinite(kept) or not 0 <= kept <= 1:
        return None
    return float(f"{1 - kept if exchanged else kept:.6g}")


def rests(layer: Layer, trial: Trial, name: str) -> Shown | None:
    """A pass in test mode leaves the running statistics as they were."""
    made = run(layer, trial)
    after = made.last.running()
    if after is None or made.before is None:
        return None
    part = _RUNNING.index(name)
    shown = _compared("rest", name, after[part], made.before[part], 0.0)
    return shown and _held(shown, trial)


def moves(layer: Layer, trial: Trial) -> Shown | None:
    """A training step changes the running statistics."""
    made = run(layer, trial)
    after = made.last.running()
    if after is None or made.before is None or not all(map(np.array_equal, after, made.before)):
        return None
    return _held(Shown("movement", "running_mean", float("inf"), 0.0), trial)


def _held(shown: Shown | None, trial: Trial) -> Shown | None:
    """What was before is read from the layer, unless it was given."""
    return shown and shown._replace(needs=("running_mean", "running_var") if trial.calls[-1].running else ("old_mean",))
