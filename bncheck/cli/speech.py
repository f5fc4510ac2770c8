"""What is said beside the results, on standard error."""

from __future__ import annotations

import click


def say(message: str) -> None:
    """One line to whoever is watching."""
    click.echo(f"bncheck: {message}", err=True)
