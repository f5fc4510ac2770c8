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
@output_options(render.ARRAY_FORMATS)
def backward(origin: BatchOptions, layer: LayerOptions, out: OutputOptions) -> Exit:
    """The gradients of sum(dout * out) with respect to x, gamma and beta.

    csv, tsv and npy hold dx; json and npz all three.

    \b
    bncheck backward batch.npz
    bncheck backward batch.npz --format npz -o gradients.npz
    """
    with undisturbed():
        from bncheck import passes

    settings = layer.settings()
    batch = layer.prepare(origin.get(), origin, out)
    impl = layer.layer()
    with ProgressBar("columns", out.quiet) as progress:
        result = passes.run_backward(batch, impl, settings, progress)
    emit(result, out=out)
    return Exit.PASS
