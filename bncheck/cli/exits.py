"""The exit codes, which scripts rely on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from bncheck.vocabulary import Verdict

if TYPE_CHECKING:
    from bncheck.grid import StressReport
    from bncheck.report import Report


CONFIRM = "BNCHECK_CONFIRM"
"""Names the file in which a child process confirms its exit code: a layer can end the process with any code."""


class Exit(IntEnum):
    PASS = 0
    FAIL = 1
    USAGE = 2
    """Bad usage, bad input, or a layer that cannot be loaded."""
    BLIND = 3
    """Nothing wrong was seen, and nothing could have been."""
    RAISED = 4
    """The layer raised."""
    BUG = 70
    """A bug of bncheck's own (EX_SOFTWARE of sysexits.h)."""
    INTERRUPTED = 130

    @classmethod
    def of(cls, verdict: Verdict) -> Exit:
        return {Verdict.PASS: cls.PASS, Verdict.FAIL: cls.FAIL, Verdict.BLIND: cls.BLIND}[verdict]

    @classmethod
    def of_all(cls, reports: Sequence[Report | StressReport]) -> Exit:
        """Of several layers the worst: something wrong, then a layer that raised, then blindness."""
        codes = [cls.RAISED if r.raised else cls.of(r.verdict) for r in reports]
        return max(codes, key=[cls.PASS, cls.BLIND, cls.RAISED, cls.FAIL].index)
