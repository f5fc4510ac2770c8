"""Failures of functions that are no mistake of their own: they were called by a guess."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.absence import blamed
from bncheck.layers.functions.binding import Binding
from bncheck.layers.isolation import Missing, Unrunnable, guarded, one_line, quiet, raised_here, reached, where

if TYPE_CHECKING:
    from bncheck.layers.functions.layer import FunctionLayer


class Failure(NamedTuple):
    """A way of calling it, and what its forward pass raised."""

    layer: FunctionLayer
    cause: BaseException


def is_its_own(layer: FunctionLayer, failed: list[Failure]) -> bool:
    """Whether it raises for a mistake in its own body, whatever the arguments are that we guess at.

    A name that nothing makes is one.  So is what every guess runs into alike, in one line and with one text, unless
    the code raises it on purpose: then it may well tell us what the argument should have been.
    """
    alike = [
        one.cause
        for one in failed
        if one.layer.layout is layer.layout and one.layer.binding.eager is layer.binding.eager
    ]
    if any(isinstance(cause, Missing) or blamed(cause) or raised_here(cause) or not where(cause) for cause in alike):
        return False
    if all(isinstance(cause, NameError) for cause in alike):
        return True
    return len(alike) > 1 and len({(type(cause), reached(cause), str(cause)) for cause in alike}) == 1


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
