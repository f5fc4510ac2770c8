from __future__ import annotations

import click

from bncheck import render
from bncheck.cli.exits import Exit
from bncheck.cli.options import OutputOptions, output_options
from bncheck.cli.output import emit
from bncheck.cli.progress import ProgressBar


@click.command
@click.option("--n", type=click.IntRange(min=2), multiple=True, help="Rows; one for each --d.")
@click.option(
    "--d", type=click.IntRange(min=1), multiple=True,
    help="Columns.  [default: (N, D) = (64, 10), (256, 64), (512, 256), (65536, 256)]",
)  # fmt: skip
@click.option("--check", "checks", multiple=True, metavar="NAME", help="Time this one.  [default: all]")
@click.option(
    "--limit", type=click.FloatRange(min=0, min_open=True), default=20, show_default=True,
    help="Seconds for the rounds of one check; one that would take longer by extrapolation is not run.",
)  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="At the most.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the batches.")
@output_options(render.BENCH_FORMATS)
def bench(
    n: tuple[int, ...],
    d: tuple[int, ...],
    checks: tuple[str, ...],
    limit: float,
    rounds: int,
    seed: int,
    out: OutputOptions,
) -> Exit:
    """Time checks on this machine: bncheck's, in units of its own forward passes, and others that are installed.

    The others are the loop over all entries, SciPy, PyTorch, JAX and autograd. Each has a process of its own with one
    thread, in which it is made in turn with bncheck's check, so that ratios hold on a busy machine.

    \b
    bncheck bench
    bncheck bench --n 512 --d 256 --limit 120
    bncheck bench --check bncheck --check loop --format markdown
    """
    from bncheck.timing import run

    if len(n) != len(d):
        raise click.UsageError(f"--n is given {len(n)} times and --d {len(d)}: a size has one of each")
    sizes = tuple(zip(n, d, strict=True)) or run.SIZES
    with ProgressBar("checks", out.quiet) as progress:
        report = run.bench(sizes, checks=checks or run.NAMES, rounds=rounds, limit=limit, seed=seed, progress=progress)
    emit(report, out=out)
    return Exit.PASS
