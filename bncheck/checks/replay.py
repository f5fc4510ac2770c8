"""Runs a test that was written for somebody's layer, to see it fail before anybody is handed it."""

from __future__ import annotations

from bncheck.errors import LayerRaised, Unspelled
from bncheck.layers.isolation import Workshop, guarded, one_line


def must_fail(text: str, path: str, code: str) -> None:
    """Raises Unspelled unless the one test of ``text`` fails, and with a message that names the finding."""
    space = {"__name__": "reproduction", "__file__": path}
    try:
        with Workshop([], [], path).open(), guarded(path):
            exec(compile(text, path, "exec", dont_inherit=True), space)
            test = next(value for name, value in space.items() if name.startswith("test_"))
            test()  # type: ignore[operator]
    except LayerRaised as raised:
        cause = raised.__cause__
        if isinstance(cause, AssertionError) and str(cause).startswith(code):
            return
        raise Unspelled(f"called from a file of its own it raises {one_line(cause or raised)}") from raised
    raise Unspelled("called from a file of its own it does not show it")
