"""Who does the work: this process, others on this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bncheck.cli.options import gather

if TYPE_CHECKING:
    from bncheck.checks.numeric import Workers
    from bncheck.executors import Engine


class WorkerOptions(NamedTuple):
    jobs: int
    dask: str | None

    def engine(self) -> Engine | None:
        """Where executors come from; None is this process."""
        if self.dask is None and self.jobs == 1:
            return None
        from bncheck import executors

        return executors.Processes(self.jobs) if self.dask is None else executors.Dask(self.dask)

    def sent(self, target: str | None) -> str | None:
        """The layer as it is called by those who do the work, who may stand in another folder."""
        if target is None or self.dask is None:
            return target
        from bncheck.layers.loading.origin import absolute

        return absolute(target)

    def carrying(self, target: str | None) -> Workers | None:
        """Those who carry the blocks of a large batch for the layer named, if there are any."""
        engine = self.engine()
        if engine is None:
            return None
        from bncheck.checks.numeric import Workers
        from bncheck.layers.travelling import Traveller

        return Workers(engine, Traveller(self.sent(target)))


def worker_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    options = (
        click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help=f"Processes{what}"),
        click.option("--dask", metavar="SCHEDULER", help="Have the workers of this scheduler do it: tcp://host:8786."),
    )
    return lambda command: gather(command, options, WorkerOptions, "workers", _refuse_both)


def _refuse_both(workers: WorkerOptions) -> None:
    if workers.dask is not None and workers.jobs > 1:
        raise click.UsageError("--jobs is for this machine and --dask for others: leave one of them out")
