"""Whose mistake it is that no way of calling a function works: the function's own, or our guess's."""

from __future__ import annotations

from typing import NamedTuple

from bncheck.layers.absence import blamed
from bncheck.layers.functions.layer import FunctionLayer
from bncheck.layers.isolation import Missing, raised_here, reached, where


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
