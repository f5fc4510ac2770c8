"""One entry for each finding: its code, its title, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from bncheck.report import Finding
from bncheck.vocabulary import Severity


class Entry(NamedTuple):
    code: str
    title: str
    hint: str
    severity: Severity = Severity.ERROR

    def found(self, quantity: str, evidence: str) -> Finding:
        return Finding(self.code, self.title, self.severity, quantity, evidence, self.hint)


_ENTRIES = (
    Entry(
        "BN003",
        "NaN or infinity",
        "look for a division by zero (a variance without eps, N - 1 with N = 1), a root of a negative "
        "number (E[x²] - E[x]²) or an overflow on the way to this entry",
    ),
    Entry(
        "BN110",
        "dx is wrong, and like nothing known",
        "compare with dx = inv * (g - mean(g) - xhat * mean(g * xhat)), g = dout * gamma, "
        "inv = 1 / sqrt(var + eps), the means over the batch",
    ),
    Entry(
        "BN205",
        "dgamma or dbeta is wrong, and like nothing known",
        "compare with dgamma = sum(dout * xhat) and dbeta = sum(dout), the sums over the batch",
    ),
)
CATALOGUE = {entry.code: entry for entry in _ENTRIES}
