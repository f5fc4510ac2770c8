"""The command line: options in, one library call, one render, an exit code out."""

from __future__ import annotations

import sys

from bncheck.cli.exits import Exit


def main() -> None:
    """The entry point of the ``bncheck`` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> Exit:
    """Every way out passes here, so that no traceback and no exit code of click's own gets through."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _say("interrupted", Exit.INTERRUPTED)


def _run(arguments: list[str]) -> Exit:
    import click

    from bncheck.cli.app import app
    from bncheck.errors import BadInput

    try:
        return Exit(app.main(arguments, prog_name="bncheck", standalone_mode=False) or Exit.PASS)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "bncheck"
        return _say(f"{_line(error.format_message())} (see {path} --help)", Exit.USAGE)
    except click.ClickException as error:
        return _say(_line(error.format_message()), Exit.USAGE)
    except BadInput as error:
        return _say(_line(str(error)), Exit.USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", Exit.INTERRUPTED)
    except MemoryError:
        return _say("out of memory: give a smaller batch", Exit.USAGE)
    except Exception as error:
        return _internal(error)


def _internal(error: Exception) -> Exit:
    import os
    import traceback

    if os.environ.get("BNCHECK_TRACEBACK"):
        traceback.print_exc()
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    what = _line(f"{type(error).__name__}: {error}")
    return _say(f"a bug of bncheck's own: {what} at {place}; BNCHECK_TRACEBACK=1 shows more", Exit.BUG)


def _say(message: str, code: Exit) -> Exit:
    print(f"bncheck: {message}", file=sys.stderr)
    return code


def _line(text: str) -> str:
    return " ".join(text.split())
