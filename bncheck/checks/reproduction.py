"""The smallest batch that still shows a finding: small integers if they suffice, a variance near eps if it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Gradients, Statistics
from bncheck.checks import forward
from bncheck.checks.probes import Subject
from bncheck.checks.showing import Shown, Trial, argument_kept, averages, definition, differences, moves, rests
from bncheck.errors import LayerRaised, Unspelled
from bncheck.layers.protocol import Call, Layer, Spelled
from bncheck.report import Finding, Report
from bncheck.reproduction import Reproduction
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode, Severity

_X = ((1, 5, 3, 0, 2, 7, 4, 6, 9, 8, 2, 5), (4, 2, 9, 3, 0, 1, 7, 5, 6, 2, 8, 1), (0, 6, 2, 5, 1, 3, 8, 4, 7, 9, 1, 2))
_DOUT = (2, 1, -1, 3, 0, -2, 1, 4, -3, 2, 1, -1)
_ROWS = (2, 3, 4, 5, 6, 8, 12)
_COLUMNS = (1, 2, 3)
_CLEAR = 100
"""A mistake is this many times what the file tolerates."""
_RUNNING = ("running_mean", "running_var")
_NO_NUMBERS = {"BN005", "BN006", "BN007", "BN411", "BN501", "BN502", "BN503"}
Look = Callable[[Layer, Trial], Shown | None]


def errors(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity is Severity.ERROR]


def reproduce(layer: Layer, report: Report, finding: Finding) -> Reproduction:
    """Raises Unspelled, which says why, where no small batch shows it or the layer cannot be written down."""
    spell: Callable[[tuple[Call, ...], Array | None], Spelled] | None = getattr(layer, "spelled", None)
    if spell is None:
        raise Unspelled("layers of PyTorch and JAX are not written down")
    views = _views(finding, report)
    if not views:
        raise Unspelled("it is no wrong number that a small batch could show")
    said = ""
    for trial, (mode, look, started) in product(_trials(layer, report), views):
        try:
            one = trial.in_mode(mode, started)
            shown = look(layer, one)
            if shown is not None and shown.off > _CLEAR * shown.tolerance:
                return _written(layer, finding, one, shown, spell(one.calls, one.dout if shown.backward else None))
        except (LayerRaised, Unspelled) as refused:
            said = said or str(refused)
    raise Unspelled(said or f"no batch of up to {_ROWS[-1]} by {_COLUMNS[-1]} shows it beyond rounding")


def _written(layer: Layer, finding: Finding, trial: Trial, shown: Shown, spelled: Spelled) -> Reproduction:
    call = trial.calls[-1]
    told = spelled.arrays if shown.wanted == "copy" else spelled.results
    missing = [name for name in shown.needs if name not in spelled.results | spelled.arrays]
    missing += [] if shown.quantity in told else [shown.quantity]
    if missing:
        raise Unspelled(f"where it leaves {' and '.join(missing)} cannot be told")
    return Reproduction(
        finding=finding,
        implementation=layer.name,
        wanted=shown.wanted,
        quantity=shown.quantity,
        lines=spelled.lines,
        results=spelled.results,
        arrays=spelled.arrays,
        channels=spelled.channels,
        eps=call.settings.eps,
        kept=shown.kept,
        unbiased=shown.unbiased,
        test=call.settings.mode is Mode.TEST,
        step=shown.step,
        tolerance=shown.tolerance,
        n=call.x.shape[0],
        d=call.x.shape[1],
    )


# ---- what to look at ----


class View(NamedTuple):
    """What may show a finding, and in which mode."""

    mode: Mode
    look: Look
    started: bool = True
    """It takes running statistics to start from."""


def _views(finding: Finding, report: Report) -> list[View]:
    """None where the finding is no wrong number."""
    code, quantity = finding.code, finding.quantity
    # A check of everything looks at the gradients of training, whatever mode it was asked for.
    mode = Mode.TRAIN if report.sections else Mode(report.mode)
    if code == "BN004":
        return [View(each, partial(argument_kept, name=quantity), each is Mode.TEST) for each in Mode]
    if code == "BN408":
        return [View(Mode.TRAIN, moves)]
    if quantity in Gradients._fields:
        return [View(mode, partial(differences, quantity=quantity), mode is Mode.TEST)]
    if quantity in ("out", "test mode"):
        return [] if code in _NO_NUMBERS else [View(each, definition, each is Mode.TEST) for each in _modes(code)]
    names = [name for name in _RUNNING if quantity in (name, "momentum", "running statistics")]
    if code == "BN402":
        return [View(Mode.TEST, partial(rests, name=name)) for name in names]
    return [View(Mode.TRAIN, partial(averages, name=name, exchanged=code == "BN406")) for name in names]


def _modes(code: str) -> list[Mode]:
    """Those in which out may be wrong."""
    of_forward, of_test_mode = code.startswith("BN3"), code.startswith("BN4")
    return [Mode.TRAIN] * (not of_test_mode) + [Mode.TEST] * (not of_forward)


# ---- batches, the plainest first ----


def _trials(layer: Layer, report: Report) -> Iterator[Trial]:
    settings = LayerSettings(eps=report.settings["eps"], momentum=report.settings["momentum"])
    if not layer.traits.takes_eps:
        settings = _with_its_own_eps(layer, settings)
    near = float(f"{np.sqrt(settings.eps or 1e-5):.0e}")
    kinds = [(settings, 1.0), (settings, near)]
    if layer.traits.takes_eps:
        kinds.insert(1, (replace(settings, eps=1.0), 1.0))
    columns = _COLUMNS if layer.traits.packs else (report.batch.d,)
    for (chosen, scale), trained, d, n in product(kinds, (False, True), columns, _ROWS):
        yield _trial(layer, chosen, scale, trained, d, n)


def _trial(layer: Layer, settings: LayerSettings, scale: float, trained: bool, d: int, n: int) -> Trial:
    """``trained``: after a pass in training on another batch."""
    x = np.array([[float(f"{scale * _X[j % 3][i]:.6g}") for j in range(d)] for i in range(n)])
    dout = np.array([[float(_DOUT[(i + 5 * j) % len(_DOUT)]) for j in range(d)] for i in range(n)])
    places = np.arange(d)
    gamma, beta = 2.0 + places % 2, 1.0 - places % 2
    start = Statistics(scale * (2.0 + places % 2), scale**2 * (9.0 - 5 * (places % 2)))
    rounded = Statistics(*(np.array([float(f"{v:.6g}") for v in each]) for each in start))
    keeps = layer.traits.keeps_statistics and layer.traits.starts_anywhere
    call = Call(x, gamma, beta, rounded if keeps else None, settings)
    earlier = call._replace(x=np.array([[float(f"{v:.6g}") for v in row] for row in 2 * x[::-1] + scale]))
    last = call._replace(running=None) if trained else call
    return Trial((earlier, last) if trained else (call,), dout)


def _with_its_own_eps(layer: Layer, settings: LayerSettings) -> LayerSettings:
    from bncheck.batch import generate

    try:
        subject = Subject(layer, generate(), settings, np.dtype(np.float64))
        return forward.settle(subject)[0].settings
    except LayerRaised:
        return settings
