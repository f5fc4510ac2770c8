"""Tells whether a batch-normalization layer is right, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bncheck.batch import Batch, assemble, generate
    from bncheck.benchmark import BenchReport
    from bncheck.checks.api import check
    from bncheck.checks.gradients import check_gradients
    from bncheck.checks.stress import stress
    from bncheck.checks.trace import trace
    from bncheck.errors import BadInput
    from bncheck.grid import Grid, StressReport
    from bncheck.report import Report
    from bncheck.settings import CheckSettings, LayerSettings
    from bncheck.timing.run import bench
    from bncheck.tracing import TraceReport
    from bncheck.vocabulary import Method, Mode, Verdict

_HOMES = {
    "BadInput": "errors",
    "Batch": "batch",
    "BenchReport": "benchmark",
    "CheckSettings": "settings",
    "Grid": "grid",
    "LayerSettings": "settings",
    "Method": "vocabulary",
    "Mode": "vocabulary",
    "Report": "report",
    "TraceReport": "tracing",
    "StressReport": "grid",
    "Verdict": "vocabulary",
    "assemble": "batch",
    "bench": "timing.run",
    "check": "checks.api",
    "check_gradients": "checks.gradients",
    "generate": "batch",
    "trace": "checks.trace",
    "stress": "checks.stress",
}
__all__ = [
    "BadInput",
    "Batch",
    "BenchReport",
    "CheckSettings",
    "Grid",
    "LayerSettings",
    "Method",
    "Mode",
    "Report",
    "StressReport",
    "TraceReport",
    "Verdict",
    "assemble",
    "bench",
    "check",
    "check_gradients",
    "generate",
    "stress",
    "trace",
]


def __getattr__(name: str) -> Any:
    # Start-up is part of the product: `import bncheck` loads NumPy only when something is used.
    if name not in _HOMES:
        raise AttributeError(f"module 'bncheck' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"bncheck.{_HOMES[name]}"), name)
