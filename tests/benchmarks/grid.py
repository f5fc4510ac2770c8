"""A grid of batches, most of them hard, on which every right layer must pass and every mistake be seen or named.

A cell is a batch of two columns.  The cells that share dtype, N and dout are columns of one batch, so that they
are measured at once (the columns of batch normalization never meet), and are judged one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from bncheck.arrays import DTypeLike
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks.entries import judged, quantities
from bncheck.checks.judgement import judge
from bncheck.checks.numeric import Measured, Question, measure
from bncheck.differences import Derivative
from bncheck.errors import BadInput
from bncheck.findings.known import dx, parameters
from bncheck.findings.textbook import RIGHT
from bncheck.layers.protocol import Call
from bncheck.layers.reference import Reference
from bncheck.passes import require_finite
from bncheck.report import GradientResult
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Verdict
from tests.benchmarks.right import ACCUMULATING, IMPLEMENTATIONS, PAIRS, layer

DTYPES = ("float64", "float32", "float16")
ROWS = (1, 2, 3, 8, 64, 512, 4096)
MEANS = (0.0, 1e2, 1e4, 1e6)
SCALES = (1e-6, 1e-3, 1.0, 1e3, 1e6)
DOUTS = ("normal", "ones", "one entry", "equal to out")
GAMMAS = ("normal", "ones", "with a zero", "1e-4")
CONSTANT = (False, True)
_OWN_DIFFERENCES = 512
_SETTINGS, _CHECK = LayerSettings(), CheckSettings(probes=False)
MUTANTS = tuple(
    (entry.code, wrong)
    for entry in (*dx.ENTRIES, *parameters.ENTRIES)
    if entry.known
    for wrong in entry.mutants
    if "dx_in_test_mode" not in wrong
)


class Cell(NamedTuple):
    dtype: str
    n: int
    mean: float
    scale: float
    dout: str
    gamma: str
    constant: bool
    seed: int


class Block(NamedTuple):
    """Cells that share dtype, N, dout and seed, side by side."""

    cells: tuple[Cell, ...]
    batch: Batch

    def overflows(self, measured: Measured) -> list[bool]:
        """For each cell whether arithmetic in float16 itself goes beyond it: nobody is right then."""
        if self.batch.x.dtype != np.float16:
            return [False] * len(self.cells)
        x, limit = self.batch.x.astype(np.float64), np.finfo(np.float16).max
        over = (np.abs(x).sum(axis=0) > limit) | (((x - x.mean(axis=0)) ** 2).sum(axis=0) > limit)
        over |= ~np.isfinite(measured.analytic.dx).all(axis=0)
        return [bool(pair.any()) for pair in over.reshape(-1, 2)]


class Outcome(NamedTuple):
    """Of one cell and one way of computing the gradients."""

    verdict: Verdict
    gradients: tuple[GradientResult, ...]

    def blind_to(self, code: str) -> bool:
        return any(blind.code == code for g in self.gradients for blind in g.power.blind_to)


def blocks(
    rows: tuple[int, ...] = ROWS,
    seeds: int = 1,
    dtypes: tuple[str, ...] = DTYPES,
    means: tuple[float, ...] = MEANS,
    scales: tuple[float, ...] = SCALES,
) -> Iterator[Block]:
    """The grid, without the cells that their dtype cannot hold."""
    for dtype, n, dout, seed in itertools.product(dtypes, rows, DOUTS, range(seeds)):
        cells, batches = [], []
        for mean, scale, gamma, constant in itertools.product(means, scales, GAMMAS, CONSTANT):
            cell = Cell(dtype, n, mean, scale, dout, gamma, constant, seed)
            if (batch := _batch(cell)) is not None:
                cells.append(cell)
                batches.append(batch)
        yield Block(tuple(cells), _joined(batches, seed))


def _joined(batches: list[Batch], seed: int) -> Batch:
    x, gamma, beta, dout = (
        np.concatenate([getattr(batch, name) for batch in batches], axis=-1) for name in ("x", "gamma", "beta", "dout")
    )
    return Batch(x, gamma, beta, dout, seed=seed)


def _batch(cell: Cell) -> Batch | None:
    rng = np.random.default_rng([cell.seed, cell.n, *map(ord, repr(cell))])
    dtype = np.dtype(cell.dtype)
    gamma = {
        "normal": rng.normal(size=2),
        "ones": np.ones(2),
        "with a zero": np.array([rng.normal(), 0]),
        "1e-4": np.full(2, 1e-4),
    }[cell.gamma].astype(dtype)
    x = cell.mean + cell.scale * rng.normal(size=(cell.n, 2))
    if cell.constant:
        x[:, 1] = cell.mean + cell.scale
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    beta = rng.normal(size=2).astype(dtype)
    dout = rng.normal(size=x.shape)
    if cell.dout == "ones":
        dout = np.ones_like(dout)
    if cell.dout == "one entry":
        dout = np.zeros_like(dout)
        dout[cell.n // 2, 0] = 1
    if not np.isfinite(x).all():
        return None
    try:
        require_finite(Call(x, gamma, beta, None, _SETTINGS))
    except BadInput:
        return None
    if cell.dout == "equal to out":
        dout = Reference().forward(Call(x, gamma, beta, None, _SETTINGS)).out
    return Batch(x, gamma, beta, dout.astype(dtype), seed=cell.seed)


# ---- judging ----


def _measured(batch: Batch, name: str) -> Measured:
    asked = Question(batch, layer(name), _SETTINGS, _CHECK)
    return measure(asked, asked.layer.forward(asked.call))


def measured_by(block: Block) -> dict[str, Measured]:
    """The gradients of each right implementation, beside the differences of its own forward pass.

    Where these take minutes, those of one forward pass serve all: the others are the same but for rounding.
    """
    if block.batch.n <= _OWN_DIFFERENCES:
        return {name: _measured(block.batch, name) for name in IMPLEMENTATIONS}
    shared = _measured(block.batch, ACCUMULATING)
    others = {name: with_gradients(shared, block.batch, PAIRS[name]) for name in IMPLEMENTATIONS[:-1]}
    return others | {ACCUMULATING: shared}


def with_gradients(measured: Measured, batch: Batch, pair: Any, half: DTypeLike = np.float16) -> Measured:
    """The same differences beside the gradients of another backward, which for float16 computes in ``half``."""
    forward, backward = pair
    arrays = (batch.x, batch.gamma, batch.beta, batch.dout)
    x, gamma, beta, dout = (a.astype(half) if a.dtype == np.float16 else a for a in arrays)
    with np.errstate(all="ignore"):
        _, cache = forward(x, gamma, beta, {"mode": "train", "eps": _SETTINGS.eps})
        made = backward(dout, cache)
        return measured._replace(analytic=Gradients(*(g.astype(batch.x.dtype) for g in made)))


def cell_batch(block: Block, k: int) -> Batch:
    """The batch of one cell."""
    arrays = {name: getattr(block.batch, name)[..., 2 * k : 2 * k + 2] for name in ("x", "gamma", "beta", "dout")}
    return block.batch._replace(**arrays)


def outcomes(block: Block, measured: Measured) -> Iterator[tuple[Cell, Outcome]]:
    for k, cell in enumerate(block.cells):
        results = judged(_sliced(measured, slice(2 * k, 2 * k + 2)), cell_batch(block, k), _CHECK)
        yield cell, Outcome(Verdict.worst([result.verdict for result in results]), results)


def _sliced(measured: Measured, columns: slice) -> Measured:
    call = measured.call

    def gradients(g: Gradients) -> Gradients:
        return Gradients(*(part[..., columns] for part in g))

    def derivative(d: Derivative) -> Derivative:
        return Derivative(*(part[..., columns] for part in d))

    return measured._replace(
        call=Call(call.x[:, columns], call.gamma[columns], call.beta[columns], None, call.settings),
        analytic=gradients(measured.analytic),
        dx=derivative(measured.dx),
        parameters=derivative(measured.parameters),
        rounding=gradients(measured.rounding),
        doubtful=gradients(measured.doubtful),
    )


def mutants(block: Block, measured: Measured) -> Iterator[tuple[str, Cell, bool, bool]]:
    """Every known mistake in every cell: (code, cell, rejected, named as blind).

    The differences are those of the right forward pass, and so is what they could have shown.
    """
    right = dict(outcomes(block, measured))
    for code, wrong in MUTANTS:
        mistaken = _shaped(with_gradients(measured, block.batch, RIGHT._replace(**wrong).pair(), np.float32))
        for k, (cell, outcome) in enumerate(right.items()):
            each = quantities(_sliced(mistaken, slice(2 * k, 2 * k + 2)))
            rejected = any(judge(q, None, block.batch.place).verdict is Verdict.FAIL for q in each)
            yield code, cell, rejected, outcome.blind_to(code)


def _shaped(measured: Measured) -> Measured:
    """Not-a-number throughout for a gradient of another shape, as the check has it."""
    expected = Gradients(measured.call.x, measured.call.gamma, measured.call.beta)
    pairs = zip(measured.analytic, expected, strict=True)
    return measured._replace(
        analytic=Gradients(*(g if g.shape == e.shape else np.full_like(e, np.nan) for g, e in pairs))
    )
