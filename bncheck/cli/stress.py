from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from bncheck import render
from bncheck.cli import completion
from bncheck.cli.exits import Exit
from bncheck.cli.loading import undisturbed
from bncheck.cli.options import OutputOptions, output_options
from bncheck.cli.output import emit
from bncheck.cli.progress import ProgressBar
from bncheck.cli.speech import say
from bncheck.cli.workers import WorkerOptions, worker_options
from bncheck.grid import DOUTS, DTYPES, GAMMAS, CellResult, Grid
from bncheck.vocabulary import Mode

if TYPE_CHECKING:
    from bncheck.checks.acquaintance import Introduction
    from bncheck.settings import LayerSettings

_AXES: dict[str, tuple[Any, str]] = {
    "dtype": (click.Choice(DTYPES), "What the layer computes in."),
    "scale": (click.FLOAT, "Standard deviations of the columns; 0 makes them constant."),
    "offset": (click.FLOAT, "Means of the columns."),
    "n": (click.IntRange(min=1), "Rows."),
    "d": (click.IntRange(min=1), "Columns."),
    "dout": (click.Choice(DOUTS), "The gradient from above: random, all ones, one entry, or out itself."),
    "gamma": (click.Choice(GAMMAS), "Random of both signs, all ones, random with a zero, or all 1e-4."),
}


class _Listed(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # newer click has the arguments
    """Several values of one type, between commas."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name = inner, inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        return tuple(self.inner.convert(part.strip(), param, ctx) for part in str(value).split(","))


def _axes(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, (kind, said) in reversed(_AXES.items()):
        default = ",".join(f"{value}" if isinstance(value, str) else f"{value:g}" for value in Grid().axes[name])
        metavar = f"[{'|'.join(kind.choices)}],..." if isinstance(kind, click.Choice) else "NUMBER,..."
        options: dict[str, Any] = {"multiple": True, "metavar": metavar, "help": f"{said}  [default: {default}]"}
        command = click.option(f"--{name}", type=_Listed(kind), **options)(command)
    return command


@click.command
@click.argument("layer_name", metavar="[LAYER]", required=False, shell_complete=completion.files)
@_axes
@click.option(
    "--mode", type=click.Choice([m.value for m in Mode]), default=Mode.TRAIN.value, show_default=True,
    help="Statistics of the batch (train) or running ones (test).",
)  # fmt: skip
@click.option("--eps", type=float, default=1e-5, show_default=True, help="Added to the variance.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything generated.")
@click.option("--isolate", is_flag=True, help="Take the layer's definitions out of the file; run nothing else of it.")
@worker_options("; with more than one, a layer that ends its process is survived.")
@click.option(
    "--resume", type=click.Path(dir_okay=False), metavar="FILE",
    help="Keep what is finished there, and go on from what is there.",
)  # fmt: skip
@output_options(render.MAP_FORMATS)
def stress(
    layer_name: str | None,
    mode: str,
    eps: float,
    seed: int,
    isolate: bool,
    workers: WorkerOptions,
    resume: str | None,
    out: OutputOptions,
    **axes: tuple[Any, ...],
) -> Exit:
    """Put LAYER, or the reference, through a grid of batches: a map of where it breaks.

    Each cell is one batch, whose gradients are checked and whose out is held against what the layer's own
    forward pass computes. Axes take lists, --n 8,64 --n 512, and every combination is a cell.

    \b
    bncheck stress --dtype float32
    bncheck stress layers.py:batchnorm_forward --jobs 2 --resume cells.jsonl
    bncheck stress layers.py --format csv -o cells.csv
    """
    with undisturbed():
        from bncheck.checks.stress import stress as put_through
    from bncheck.settings import LayerSettings

    layer_name = workers.sent(layer_name)
    grid = Grid(**{name: tuple(v for part in given for v in part) for name, given in axes.items() if given})
    settings = LayerSettings(Mode(mode), eps)
    with ExitStack() as stack:
        run = stack.enter_context(_Run(grid, out.quiet))
        finished = run.resume(resume, layer_name, settings, seed, stack)
        report = put_through(
            layer_name, grid, settings, seed=seed, isolate=isolate, executor=workers.engine(), finished=finished,
            tell=run.told,
        )  # fmt: skip
    emit(report, out=out)
    return Exit.of_all([report])


class _Run:
    """A run as whoever waits for it sees it."""

    def __init__(self, grid: Grid, quiet: bool) -> None:
        self.grid, self.quiet = grid, quiet
        self.done = 0
        self.bar = ProgressBar("cells", quiet)
        self.keep: Callable[[dict[str, Any]], None] | None = None
        self.path = ""

    def resume(
        self, path: str | None, layer: str | None, settings: LayerSettings, seed: int, stack: ExitStack
    ) -> list[CellResult]:
        """What an earlier run has finished; every cell finished from now on is added to the file."""
        if path is None:
            return []
        from bncheck import __version__
        from bncheck.errors import BadInput
        from bncheck.journal import Journal
        from bncheck.layers.loading.origin import fingerprint

        about: dict[str, Any] = {
            "bncheck": __version__,
            "layer": layer or "reference",
            "code": fingerprint(layer) if layer else "",
        }
        about |= {"mode": settings.mode.value, "eps": settings.eps, "seed": seed, **self.grid.axes}
        journal = stack.enter_context(Journal(path, about))
        try:
            finished = [CellResult.from_dict(record) for record in journal.records]
        except (KeyError, TypeError, ValueError):
            raise BadInput(f"{path} holds records that are no cells: name a new file") from None
        self.keep, self.path, self.done = journal.append, path, len({result.cell for result in finished})
        return finished

    def told(self, what: Introduction | CellResult) -> None:
        if not isinstance(what, CellResult):
            self._begin(what)
            return
        if self.keep is not None:
            self.keep(what.to_dict())
        self.done += 1
        self.bar(self.done, len(self.grid))

    def _begin(self, layer: Introduction) -> None:
        if self.quiet:
            return
        for note in layer.notes:
            say(note)
        axes = " x ".join(f"{len(values)} {name}" for name, values in self.grid.axes.items())
        there = f", {self.done} of which {self.path} has" if self.done else ""
        say(f"{layer.name}: {len(self.grid)} cells ({axes}){there}")

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.bar.__exit__()
        if self.path and kind is not None and issubclass(kind, KeyboardInterrupt) and not self.quiet:
            say(f"{self.done} of {len(self.grid)} cells are in {self.path}: the same command goes on from there")
