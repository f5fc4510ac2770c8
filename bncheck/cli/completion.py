"""What the shell offers to complete, where click does not know it by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def files(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """A layer stands in a file, most of the time."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def codes(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The findings, each with its title."""
    from click.shell_completion import CompletionItem

    from bncheck.findings.catalogue import CATALOGUE

    known = CATALOGUE.items()
    return [CompletionItem(code, help=entry.title) for code, entry in known if code.startswith(incomplete.upper())]
