"""The commands, gathered."""

from __future__ import annotations

import click

from bncheck import __version__
from bncheck.cli.backward import backward
from bncheck.cli.check import check
from bncheck.cli.forward import forward
from bncheck.cli.generate import generate
from bncheck.cli.grad import grad


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bncheck", message="%(prog)s %(version)s")
def app() -> None:
    """Tell whether a batch-normalization layer is right, and how sure that is.

    Exit codes: 0 pass, 1 something is wrong, 2 bad usage or input, 3 blind (nothing wrong
    was seen, and nothing could have been), 4 the layer raised, 70 a bug of bncheck, 130 interrupted.
    """


for command in (grad, check, forward, backward, generate):
    app.add_command(command)
