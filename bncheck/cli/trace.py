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
from bncheck.cli.progress import ProgressBar


@click.command
@batch_options
@layer_options
@click.option("--values", is_flag=True, help="Show every number, forward and back, of a batch small enough to follow.")
@output_options(render.TRACE_FORMATS)
def trace(origin: BatchOptions, layer: LayerOptions, out: OutputOptions, values: bool) -> Exit:
    """Walk through batch normalization as a graph: forward and backward, node by node.

    Each gradient is checked numerically at its node.  With --impl, what that layer returns and keeps for its backward
    pass is held against the nodes, and the first that differs is named.

    \b
    bncheck trace
    bncheck trace --n 4 --d 2 --values
    bncheck trace --impl layers.py
    bncheck trace --format svg -o graph.svg
    """
    with undisturbed():
        from bncheck.checks.trace import trace as walk

    settings = layer.settings()
    batch = layer.prepare(origin.get(), origin, out)
    impl = layer.layer()
    with ProgressBar("runs of the graph", out.quiet) as progress:
        report = walk(batch, impl, settings, progress, values=values)
    emit(report, out=out)
    return Exit.of(report.verdict)
