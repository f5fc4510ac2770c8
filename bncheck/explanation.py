"""What the catalogue says of a finding: plain frozen data, as a report is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bncheck.report import SCHEMA, plain
from bncheck.vocabulary import Severity


@dataclass(frozen=True)
class Explanation:
    """One finding of the catalogue, with all its texts."""

    code: str
    title: str
    severity: Severity
    why: str
    shows: str
    wrong: str
    """Python, as the mutant has it."""
    right: str
    mend: str
    seen: tuple[tuple[str, str], ...]
    """(where, what) in public code."""

    def to_dict(self) -> dict[str, Any]:
        seen = [{"where": where, "what": what} for where, what in self.seen]
        return dict(plain({"schema": SCHEMA, **vars(self), "seen": seen}))


@dataclass(frozen=True)
class Contents:
    """The catalogue, in the order of its codes."""

    entries: tuple[Explanation, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "findings": [entry.to_dict() for entry in self.entries]}
