"""The commands, gathered."""

from __future__ import annotations

from importlib import import_module

import click

from bncheck import __version__

# In the order in which help shows them.
_COMMANDS = {
    "grad": "Check dx, dgamma and dbeta against finite differences.",
    "check": "Check everything about a layer of yours.",
    "forward": "Run the forward pass; show or write out and the statistics.",
    "backward": "Run the backward pass; show or write dx, dgamma and dbeta.",
    "generate": "Make a batch and write it.",
    "trace": "Walk through the computational graph, node by node.",
    "sweep": "Show the error against the step size of each difference formula.",
    "stress": "Put a layer through a grid of batches: a map of where it breaks.",
    "bench": "Time checks on this machine, bncheck's and others.",
    "explain": "Say what a finding means, and show it.",
}


class _Lazy(click.Group):
    """Loads a command when it is asked for, and none of them to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"bncheck.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Lazy,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bncheck", message="%(prog)s %(version)s")
def app() -> None:
    """Tell whether a batch-normalization layer is right, and how sure that is.

    Exit codes: 0 pass, 1 something is wrong, 2 bad usage or input, 3 blind (nothing wrong
    was seen, and nothing could have been), 4 the layer raised, 70 a bug of bncheck, 130 interrupted.
    """
