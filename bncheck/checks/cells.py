"""One cell of a grid: the batch that it is, and what becomes of a layer on it."""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch, assemble
from bncheck.batchnorm import Statistics, batch_statistics
from bncheck.checks.acquaintance import Known, introduced
from bncheck.checks.folding import VAGUE
from bncheck.checks.gradients import check_gradients
from bncheck.errors import BadInput, LayerRaised, NotImplementedByLayer
from bncheck.grid import Cell, CellResult, State
from bncheck.layers.protocol import Call
from bncheck.layers.reference import Reference
from bncheck.layers.travelling import Traveller
from bncheck.passes import require_finite
from bncheck.report import Report
from bncheck.rounding import forward_allowance
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.stream import Stream
from bncheck.vocabulary import Coverage, Mode, Severity, Verdict

_SMALL = 1e-4
_RUNNING_ROWS = 32
_FULL = 1 << 26  # evaluated entries, about a second's worth; not timed, lest two machines choose otherwise
# What a layer's code sees of the interpreter is put aside for it, which is not for two threads at once.
_ONE_AT_A_TIME = threading.Lock()


class Request(NamedTuple):
    """What is asked of every cell; picklable."""

    subject: Traveller
    settings: LayerSettings
    seed: int


def examine(request: Request, cell: Cell) -> CellResult:
    """Are the gradients those of the layer's own forward pass here, and has out the digits that this dtype allows?"""
    with _ONE_AT_A_TIME:
        known = introduced(request.subject, request.settings, request.seed)
        try:
            batch = build(cell, known.settings, request.seed)
        except Unheld as why:
            return CellResult(cell, State.BEYOND, said=str(why))
        try:
            return _examined(cell, batch, known)
        except LayerRaised as raised:
            code = "BN008" if isinstance(raised, NotImplementedByLayer) else "BN001"
            return CellResult(cell, State.RAISED, (code,), said=str(raised).splitlines()[0])


# ---- the batch ----


class Unheld(Exception):  # noqa: N818, it names what happened
    """A dtype that cannot hold a batch; the message is one clause that says why."""


def build(cell: Cell, settings: LayerSettings, seed: int) -> Batch:
    """The batch of a cell.  Columns have mean ``offset`` and standard deviation ``scale`` before they are rounded.

    Cells that differ in dtype, scale or offset alone are the same numbers, scaled and moved.  Raises Unheld.
    """
    dtype = np.dtype(cell.dtype)
    x = cell.offset + cell.scale * _standardized(Stream(seed, "stress", cell.n, cell.d).normal(cell.n, cell.d))
    with np.errstate(over="ignore"):
        rounded = x.astype(dtype)
    if not np.isfinite(rounded).all():
        raise Unheld(f"{cell.dtype} ends before {float(np.abs(x).max()):.3g}")
    spacing = float(np.spacing(np.abs(rounded).max()))
    if 0 < cell.scale < spacing:
        raise Unheld(f"neighbours in {cell.dtype} are {spacing:.3g} apart at {cell.offset:g}")
    made = assemble({"x": x, **_gamma(cell, dtype)}, seed=seed, dtype=cell.dtype, source="grid")
    batch = made if settings.mode is Mode.TRAIN else _with_running(made, cell, seed)
    call = call_of(batch, settings)
    try:
        require_finite(call)
    except BadInput as said:
        raise Unheld(str(said)) from None
    dout = _dout(cell, batch, call)
    if not np.isfinite(dout).all():
        raise Unheld(f"out, which is dout, is beyond {cell.dtype}")
    return batch._replace(dout=dout)


def call_of(batch: Batch, settings: LayerSettings) -> Call:
    return Call(batch.x, batch.gamma, batch.beta, batch.running, settings)


def _standardized(draw: Array) -> Array:
    """Mean 0 and standard deviation 1 in each column; zeros for a single row."""
    centred: Array = draw - draw.mean(axis=0)
    spread: Array = np.sqrt((centred**2).mean(axis=0))
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _gamma(cell: Cell, dtype: np.dtype[Any]) -> dict[str, Array]:
    if cell.gamma == "normal":
        return {}
    if cell.gamma == "zero":
        gamma = assemble({"x": np.zeros((1, cell.d))}).gamma
        gamma[-1] = 0
        return {"gamma": gamma}
    return {"gamma": np.full(cell.d, 1 if cell.gamma == "ones" else _SMALL, dtype)}


def _dout(cell: Cell, batch: Batch, call: Call) -> Array:
    if cell.dout == "ones":
        return np.ones_like(batch.dout)
    if cell.dout == "entry":
        dout = np.zeros_like(batch.dout)
        dout[cell.n // 2, 0] = 1
        return dout
    return np.asarray(Reference().forward(call).out) if cell.dout == "out" else batch.dout


def _with_running(batch: Batch, cell: Cell, seed: int) -> Batch:
    """With the statistics of other rows from where x is from."""
    rows = Stream(seed, "stress running", cell.d).normal(_RUNNING_ROWS, cell.d)
    found = batch_statistics(cell.offset + cell.scale * rows)
    with np.errstate(over="ignore"):
        running = Statistics(*(part.astype(batch.x.dtype) for part in found))
    if not all(np.isfinite(part).all() for part in running):
        raise Unheld(f"the running variance is beyond {cell.dtype}")
    return batch._replace(running=running)


# ---- the verdict ----


def _examined(cell: Cell, batch: Batch, known: Known) -> CellResult:
    digits = lost(batch, known)
    if not known.layer.traits.has_backward:
        state, report = State.PASS, None
    else:
        report = _gradients(batch, known)
        state = State(report.verdict.value)
    codes = tuple(dict.fromkeys(_codes(batch, known, report, digits)))
    gradients = {g.name: g for g in report.gradients} if report else {}
    unseen = {blind.code for g in gradients.values() for blind in g.power.blind_to}
    return CellResult(
        cell,
        State.FAIL if codes else state,
        codes,
        tuple(sorted(unseen - set(codes))),
        _number(digits),
        **{name: _number(g.max_rel_error) for name, g in gradients.items()},
        said=_said(report, digits, codes),
    )


def lost(batch: Batch, known: Known) -> float:
    """What out is off by, in units of what the batch costs anybody in its dtype.

    It is held against what the forward pass was read as, in extended precision, and against itself in the
    widest precision that it takes where it is like nothing known.
    """
    if known.reading is None and known.other_forward:
        return 0.0  # what would be right is not known
    call = call_of(batch, known.settings)
    wide = call.astype(np.longdouble)
    allowed = forward_allowance(call, batch.x.dtype)
    with np.errstate(all="ignore"):
        out = np.asarray(known.layer.forward(call).out)
        if known.reading is not None:
            right, allowed = known.reading.out(wide), known.reading.allowed(call, allowed)
        else:
            right = np.array(known.layer.forward(call.astype(known.layer.traits.widest)).out)
        if out.shape != batch.x.shape or right.shape != out.shape:
            return 0.0  # the contract has told it
        off = np.abs(out - right.astype(np.longdouble)) / allowed
        worst = np.where(np.isnan(off), np.inf, off)[np.isfinite(right)]
    return float(worst.max()) if worst.size else 0.0


def _codes(batch: Batch, known: Known, report: Report | None, digits: float) -> list[str]:
    """Those of the layer first: what is wrong everywhere is not told by another name where it looks like another."""
    failed = {g.name for g in report.gradients if g.verdict is Verdict.FAIL} if report else set()
    codes = [code for name, own in known.gradients.items() if name in failed for code in own]
    failed -= known.gradients.keys()
    if digits > 1:
        codes.append(_loss(batch, known))
    elif failed and report is not None:
        codes += _own(batch, known, failed, report)
    if set(codes) <= VAGUE:
        return codes and [*(known.other_forward or codes)]
    return [code for code in codes if code not in VAGUE]


def _own(batch: Batch, known: Known, failed: set[str], report: Report) -> list[str]:
    """Of gradients that are wrong here and not where it is easy."""
    if known.narrower(batch.x.dtype):
        return ["BN006"]
    if known.other_forward:
        return [*known.other_forward]
    if known.loss and not failed & _wrong(_centred(batch), known):
        return [known.loss]
    codes = [f.code for f in report.findings if f.quantity in failed and f.severity is Severity.ERROR]
    if "BN003" in codes and not failed & _wrong(_widened(batch), known):
        # The same numbers make no such thing where there is room.
        return ["BN502"]
    return codes


def _gradients(batch: Batch, known: Known) -> Report:
    full = known.entangled or 2 * batch.n * batch.x.size <= _FULL
    check = CheckSettings(probes=False, coverage=Coverage.FULL if full else Coverage.PROJECTED)
    return check_gradients(batch, known.layer, known.settings, check, entangled=known.entangled)


def _wrong(batch: Batch, known: Known) -> set[str]:
    report = _gradients(batch, known)
    return {g.name for g in report.gradients if g.verdict is Verdict.FAIL}


def _centred(batch: Batch) -> Batch:
    """The same batch, moved to mean 0."""
    x = batch.x.astype(np.longdouble)
    running = batch.running and Statistics(batch.running.mean * 0, batch.running.var)
    return batch._replace(x=(x - x.mean(axis=0)).astype(batch.x.dtype), running=running)


def _widened(batch: Batch) -> Batch:
    arrays = {name: getattr(batch, name).astype(np.float64) for name in ("x", "gamma", "beta", "dout")}
    return batch._replace(**arrays, running=batch.running and batch.running.astype(np.float64))


def _loss(batch: Batch, known: Known) -> str:
    """Which mistake has cost out its digits: one that an offset brings about, or the dtype's own range."""
    if known.narrower(batch.x.dtype):
        return "BN006"
    leaves_range = _leaves_range(batch.x)
    if known.loss and (not leaves_range or lost(_centred(batch), known) <= 1):
        return known.loss
    return "BN502" if leaves_range else "BN503"


def _leaves_range(x: Array) -> bool:
    """Whether sums or squares of x are beyond its dtype."""
    info, wide = np.finfo(x.dtype), x.astype(np.longdouble)
    centred = wide - wide.mean(axis=0)
    squares = (centred**2).mean(axis=0)
    over = np.abs(wide).sum(axis=0).max() > info.max or (centred**2).sum(axis=0).max() > info.max
    return bool(over or np.any((squares > 0) & (squares < info.tiny / info.eps)))


def _said(report: Report | None, digits: float, codes: tuple[str, ...]) -> str:
    failed = next((g.reason for g in report.gradients if g.verdict is not Verdict.PASS), "") if report else ""
    if codes and digits > 1:
        size = f"{digits:.2g} times what the batch costs" if math.isfinite(digits) else "not finite"
        return f"out is {'off by ' if math.isfinite(digits) else ''}{size}"
    return failed


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
