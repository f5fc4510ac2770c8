"""A mistake being caught: the check of a layer that is known to have it."""

from __future__ import annotations

from bncheck.batch import generate
from bncheck.checks.numeric import Progress
from bncheck.checks.suite import check_layer
from bncheck.findings.explaining import entry
from bncheck.layers.resolve import of
from bncheck.report import Report


def demonstrate(code: str, progress: Progress | None = None) -> Report:
    """Check the mutant of a finding, in the dtype in which it shows.  Raises BadInput for a code that there is not."""
    shown = entry(code)
    report = check_layer(of(shown.layer()), generate(dtype=shown.dtype), progress=progress)
    return report._replace(implementation=f"the mutant of {shown.code}")
