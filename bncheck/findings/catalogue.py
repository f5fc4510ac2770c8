"""One entry for each finding, by its code."""

from __future__ import annotations

from bncheck.findings.entry import Entry
from bncheck.findings.known import contract, dx, forward, parameters, running, stability, test_mode

_KNOWN = (contract, dx, parameters, forward, running, test_mode, stability)
_ENTRIES: list[Entry] = sorted((entry for known in _KNOWN for entry in known.ENTRIES), key=lambda entry: entry.code)
CATALOGUE = {entry.code: entry for entry in _ENTRIES}
