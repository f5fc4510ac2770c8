"""bncheck's own check, every entry or projected."""

from __future__ import annotations

from bncheck import __version__, batchnorm
from bncheck.batch import Batch
from bncheck.checks.gradients import check_gradients
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.timing.checker import Checked, Checker
from bncheck.vocabulary import Coverage, Verdict


def checker(batch: Batch, form: str) -> Checker:
    settings, eps = CheckSettings(coverage=Coverage(form)), LayerSettings().eps

    def check() -> Checked:
        report = check_gradients(batch, check=settings)
        return Checked(report.verdict is Verdict.PASS, report.forward_passes)

    return Checker(check, lambda: batchnorm.forward(batch.x, batch.gamma, batch.beta, eps), __version__)
