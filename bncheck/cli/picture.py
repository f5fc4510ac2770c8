"""--plot: a result as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bncheck import render
from bncheck.cli.options import EvidenceOptions, OutputOptions
from bncheck.cli.output import asked
from bncheck.vocabulary import Coverage

if TYPE_CHECKING:
    from bncheck.batch import Batch
    from bncheck.layers.protocol import Layer
    from bncheck.render import Result
    from bncheck.report import Report
    from bncheck.settings import LayerSettings


def plot_option(command: Callable[..., Any]) -> Callable[..., Any]:
    endings = ", ".join(render.PICTURE_FORMATS[:-1])
    return click.option(
        "--plot",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        callback=_drawable,
        help=f"Draw it there: {endings} or {render.PICTURE_FORMATS[-1]}, by the ending.  Needs bncheck[plot].",
    )(command)


def showing(plot: str | None, evidence: EvidenceOptions) -> EvidenceOptions:
    """A picture of a check shows every entry."""
    if plot is None:
        return evidence
    if evidence.coverage == Coverage.PROJECTED:
        raise click.UsageError("--plot draws every entry, and --coverage projected sees directions: leave one out")
    return evidence._replace(coverage=Coverage.FULL.value)


def draws(plot: str | None, out: OutputOptions) -> bool:
    """Every entry is drawn, in a file or on a page."""
    return plot is not None or asked(out) == "html"


def complete(report: Report, batch: Batch, layer: Layer | None, settings: LayerSettings, out: OutputOptions) -> Report:
    """With the graph, where there is a page to show it on."""
    if asked(out) != "html":
        return report
    from bncheck.checks.walking import with_graph

    return with_graph(report, batch, layer, settings)


def write_picture(path: str, result: Result) -> None:
    from bncheck import writing

    picture = render.picture(_ending(path))(result, render.Look())
    assert isinstance(picture, bytes)
    writing.write(path, picture)


def _drawable(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """Refuses before any work is done what could not be drawn afterwards."""
    if path is None:
        return None
    if _ending(path) not in render.PICTURE_FORMATS:
        raise click.BadParameter(f"{path}: a picture is drawn as .{', .'.join(render.PICTURE_FORMATS)}")
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        from bncheck.errors import BadInput

        raise BadInput("--plot draws with Matplotlib, which is not installed: pip install 'bncheck[plot]'")
    return path


def _ending(path: str) -> str:
    name, _, ending = path.rpartition(".")
    return ending.lower() if name else ""
