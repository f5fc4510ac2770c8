"""What the catalogue holds of each finding: one record for its words, its wrong code and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from bncheck.findings.textbook import RIGHT, Steps
from bncheck.report import Finding
from bncheck.vocabulary import Severity

Wrong = Mapping[str, Callable[..., Any]]
"""Steps of the textbook layer by name, each done wrong."""


class Seen(NamedTuple):
    """A mistake as it was met in public code."""

    where: str
    what: str


class Entry(NamedTuple):
    """One finding: what it is, why it is wrong, how it shows, how it is mended, and a layer that has it."""

    code: str
    title: str
    hint: str
    """The mend, as one sentence."""
    why: str = ""
    """What the mistake is, with the formula."""
    shows: str = ""
    """How it shows, and when it does not."""
    wrong: Wrong = MappingProxyType({})
    """The mutant: the steps of the textbook layer that it does wrong."""
    along: Wrong = MappingProxyType({})
    """Steps that have to follow, lest there be a second mistake: the derivative of what is wrong, say."""
    others: tuple[Wrong, ...] = ()
    """Other forms of the same mistake."""
    specimen: Callable[[], Any] | None = None
    """Makes the mutant where it is no matter of single steps: anything that can be checked."""
    seen: tuple[Seen, ...] = ()
    severity: Severity = Severity.ERROR
    unseen: tuple[Callable[..., str], ...] = ()
    """Why a batch may not show it: functions of the quantities that they name, empty where they do not hold."""
    known: bool = True
    """False for what is like nothing known, which cannot be looked for."""
    dtype: str = "float64"
    """In which the mutant shows it."""

    @property
    def mutants(self) -> tuple[Wrong, ...]:
        return ({**self.wrong, **self.along}, *self.others) if self.wrong else self.others

    def layer(self) -> Any:
        """The mutant as a layer of somebody's, to be checked like one."""
        return self.specimen() if self.specimen is not None else RIGHT._replace(**self.wrong, **self.along).pair()

    def found(self, quantity: str, evidence: str) -> Finding:
        return Finding(self.code, self.title, self.severity, quantity, evidence, self.hint)

    def noted(self, quantity: str, evidence: str) -> Finding:
        """The same where it does no harm."""
        return self.found(quantity, evidence)._replace(severity=Severity.NOTE)


def right(step: str) -> Callable[..., Any]:
    """The step as it should be."""
    found: Callable[..., Any] = getattr(Steps(), step)
    return found
