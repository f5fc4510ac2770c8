"""One forward or backward pass on a batch, with what belongs beside its result."""

from __future__ import annotations

from collections.abc import Callable
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

Progress = Callable[[float, float], object]
"""Told (columns done, columns); may raise in order to stop."""


def run_forward(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    progress: Progress | None = None,
) -> PassReport:
    """out, and in train mode the batch's statistics; with the running statistics after the pass.

    A training pass on a batch without running statistics starts them at mean 0 and variance 1.  Of a batch on disk,
    out is on disk as well, and ``progress`` is told how far it is.
    """
    settings = settings or LayerSettings()
    if batch.running is None and settings.mode is Mode.TRAIN:
        zeros = np.zeros(batch.d, batch.x.dtype)
        batch = batch._replace(running=Statistics(zeros, zeros + 1))

    def one(part: Batch, first: int) -> dict[str, Array]:
        call, made = _pass(part, layer, settings, first)
        arrays: dict[str, Array] = {"out": made.out}
        if settings.mode is Mode.TRAIN:
            arrays |= _statistics(call.x, first)._asdict()
        running = made.running()
        if running is not None:
            arrays |= {"running_mean": running.mean, "running_var": running.var}
        return arrays

    return _report("forward", batch, settings, layer, _made(batch, layer, one, progress))


def run_backward(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    progress: Progress | None = None,
) -> PassReport:
    """dx, dgamma and dbeta of sum(dout * out); of a batch on disk, dx is on disk as well."""
    settings = settings or LayerSettings()

    def one(part: Batch, first: int) -> dict[str, Array]:
        _, made = _pass(part, layer, settings, first)
        with np.errstate(all="ignore"):
            return dict(made.backward(part.dout)._asdict())

    return _report("backward", batch, settings, layer, _made(batch, layer, one, progress))


def _made(
    batch: Batch, layer: Layer | None, one: Callable[[Batch, int], dict[str, Array]], progress: Progress | None
) -> dict[str, Array]:
    """What ``one`` makes of the batch; of a batch on disk, block by block, the first array in a table on disk."""
    if batch.budget is None:
        arrays = one(batch, 0)
        name = next(iter(arrays))
        return arrays | {name: batch.given(arrays[name])}
    if layer is not None and not layer.traits.packs:
        raise BadInput(f"{layer.name} takes all columns at once, and {batch.source} is larger than memory")
    from bncheck import large, storage

    table, rows = storage.scratch(batch.n, batch.d, batch.x.dtype), []
    for block in large.blocks(batch, apart=True):
        arrays = one(large.column_block(batch, block), block.start)
        name = next(iter(arrays))
        table[:, block] = arrays.pop(name)
        storage.release(table)
        rows.append(arrays)
        if progress is not None:
            progress(block.stop, batch.d)
    return {name: table} | {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}


def show_batch(batch: Batch, settings: LayerSettings | None = None) -> PassReport:
    """The batch itself, as a result among others."""
    arrays = {"x": batch.given(batch.x), "gamma": batch.gamma, "beta": batch.beta, "dout": batch.given(batch.dout)}
    if batch.running is not None:
        arrays |= {"running_mean": batch.running.mean, "running_var": batch.running.var}
    return _report("generate", batch, settings or LayerSettings(), None, arrays, "batch")


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


def _pass(batch: Batch, layer: Layer | None, settings: LayerSettings, first: int) -> tuple[Call, Pass]:
    call = Call(batch.x, batch.gamma, batch.beta, batch.running, settings)
    require_finite(call, first)
    with np.errstate(all="ignore"):
        return call, (layer or Reference()).forward(call)


def _statistics(x: Array, first: int) -> Statistics:
    """Those of the batch, in its dtype; half precision is computed in single and rounded at the end."""
    with np.errstate(over="ignore"):
        found = batch_statistics(x.astype(np.float32) if x.dtype == np.float16 else x).astype(x.dtype)
    finite = np.isfinite(found.var)
    if not finite.all():
        column = first + int(np.argmin(finite))
        raise BadInput(f"the variance of column {column} is beyond {x.dtype}: use a wider --dtype")
    return found


def _report(
    command: str, batch: Batch, settings: LayerSettings, layer: Layer | None, arrays: dict[str, Any], name: str = ""
) -> PassReport:
    own = {"eps": settings.eps, "momentum": settings.momentum}
    name = name or (layer or Reference()).name
    return PassReport(command, settings.mode.value, name, describe(batch), own, arrays, batch.columns, __version__)
