"""Results to standard output or a file; progress to standard error."""

from __future__ import annotations

import os
import sys
import time
from typing import IO, TYPE_CHECKING, Any

import click

from bncheck import render
from bncheck.cli.options import OutputOptions
from bncheck.errors import BadInput

if TYPE_CHECKING:
    from bncheck.report import PassReport, Report

_PATIENCE = 1.0  # seconds before a progress bar appears


def emit(result: Report | PassReport, out: OutputOptions, default: str = "table") -> None:
    """Render and deliver.  A pipe that its reader has closed is no error."""
    to_stdout = out.output in (None, "-")
    if out.quiet and to_stdout:
        return
    name = out.format or (render.format_of(out.output) if out.output else None) or default
    terminal = to_stdout and sys.stdout.isatty()
    if terminal and name in render.BINARY_FORMATS:
        raise click.UsageError(f"{name} is binary: give --output FILE, a pipe, or another --format")
    width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else 0
    look = render.Look(terminal, width or 80, out.verbose)  # a terminal may not know its width, and says 0
    content = render.renderer(name, look)(result, look)
    # A file name that is no UTF-8 is shown with its bytes escaped.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    if out.output is not None and not to_stdout:
        from bncheck import writing

        writing.write(out.output, data)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        refused(error)


def refused(error: OSError) -> None:
    """Standard output takes no more: nothing wrong where a pipe's reader has gone, and BadInput otherwise."""
    discard(sys.stdout)
    if not isinstance(error, BrokenPipeError):
        raise BadInput(f"standard output: {(error.strerror or str(error)).lower()}") from None


def discard(stream: IO[str]) -> None:
    """The interpreter flushes its streams on the way out, and would complain of one that failed before."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class ProgressBar:
    """A bar on standard error, if that is a terminal and the work takes more than a second."""

    def __init__(self, out: OutputOptions, what: str) -> None:
        self._what = what
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
            self._task = self._bar.add_task(self._what, total=expected, completed=done)
            self._bar.start()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
