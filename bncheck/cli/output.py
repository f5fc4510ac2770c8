"""Results to standard output or into a file."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING

import click

from bncheck import render
from bncheck.cli.options import OutputOptions
from bncheck.errors import BadInput

if TYPE_CHECKING:
    from bncheck.render import Result


def emit(*results: Result, out: OutputOptions, default: str = "table") -> None:
    """Render and deliver, all of them at once.  A pipe that its reader has closed is no error."""
    to_stdout = out.output in (None, "-")
    if out.quiet and to_stdout:
        return
    name = asked(out, default)
    terminal = to_stdout and sys.stdout.isatty()
    if terminal and name in render.BINARY_FORMATS:
        raise click.UsageError(f"{name} is binary: give --output FILE, a pipe, or another --format")
    if name not in render.WHOLE and any(getattr(result, "on_disk", False) for result in results):
        raise BadInput(f"a result that is larger than memory can be had as npy, and not as {name}")
    width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else 0
    look = render.Look(terminal, width or 80, out.verbose)  # a terminal may not know its width, and says 0
    show = render.renderer(name, look)
    content = render.joined(name, [show(result, look) for result in results])
    # A file name that is no UTF-8 is shown with its bytes escaped.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    if out.output is not None and not to_stdout:
        from bncheck import writing

        writing.write(out.output, data)
        return
    try:
        sys.stdout.buffer.writelines((data,) if isinstance(data, bytes) else data)
        sys.stdout.buffer.flush()
    except OSError as error:
        refused(error)


def asked(out: OutputOptions, default: str = "table") -> str:
    """The format, by its name or by that of the file."""
    return out.format or (render.format_of(out.output) if out.output else None) or default


def refused(error: OSError) -> None:
    """Standard output takes no more: nothing wrong where a pipe's reader has gone, and BadInput otherwise."""
    discard(sys.stdout)
    if not isinstance(error, BrokenPipeError):
        raise BadInput(f"standard output: {(error.strerror or str(error)).lower()}") from None


def discard(stream: IO[str]) -> None:
    """The interpreter flushes its streams on the way out, and would complain of one that failed before."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
