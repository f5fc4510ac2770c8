"""One forward or backward pass on a batch, with what belongs beside its result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bncheck import __version__
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Statistics, batch_statistics
from bncheck.errors import BadInput
from bncheck.layers.protocol import Call, Layer, Pass
from bncheck.layers.reference import Reference
from bncheck.report import BatchInfo, PassReport
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode


def run_forward(batch: Batch, layer: Layer | None = None, settings: LayerSettings | None = None) -> PassReport:
    """out, and in train mode the batch's statistics; with the running statistics after the pass.

    A training pass on a batch without running statistics starts them at mean 0 and variance 1.
    """
    settings = settings or LayerSettings()
    if batch.running is None and settings.mode is Mode.TRAIN:
        zeros = np.zeros(batch.d, batch.x.dtype)
        batch = replace(batch, running=Statistics(zeros, zeros + 1))
    call, made, name = _pass(batch, layer, settings)
    arrays: dict[str, Array] = {"out": batch.given(made.out)}
    if settings.mode is Mode.TRAIN:
        arrays |= _statistics(call.x)._asdict()
    running = made.running()
    if running is not None:
        arrays |= {"running_mean": running.mean, "running_var": running.var}
    return _report("forward", batch, settings, name, arrays)


def run_backward(batch: Batch, layer: Layer | None = None, settings: LayerSettings | None = None) -> PassReport:
    """dx, dgamma and dbeta of sum(dout * out)."""
    settings = settings or LayerSettings()
    _, made, name = _pass(batch, layer, settings)
    with np.errstate(all="ignore"):
        gradients = made.backward(batch.dout)
    arrays = {"dx": batch.given(gradients.dx), "dgamma": gradients.dgamma, "dbeta": gradients.dbeta}
    return _report("backward", batch, settings, name, arrays)


def show_batch(batch: Batch, settings: LayerSettings | None = None) -> PassReport:
    """The batch itself, as a result among others."""
    arrays = {"x": batch.given(batch.x), "gamma": batch.gamma, "beta": batch.beta, "dout": batch.given(batch.dout)}
    if batch.running is not None:
        arrays |= {"running_mean": batch.running.mean, "running_var": batch.running.var}
    return _report("generate", batch, settings or LayerSettings(), "batch", arrays)


def describe(batch: Batch) -> BatchInfo:
    return BatchInfo(batch.n, batch.d, str(batch.x.dtype), batch.source, batch.seed)


def require_finite(call: Call, first: int = 0) -> None:
    """Raise BadInput where the definition itself has no finite output on this batch; ``first`` is its first column."""
    if call.settings.mode is Mode.TEST and call.running is None:
        raise BadInput("test mode needs running statistics, and the batch has none")
    eps = call.settings.eps
    with np.errstate(all="ignore"):
        made = Reference().forward(call)
        # Where the variance overflows, inv is 0 and out is beta: finite, and wrong.
        finite = np.isfinite(made.out).all(axis=0) & (made.inv() > 0)
        if not np.isfinite(made.inv().dtype.type(eps)):
            raise BadInput(f"eps is {eps:g}, which {call.x.dtype} cannot hold: use a wider --dtype")
    if finite.all():
        return
    column = int(np.argmin(finite))
    if eps == 0 and not np.ptp(call.x[:, column]):
        raise BadInput(
            f"column {first + column} has no variance and eps is 0: there is nothing to divide by; set --eps"
        )
    values = call.x[:, column].astype(np.longdouble)
    raise BadInput(
        f"column {first + column} spans {float(values.max() - values.min()):.3g}, and its normalization is not "
        f"finite in {call.x.dtype}: scale the batch down or use a wider --dtype"
    )


def _pass(batch: Batch, layer: Layer | None, settings: LayerSettings) -> tuple[Call, Pass, str]:
    layer = layer or Reference()
    call = Call(batch.x, batch.gamma, batch.beta, batch.running, settings)
    require_finite(call)
    with np.errstate(all="ignore"):
        return call, layer.forward(call), layer.name


def _statistics(x: Array) -> Statistics:
    """Those of the batch, in its dtype; half precision is computed in single and rounded at the end."""
    with np.errstate(over="ignore"):
        found = batch_statistics(x.astype(np.float32) if x.dtype == np.float16 else x).astype(x.dtype)
    finite = np.isfinite(found.var)
    if not finite.all():
        raise BadInput(f"the variance of column {int(np.argmin(finite))} is beyond {x.dtype}: use a wider --dtype")
    return found


def _report(command: str, batch: Batch, settings: LayerSettings, name: str, arrays: dict[str, Any]) -> PassReport:
    own = {"eps": settings.eps, "momentum": settings.momentum}
    return PassReport(command, settings.mode.value, name, describe(batch), own, arrays, batch.columns, __version__)
