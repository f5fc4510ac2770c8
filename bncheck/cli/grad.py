from __future__ import annotations

import click

from bncheck import render
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
from bncheck.cli.workers import WorkerOptions, worker_options
from bncheck.vocabulary import Method


@click.command
@batch_options
@layer_options
@click.option(
    "--method",
    type=click.Choice([m.value for m in Method]),
    default=Method.CENTRAL.value,
    show_default=True,
    help="The difference formula.",
)
@click.option("--step", type=float, help="Step size in units of sqrt(var + eps).  [default: the best for each column]")
@click.option("--rtol", type=float, help="The classical test instead: max |a - n| / max(|a| + |n|, tiny) <= RTOL.")
@evidence_options
@worker_options(" that share the blocks of a large batch.")
@reproduce_option
@plot_option
@output_options(render.CHECK_FORMATS)
def grad(
    origin: BatchOptions,
    layer: LayerOptions,
    evidence: EvidenceOptions,
    workers: WorkerOptions,
    out: OutputOptions,
    method: str,
    step: float | None,
    rtol: float | None,
    reproduce: str | None,
    plot: str | None,
) -> Exit:
    """Run the layer forward and backward on BATCH, and check every entry of its gradients.

    BATCH is a .npy, .npz, .csv or .tsv file, or - for standard input; without it a batch is generated.  An .npz may
    hold x, gamma, beta, dout, running_mean and running_var.

    \b
    bncheck grad --n 64 --d 10
    bncheck grad activations.npy --dtype float32
    bncheck generate | bncheck grad - --format json | jq .verdict
    """
    with undisturbed():
        from bncheck.checks.gradients import check_gradients

    if reproduce is not None and layer.impl is None:
        raise click.UsageError("--reproduce writes a test of a layer of yours: name it with --impl")
    settings = layer.settings()
    check = showing(plot, evidence).check(method=Method(method), step=step, rtol=rtol)
    batch = layer.prepare(origin.get(), origin, out)
    impl = layer.layer()
    with ProgressBar("forward passes", out.quiet) as progress:
        carrying = workers.carrying(layer.impl)
        drawn = draws(plot, out)
        report = check_gradients(batch, impl, settings, check, progress, workers=carrying, entries=drawn)
    if plot is not None:
        write_picture(plot, report)
    report = complete(report, batch, impl, settings, out)
    emit(report, out=out)
    if reproduce is not None and impl is not None and layer.impl is not None:
        write_reproduction(reproduce, layer.impl, [(impl, report)], out.quiet)
    return Exit.of(report.verdict)
