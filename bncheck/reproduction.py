"""A finding made small, and where the layer that has it is found: what a test of its own is written from."""

from __future__ import annotations

from typing import Any, NamedTuple

from bncheck.report import Finding


class Origin(NamedTuple):
    """Where a layer is imported from."""

    module: str
    """As Python names it."""
    file: str = ""
    """The path; empty where the module is an installed one."""
    root: str = ""
    """The folder that ``module`` is found from; empty for a file that stands alone."""


class Reproduction(NamedTuple):
    """The smallest batch that shows a finding, and how the layer is called on it."""

    finding: Finding
    implementation: str
    wanted: str
    """What the layer is held against: differences, definition, average, rest, movement, or copy."""
    quantity: str
    """dx, dgamma, dbeta, out, running_mean, running_var, or the argument that is written into."""
    lines: tuple[str, ...]
    results: dict[str, str]
    arrays: dict[str, Any]
    channels: int
    eps: float
    kept: float
    """The share of the running statistics that a training step keeps."""
    unbiased: bool
    """The running variance is divided by N - 1."""
    test: bool
    step: float
    tolerance: float
    n: int
    d: int
