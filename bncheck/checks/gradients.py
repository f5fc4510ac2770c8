"""Are dx, dgamma and dbeta the derivatives of the layer's own forward pass?"""

from __future__ import annotations

import time
from typing import Any

from bncheck import __version__
from bncheck.batch import Batch
from bncheck.checks import entries as every_entry
from bncheck.checks.covering import chosen
from bncheck.checks.judgement import Seen
from bncheck.checks.numeric import Progress, Question, Workers
from bncheck.errors import LayerRaised
from bncheck.layers.protocol import Layer, limit_of
from bncheck.layers.reference import Reference
from bncheck.passes import describe
from bncheck.report import Finding, Probe, Report
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Coverage, Mode, Verdict


def check_gradients(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    check: CheckSettings | None = None,
    progress: Progress | None = None,
    *,
    entangled: bool = False,
    workers: Workers | None = None,
    entries: bool = False,
) -> Report:
    """Check every entry of dx, dgamma and dbeta against finite differences of the layer's forward pass.

    ``layer`` None checks the reference.  In test mode the batch must hold running statistics
    (``bncheck.batch.warm_up`` makes them).  ``entangled`` says that the layer's columns are not independent,
    and costs D times as much; ``entries`` that where every entry is looked at, all of them are wanted in the report,
    for whoever draws them.  ``workers`` carry the blocks of a batch that is checked along directions.
    Where the batch cannot show a known mistake, a batch of bncheck's own is checked beside it (``check.probes``), which
    may find one; the verdict on the batch itself stays what that allows.
    Raises BadInput where the batch allows no answer.
    """
    started = time.perf_counter()
    layer, settings, check = layer or Reference(), settings or LayerSettings(), check or CheckSettings()
    if narrow := limit_of(layer.traits):
        batch = batch.narrowed(narrow)
    report = _check(Question(batch, layer, settings, check, entangled, workers, entries), progress)
    if check.probes and any(g.power.blind_to and g.verdict is not Verdict.FAIL for g in report.gradients):
        # Loaded where there is something to look into: most checks start and end without.
        from bncheck.checks.probes import beside

        probe = beside(layer, settings, batch.d, str(batch.x.dtype))
        try:
            report = _joined(report, _check(Question(probe, layer, settings, check, entangled), None))
        except LayerRaised as raised:
            report = report._replace(findings=(*report.findings, _refused(probe, raised)))
    if report.findings:
        from bncheck.checks.folding import placed

        report = report._replace(findings=placed(report.findings, layer.traits.source))
    return report._replace(seconds=time.perf_counter() - started)


def _check(asked: Question, progress: Progress | None) -> Report:
    settings = asked.settings
    made, coverage = chosen(asked)
    if made is None or coverage.kind == Coverage.PROJECTED:
        # Loaded where it is needed: small batches start at once.
        from bncheck.checks import projected

        seen = projected.look(asked, made, coverage, progress)
    else:
        seen = every_entry.look(asked, made, coverage, progress)
    return Report(
        verdict=Verdict.worst([result.verdict for result in seen.results]),
        mode=settings.mode.value,
        implementation=asked.layer.name,
        batch=describe(asked.batch),
        settings=_said(asked, seen),
        gradients=seen.results,
        findings=seen.findings,
        forward_passes=round(seen.passes, 2),
        seconds=0.0,
        version=__version__,
        coverage=seen.coverage,
        entries=seen.entries,
    )


def _joined(report: Report, probed: Report) -> Report:
    """With what a probe has shown beside the batch."""
    known = {(f.code, f.quantity) for f in report.findings}
    found = [f for f in on_probe(probed) if (f.code, f.quantity) not in known]
    return report._replace(
        verdict=Verdict.FAIL if probed.verdict is Verdict.FAIL else report.verdict,
        findings=(*report.findings, *found),
        probes=(*report.probes, as_probe(probed)),
        forward_passes=report.forward_passes + probed.forward_passes,
    )


def as_probe(report: Report) -> Probe:
    return Probe(report.batch, report.mode, report.settings["eps"], report.verdict, report.gradients)


def on_probe(report: Report) -> tuple[Finding, ...]:
    """The findings, each with the batch that showed it."""
    batch, mode = report.batch, "" if report.mode == Mode.TRAIN else f" in {report.mode} mode"
    where = f"on a probe of bncheck's own, ({batch.n}, {batch.d}) from seed {batch.seed}{mode}"
    where += f", eps {report.settings['eps']:g}"
    return tuple(f._replace(evidence=f"{where}: {f.evidence}") for f in report.findings)


def _refused(probe: Batch, raised: LayerRaised) -> Finding:
    """Of a layer that takes the user's batch and not the probe: no mistake, as far as anybody knows."""
    from bncheck.findings.catalogue import CATALOGUE

    reason = str(raised).splitlines()[0]
    return CATALOGUE["BN001"].noted("probe", f"on a probe of bncheck's own, ({probe.n}, {probe.d}), it did: {reason}")


def _said(asked: Question, seen: Seen) -> dict[str, Any]:
    """What was asked for, and what was made of it."""
    return {
        "eps": asked.settings.eps,
        "momentum": asked.settings.momentum,
        **vars(asked.check),
        "coverage": seen.coverage.kind,
        "precision": seen.precision,
        "step_size": seen.step_size,
        "noise": seen.noise,
    }
