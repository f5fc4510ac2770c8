"""Failures of functions that are no mistake of their own: they were called by a guess."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.functions.binding import Binding
from bncheck.layers.isolation import Unrunnable, guarded, one_line, quiet, where


@contextlib.contextmanager
def called(name: str, binding: Binding | None = None) -> Iterator[None]:
    """``guarded``, for one of the functions; without a binding it is the backward pass."""
    try:
        with quiet(), guarded(name):
            yield
    except (NotImplementedByLayer, Unrunnable):
        raise
    except LayerRaised as error:
        cause, guessed = error.__cause__, binding.guessed if binding else ()
        if guessed:
            said = f"{name} asks for {', '.join(guessed)}, and what that is cannot be told"
            raise Unrunnable(f"{said}: {one_line(cause or error)}") from cause
        if isinstance(cause, TypeError) and not where(cause):
            raise Unrunnable(f"{name} asks for other arguments than can be told: {one_line(cause)}") from cause
        raise
