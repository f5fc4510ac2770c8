"""Results to standard output or a file; progress to standard error."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from bncheck import render
from bncheck.cli.options import OutputOptions
from bncheck.errors import BadInput

if TYPE_CHECKING:
    from bncheck.report import PassReport, Report

_PATIENCE = 1.0  # seconds before a progress bar appears


def emit(result: Report | PassReport, out: OutputOptions, default: str = "table") -> None:
    """Render and deliver.  A pipe that its reader has closed is no error."""
    if out.quiet and out.output is None:
        return
    name = out.format or (render.format_of(out.output) if out.output else None) or default
    terminal = out.output is None and sys.stdout.isatty()
    if terminal and name in render.BINARY_FORMATS:
        raise click.UsageError(f"{name} is binary: give --output FILE, a pipe, or another --format")
    look = render.Look(terminal, os.get_terminal_size(sys.stdout.fileno()).columns if terminal else 80, out.verbose)
    content = render.renderer(name, look)(result, look)
    if out.output is not None:
        from bncheck import writing

        writing.write(out.output, content)
        return
    try:
        stream = sys.stdout.buffer
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes once more on its way out, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise BadInput(f"standard output: {(error.strerror or str(error)).lower()}") from None


class ProgressBar:
    """A bar on standard error, if that is a terminal and the work takes more than a second."""

    def __init__(self, out: OutputOptions) -> None:
        self._wanted = sys.stderr.isatty() and not out.quiet
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: float, expected: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=max(done, expected))
        elif self._wanted and time.monotonic() - self._started > _PATIENCE:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("forward passes", total=expected, completed=done)
            self._bar.start()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
