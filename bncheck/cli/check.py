from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bncheck import render
from bncheck.cli import completion
from bncheck.cli.exits import Exit
from bncheck.cli.loading import undisturbed
from bncheck.cli.options import (
    BatchOptions,
    EvidenceOptions,
    LayerOptions,
    OutputOptions,
    batch_options,
    evidence_options,
    layer_options,
    output_options,
)
from bncheck.cli.output import emit
from bncheck.cli.picture import complete, draws, plot_option, showing, write_picture
from bncheck.cli.progress import ProgressBar
from bncheck.cli.reproduce import reproduce_option, write_reproduction
from bncheck.cli.speech import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bncheck.layers.protocol import Layer
    from bncheck.report import Report


@click.command
@click.argument("layer_name", metavar="LAYER", shell_complete=completion.files)
@batch_options
@layer_options
@click.option("--isolate", is_flag=True, help="Take the layer's definitions out of the file; run nothing else of it.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds; the layer runs in a child process."
)
@evidence_options
@reproduce_option
@plot_option
@output_options(render.CHECK_FORMATS)
def check(
    layer_name: str,
    origin: BatchOptions,
    layer: LayerOptions,
    evidence: EvidenceOptions,
    out: OutputOptions,
    isolate: bool,
    timeout: float | None,
    reproduce: str | None,
    plot: str | None,
) -> Exit:
    """Check LAYER: contract, forward, running statistics, test mode, gradients, stability.

    LAYER is file.py, file.py:name or package.module:Name: a pair of NumPy functions, a class, a PyTorch
    module or Function, a JAX function.  Several layers in one file are all checked.

    \b
    bncheck check layers.py
    bncheck check layers.py:batchnorm_backward_alt
    bncheck check torch.nn:BatchNorm1d
    """
    if timeout is not None:
        from bncheck.cli.child import rerun

        return rerun(timeout)
    with undisturbed():
        from bncheck.checks.suite import check_layer

    if layer.impl is not None:
        raise click.UsageError("--impl is what LAYER says here: leave it out")
    settings, asked = layer.settings(), showing(plot, evidence).check()
    batch = layer.prepare(origin.get(), origin, out)
    checked = []
    for each in _layers(layer_name, isolate, plot, out):
        if out.verbose:
            say(each.traits.recognised)
        with ProgressBar("forward passes", out.quiet) as progress:
            report = check_layer(each, batch, settings, asked, progress, entries=draws(plot, out))
        checked.append((each, complete(report, batch, each, settings, out)))
    if plot is not None:
        _draw(plot, *checked[0])
    return _told(checked, layer_name, reproduce, out)


def _layers(target: str, isolate: bool, plot: str | None, out: OutputOptions) -> Sequence[Layer]:
    from bncheck.layers.resolve import resolve

    resolved = resolve(target, isolate)
    if not out.quiet:
        for note in resolved.notes:
            say(note)
    if plot is not None and len(resolved.layers) > 1:
        names = ", ".join(layer.name for layer in resolved.layers)
        raise click.UsageError(f"--plot draws one layer, and {target} holds {names}: name one of them")
    return resolved.layers


def _draw(path: str, layer: Layer, report: Report) -> None:
    if report.entries:
        write_picture(path, report)
    else:
        say(f"{layer.name} came to no gradients that could be drawn: {path} was not written")


def _told(checked: list[tuple[Layer, Report]], target: str, reproduce: str | None, out: OutputOptions) -> Exit:
    reports = [report for _, report in checked]
    emit(*reports, out=out)
    if reproduce is not None:
        write_reproduction(reproduce, target, checked, out.quiet)
    return Exit.of_all(reports)
