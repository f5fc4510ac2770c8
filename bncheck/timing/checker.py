"""What every contestant is to whoever times it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Checked(NamedTuple):
    accepted: bool | None
    """None where it leaves the judgement to the user."""
    passes: float
    """Forward passes of the whole batch that it made."""


class Checker(NamedTuple):
    """A check of one batch, ready to be made again and again."""

    check: Callable[[], Checked]
    forward: Callable[[], object]
    """One forward pass of the whole batch, as the check makes it."""
    version: str
    """Of the package that it comes from."""


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0
        # Autograd's messages ask a function for its name.
        self.__name__ = "loss"

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self.function(*arguments)
