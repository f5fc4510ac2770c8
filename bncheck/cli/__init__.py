"""The command line: options in, one library call, one render, an exit code out."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from bncheck.cli.exits import CONFIRM, Exit
from bncheck.cli.loading import undisturbed

if TYPE_CHECKING:
    import click


def main() -> None:
    """The entry point of the ``bncheck`` command."""
    # Whoever starts us with a stream closed (`2>&-`) leaves None in its place.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stays_open = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(stays_open, mode, closefd=False))  # noqa: SIM115
    code = run(sys.argv[1:])
    if CONFIRM in os.environ:
        from bncheck.cli.child import confirm

        confirm(code)
    # The interpreter's last act is to look for garbage in all that the layer has brought with it, though the memory of
    # the process goes back as a whole.
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> Exit:
    """Every way out passes here, so that no traceback and no exit code of click's own gets through."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _say("interrupted", Exit.INTERRUPTED)


def _run(arguments: list[str]) -> Exit:
    with undisturbed():
        import click

        from bncheck.cli.app import app
    from bncheck.errors import BadInput, LayerRaised

    try:
        return _invoke(app, arguments)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "bncheck"
        return _say(f"{_line(error.format_message()).rstrip('.')} (see {path} --help)", Exit.USAGE)
    except click.ClickException as error:
        return _say(_line(error.format_message()), Exit.USAGE)
    except BadInput as error:
        return _say("\n".join([_line(str(error)), *error.example.splitlines()]), Exit.USAGE)
    except LayerRaised as raised:
        from bncheck.layers.isolation import frames

        return _say(f"{raised}\n{frames(raised) if raised.__cause__ else ''}".rstrip(), Exit.RAISED)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", Exit.INTERRUPTED)
    except MemoryError:
        return _say("out of memory: give a smaller batch", Exit.USAGE)
    except Exception as error:
        return _internal(error)


def _invoke(app: click.Command, arguments: list[str]) -> Exit:
    """What ``app.main`` does, but that one exits 1, the code for "wrong", where a pipe's reader has gone."""
    import click

    if "_BNCHECK_COMPLETE" in os.environ:
        app.main(arguments, prog_name="bncheck")
    try:
        with app.make_context("bncheck", list(arguments)) as context:
            return Exit(app.invoke(context))
    except click.exceptions.Exit as left:
        return Exit(left.exit_code)
    except OSError as error:
        # Files are read and written where their names are known.  What is left is click printing its help.
        from bncheck.cli.output import refused

        refused(error)
        return Exit.PASS


def _internal(error: Exception) -> Exit:
    import traceback

    if os.environ.get("BNCHECK_TRACEBACK"):
        traceback.print_exc()
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    what = _line(f"{type(error).__name__}: {error}")
    return _say(f"a bug of bncheck's own: {what} at {place}; BNCHECK_TRACEBACK=1 shows more", Exit.BUG)


def _say(message: str, code: Exit) -> Exit:
    try:
        # The terminal has just echoed ^C.
        start = "\n" if code is Exit.INTERRUPTED and sys.stderr.isatty() else ""
        print(f"{start}bncheck: {message}", file=sys.stderr)
    except OSError:
        from bncheck.cli.output import discard

        discard(sys.stderr)
    return code


def _line(text: str) -> str:
    """On one line, and with nothing in it that a terminal would obey."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
