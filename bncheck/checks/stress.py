"""Where does a layer break?  A grid of batches, each cell checked on its own, wherever there is somebody to do it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any

from bncheck import __version__
from bncheck.checks.acquaintance import Introduction, introduce
from bncheck.checks.breaks import breaks
from bncheck.checks.cells import Request, examine
from bncheck.errors import LayerRaised
from bncheck.executors import Crew, Engine, Here, Killed, Task
from bncheck.grid import Cell, CellResult, Grid, State, StressReport
from bncheck.layers.travelling import Traveller
from bncheck.settings import LayerSettings

_LAYER = "layer"
Tell = Callable[[Introduction | CellResult], object]
"""Told what the layer is, and then each cell that is finished, in any order; may raise in order to stop."""


def stress(
    layer: Any = None,
    grid: Grid | None = None,
    settings: LayerSettings | None = None,
    *,
    seed: int = 0,
    isolate: bool = False,
    executor: Engine | Executor | None = None,
    finished: Iterable[CellResult] = (),
    tell: Tell | None = None,
) -> StressReport:
    """A layer, or the reference for None, in every cell of a grid.

    ``layer`` is what ``check`` takes; a text (a file's name as on the command line) or something picklable where
    ``executor`` has processes of its own.  ``finished`` are results of an earlier run of the same, which are taken
    over.  The report is the same whoever does the work, and however often a process dies.  Raises BadInput where there
    is no such layer, and LayerRaised where it ends every process that it is tried in.
    """
    grid, settings = grid or Grid(), settings or LayerSettings()
    request = Request(Traveller(layer, isolate, os.urandom(8).hex()), settings, seed)
    results = {result.cell: result for result in finished}
    told = tell or (lambda _: None)

    def tick(key: Any, made: Introduction | CellResult | Killed) -> None:
        if key == _LAYER and isinstance(made, Killed):
            raise LayerRaised("the layer ended the process that it was run in, on a batch that is easy on everybody")
        result = _killed(key, made) if isinstance(made, Killed) else made
        if isinstance(result, CellResult):
            results[result.cell] = result
        told(result)

    if not isinstance(executor, (Executor, Here, type(None))):
        request.subject.require_sendable()
    with Crew(executor) as crew:
        introduction = crew.run([Task(_LAYER, functools.partial(introduce, *request))], tick)[_LAYER]
        todo = [Task(cell, functools.partial(examine, request, cell)) for cell in grid.cells() if cell not in results]
        crew.run(todo, tick)
    cells = tuple(results[cell] for cell in grid.cells())
    asked = {"mode": settings.mode, "eps": settings.eps, "momentum": settings.momentum, "seed": seed}
    told_already = {finding.code for finding in introduction.findings}
    broken = tuple(each for each in breaks(grid, cells) if each.where or each.code not in told_already)
    return StressReport(introduction.name, asked, grid, introduction.findings, broken, cells, __version__)


def _killed(cell: Cell, made: Killed) -> CellResult:
    return CellResult(cell, State.KILLED, ("BN001",), said=f"the process ended, {made.tries} times out of {made.tries}")
