from __future__ import annotations

import sys

import click

from bncheck import render
from bncheck.cli.exits import Exit
from bncheck.cli.loading import undisturbed
from bncheck.cli.options import BatchOptions, OutputOptions, batch_options, output_options
from bncheck.cli.output import emit


@click.command
@batch_options
@output_options(render.ARRAY_FORMATS, default="npz, and a table on a terminal")
def generate(origin: BatchOptions, out: OutputOptions) -> Exit:
    """Make x, gamma, beta and dout, and write them as .npz (csv, tsv and npy hold x alone).

    Columns differ in spread, in mean and in the sign of gamma, and every fourth has a variance near
    1e-5, because bland data hides mistakes.  With BATCH, what it leaves out is made.

    \b
    bncheck generate --n 256 --d 32 --seed 7 -o batch.npz
    bncheck generate | bncheck grad -
    """
    with undisturbed():
        from bncheck import passes

    shown = sys.stdout.isatty() and out.output is None
    emit(passes.show_batch(origin.get()), out=out, default="table" if shown else "npz")
    return Exit.PASS
