"""The check as a pytest fixture: ``def test_layer(bncheck): bncheck.check(my_layer)``."""

from __future__ import annotations

from typing import Any

import pytest


class Checker:
    """What the fixture hands to a test."""

    def check(self, layer: Any, **options: Any) -> Any:
        """Check a layer as ``bncheck.check`` does, and fail the test with its findings unless it passes."""
        __tracebackhide__ = True
        import bncheck
        from bncheck.render import Look, renderer

        report = bncheck.check(layer, **options)
        if report.verdict is not bncheck.Verdict.PASS:
            look = Look()
            pytest.fail(str(renderer("table", look)(report, look)), pytrace=False)
        return report


@pytest.fixture
def bncheck() -> Checker:
    """Checks batch-normalization layers."""
    return Checker()
