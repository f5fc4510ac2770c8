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
@click.option(
    "--save-stats",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the running statistics after this pass, for --stats.",
)
@output_options(render.ARRAY_FORMATS)
def forward(origin: BatchOptions, layer: LayerOptions, out: OutputOptions, save_stats: str | None) -> Exit:
    """Normalize BATCH: out = gamma * (x - mean) / sqrt(var + eps) + beta.

    csv, tsv and npy hold out itself; json and npz the statistics too.

    \b
    bncheck forward --mode test
    bncheck generate | bncheck forward - --format csv > out.csv
    bncheck forward monday.npy --save-stats stats.npz -q
    bncheck forward tuesday.npy --mode test --stats stats.npz
    """
    with undisturbed():
        from bncheck import passes, writing

    settings = layer.settings()
    batch = layer.prepare(origin.get(), origin, out)
    impl = layer.layer()
    with ProgressBar("columns", out.quiet) as progress:
        result = passes.run_forward(batch, impl, settings, progress)
    if save_stats is not None:
        kept = {name: result.arrays[name] for name in ("running_mean", "running_var")}
        writing.write(save_stats, writing.npz(kept))
    emit(result, out=out)
    return Exit.PASS
