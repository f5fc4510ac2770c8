"""Other checkers on a sample of the grid's float64 cells: what they accuse and what they let through.

    python -m tests.benchmarks.peers

Run it with one thread (OMP_NUM_THREADS=1).  Each is used as it comes, with its own defaults: the rule of the CS231n
course (two calls an entry, step 1e-5, relative error 1e-4), torch.autograd.gradcheck slow and fast, and JAX's
check_grads, as far as they are installed.  They all check the Jacobian or a random combination of its rows, but for the
rule of the course, which like bncheck takes the dout of the cell.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.checks.gradients import check_gradients
from bncheck.findings.textbook import RIGHT
from bncheck.layers.resolve import of
from bncheck.settings import CheckSettings
from bncheck.vocabulary import Verdict
from tests.benchmarks import grid

Pair = tuple[Callable[..., Any], Callable[..., Any]]
Checker = Callable[[Batch, Pair], bool]
"""Whether it accepts the layer on this batch."""
ROWS, CELLS = (2, 3, 8, 64), 240


def bncheck(batch: Batch, pair: Pair) -> bool:
    return _bncheck(batch, pair).verdict is not Verdict.FAIL


def _bncheck(batch: Batch, pair: Pair) -> Any:
    return check_gradients(batch, of(pair), check=CheckSettings(probes=False))


def course(batch: Batch, pair: Pair, h: float = 1e-5) -> bool:
    """max |a - n| / max(1e-8, |a| + |n|) <= 1e-4 for dx, dgamma and dbeta."""
    forward, backward = pair
    arrays = [batch.x.copy(), batch.gamma.copy(), batch.beta.copy()]

    def out() -> tuple[Array, Any]:
        made: tuple[Array, Any] = forward(*arrays, {"mode": "train"})
        return made

    for array, analytic in zip(arrays, backward(batch.dout, out()[1]), strict=True):
        if np.shape(analytic) != array.shape:
            return False
        numeric = np.empty_like(array)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + h
            above = np.sum(out()[0] * batch.dout)
            array[place] = kept - h
            numeric[place] = (above - np.sum(out()[0] * batch.dout)) / (2 * h)
            array[place] = kept
        off = np.abs(analytic - numeric) / np.maximum(1e-8, np.abs(analytic) + np.abs(numeric))
        if not np.max(off) <= 1e-4:
            return False
    return True


def torch_checkers() -> Iterator[tuple[str, Checker]]:
    import torch

    def layer(pair: Pair) -> Any:
        class Layer(torch.autograd.Function):  # type: ignore[misc]
            @staticmethod
            def forward(ctx: Any, *tensors: Any) -> Any:
                out, ctx.cache = pair[0](*(t.detach().numpy() for t in tensors), {"mode": "train"})
                return torch.from_numpy(np.array(out))

            @staticmethod
            def backward(ctx: Any, dout: Any) -> Any:
                return tuple(torch.from_numpy(np.array(g)) for g in pair[1](dout.numpy(), ctx.cache))

        return Layer.apply

    def checker(fast: bool) -> Checker:
        def accepts(batch: Batch, pair: Pair) -> bool:
            inputs = [torch.tensor(a, requires_grad=True) for a in (batch.x, batch.gamma, batch.beta)]
            try:
                return bool(torch.autograd.gradcheck(layer(pair), inputs, fast_mode=fast, raise_exception=False))
            except RuntimeError:  # a gradient of another shape
                return False

        return accepts

    yield "torch gradcheck, slow", checker(fast=False)
    yield "torch gradcheck, fast", checker(fast=True)


def jax_checkers() -> Iterator[tuple[str, Checker]]:
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def accepts(batch: Batch, pair: Pair) -> bool:
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (batch.x, batch.gamma, batch.beta)]

        def run(*arrays: Any) -> Any:
            return np.asarray(pair[0](*map(np.asarray, arrays), {"mode": "train"})[0])

        def run_back(dout: Any, *arrays: Any) -> Any:
            _, cache = pair[0](*map(np.asarray, arrays), {"mode": "train"})
            return tuple(map(np.asarray, pair[1](np.asarray(dout), cache)))

        def plain(x: Any, gamma: Any, beta: Any) -> Any:
            return jax.pure_callback(run, shapes[0], x, gamma, beta)

        def back(kept: Any, dout: Any) -> Any:
            return tuple(jax.pure_callback(run_back, tuple(shapes), dout, *kept))

        layer = jax.custom_vjp(plain)
        layer.defvjp(lambda *arrays: (layer(*arrays), arrays), back)
        try:
            check_grads(layer, (batch.x, batch.gamma, batch.beta), order=1, modes=["rev"])
        except Exception:  # an AssertionError for a difference; a gradient of another shape raises otherwise
            return False
        return True

    yield "JAX check_grads", accepts


def sample() -> list[Batch]:
    blocks = list(grid.blocks(ROWS, dtypes=("float64",)))
    cells = [grid.cell_batch(block, k) for block in blocks for k in range(len(block.cells))]
    chosen = np.random.default_rng(0).choice(len(cells), CELLS, replace=False)
    return [cells[k] for k in sorted(chosen)]


def main() -> None:
    checkers: list[tuple[str, Checker]] = [("bncheck", bncheck), ("the rule of CS231n", course)]
    checkers += itertools.chain(
        torch_checkers() if find_spec("torch") else (), jax_checkers() if find_spec("jax") else ()
    )
    batches = sample()
    print(f"{CELLS} float64 cells with N = {ROWS}, one right layer and {len(grid.MUTANTS)} wrong ones in each")
    print(f"{'checker':24}{'right accused':>16}{'wrong accepted':>16}{'of these unnamed':>18}{'seconds':>10}")
    for name, accepts in checkers:
        started, counts = time.perf_counter(), Counter[str]()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for batch in batches:
                counts["accused"] += not accepts(batch, RIGHT.pair())
                for code, wrong in grid.MUTANTS:
                    pair = RIGHT._replace(**wrong).pair()
                    if accepts(batch, pair):
                        counts["accepted"] += 1
                        counts["unnamed"] += name != "bncheck" or not _named(batch, pair, code)
        wrong_ones = len(batches) * len(grid.MUTANTS)
        print(
            f"{name:24}{counts['accused']:>9} of {len(batches)}{counts['accepted']:>9} of {wrong_ones}"
            f"{counts['unnamed']:>18}{time.perf_counter() - started:>10.0f}",
            flush=True,
        )


def _named(batch: Batch, pair: Pair, code: str) -> bool:
    report = _bncheck(batch, pair)
    return any(blind.code == code for g in report.gradients for blind in g.power.blind_to)


if __name__ == "__main__":
    main()
