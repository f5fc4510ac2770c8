"""Runs a test that was written for somebody's layer, to see it fail before anybody is handed it."""

from __future__ import annotations

from typing import Any

from bncheck.errors import LayerRaised, Unspelled
from bncheck.layers.isolation import Workshop, guarded, one_line


def must_fail(text: str, path: str, code: str) -> None:
    """Raises Unspelled unless the one test of ``text`` fails, and with a message that names the finding."""
    space: dict[str, Any] = {"__name__": "reproduction", "__file__": path}
    what = "its file cannot be imported as it stands"
    try:
        with Workshop([], [], path).open(), guarded(path):
            exec(compile(text, path, "exec", dont_inherit=True), space)
            what = "called from a file of its own it raises"
            next(value for name, value in space.items() if name.startswith("test_"))()
    except LayerRaised as raised:
        cause = raised.__cause__
        if isinstance(cause, AssertionError) and str(cause).startswith(code):
            return
        raise Unspelled(f"{what}: {one_line(cause or raised)}") from raised
    raise Unspelled("called from a file of its own it does not show it")
