"""The words that the command line, the reports and the library share.  Loads nothing, for start-up's sake."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    TRAIN = "train"
    TEST = "test"


class Method(StrEnum):
    """The finite-difference formulas; their weights stand in stencils.py."""

    CENTRAL = "central"
    FORWARD = "forward"
    FIVE_POINT = "five-point"
    RICHARDSON = "richardson"
    COMPLEX = "complex"


class Coverage(StrEnum):
    """How much of dx is looked at."""

    AUTO = "auto"
    FULL = "full"
    """Every entry on its own."""
    PROJECTED = "projected"
    """Every column along random directions."""


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    BLIND = "blind"
    """Nothing wrong was seen, and nothing could have been."""

    @classmethod
    def worst(cls, verdicts: list[Verdict]) -> Verdict:
        """A failure outweighs blindness, and blindness a pass."""
        return max(verdicts, key=[cls.PASS, cls.BLIND, cls.FAIL].index)


class Severity(StrEnum):
    ERROR = "error"
    NOTE = "note"
    """A convention that differs from the one asked for, and no mistake."""
