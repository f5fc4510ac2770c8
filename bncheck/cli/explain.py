from __future__ import annotations

import click

from bncheck import render
from bncheck.cli import completion
from bncheck.cli.exits import Exit
from bncheck.cli.options import OutputOptions, output_options
from bncheck.cli.output import emit
from bncheck.cli.progress import ProgressBar


@click.command
@click.argument("code", required=False, shell_complete=completion.codes)
@click.option("--run", is_flag=True, help="Check a layer that has the mistake; the exit code is that of the check.")
@output_options(render.TEXT_FORMATS)
def explain(code: str | None, run: bool, out: OutputOptions) -> Exit:
    """List what bncheck can find, or explain CODE: what the mistake is, how it shows, wrong and right code, the mend.

    \b
    bncheck explain
    bncheck explain BN101
    bncheck explain --run BN101
    """
    from bncheck.findings import explaining

    if run:
        if code is None:
            raise click.UsageError("--run checks one mistake: name its CODE")
        from bncheck.checks.demonstration import demonstrate

        with ProgressBar("forward passes", out.quiet) as progress:
            report = demonstrate(code, progress)
        emit(report, out=out)
        return Exit.of_all([report])
    emit(explaining.explain(code) if code else explaining.contents(), out=out)
    return Exit.PASS
