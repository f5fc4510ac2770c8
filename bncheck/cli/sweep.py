from __future__ import annotations

import click

from bncheck import render
from bncheck.cli.exits import Exit
from bncheck.cli.loading import undisturbed
from bncheck.cli.options import (
    BatchOptions,
    LayerOptions,
    OutputOptions,
    batch_options,
    layer_options,
    output_options,
)
from bncheck.cli.output import emit
from bncheck.cli.picture import plot_option, write_picture
from bncheck.cli.progress import ProgressBar
from bncheck.vocabulary import Method


@click.command
@batch_options
@layer_options
@click.option(
    "--method",
    type=click.Choice([m.value for m in Method]),
    multiple=True,
    help="A difference formula to show; may be repeated.  [default: all of them]",
)
@click.option(
    "--quantity",
    type=click.Choice(["dx", "dgamma", "dbeta"]),
    multiple=True,
    help="A gradient to show; may be repeated.  [default: all three]",
)
@plot_option
@output_options(render.MAP_FORMATS)
def sweep(
    origin: BatchOptions,
    layer: LayerOptions,
    out: OutputOptions,
    method: tuple[str, ...],
    quantity: tuple[str, ...],
    plot: str | None,
) -> Exit:
    """Measure the error of difference quotients at steps from 1e-16 to 1, in float32 and float64.

    Too long a step truncates, too short a one divides rounding by next to nothing: the error is a V, and
    where its tip is depends on the column.  --dtype shows one of the two.

    \b
    bncheck sweep
    bncheck sweep --quantity dx --dtype float64
    bncheck sweep --scale 1e-6 --eps 0 --method central
    bncheck sweep activations.npy --plot v.png
    """
    with undisturbed():
        from bncheck.checks import sweep as curves

    if origin.dtype == "float16":
        raise click.UsageError(
            "--dtype float16: a sweep is made in float32 and in float64, name one of them or neither"
        )
    settings = layer.settings()
    batch = layer.prepare(origin.get(), origin, out)
    with ProgressBar("forward passes", out.quiet) as progress:
        report = curves.sweep(
            batch,
            layer.layer(),
            settings,
            methods=[Method(m) for m in dict.fromkeys(method)] or curves.METHODS,
            quantities=quantity or curves.QUANTITIES,
            dtypes=[origin.dtype] if origin.dtype else curves.DTYPES,
            progress=progress,
        )
    if plot is not None:
        write_picture(plot, report)
    emit(report, out=out)
    return Exit.PASS
