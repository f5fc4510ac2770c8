"""Are dx, dgamma and dbeta the derivatives of the layer's own forward pass?"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from bncheck import __version__
from bncheck.batch import Batch
from bncheck.batchnorm import Gradients
from bncheck.checks import judgement
from bncheck.checks.folding import placed
from bncheck.checks.judgement import ZERO, Quantity, judge
from bncheck.checks.numeric import Measured, Progress, measure
from bncheck.checks.power import Evidence, Sight
from bncheck.checks.probes import beside
from bncheck.errors import LayerRaised
from bncheck.layers.protocol import Layer
from bncheck.layers.reference import Reference
from bncheck.passes import describe
from bncheck.report import Finding, GradientResult, Probe, Report
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Mode, Verdict


def check_gradients(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    check: CheckSettings | None = None,
    progress: Progress | None = None,
    *,
    entangled: bool = False,
    entries: bool = False,
) -> Report:
    """Check every entry of dx, dgamma and dbeta against finite differences of the layer's forward pass.

    ``layer`` None checks the reference.  In test mode the batch must hold running statistics
    (``bncheck.batch.warm_up`` makes them).  ``entangled`` says that the layer's columns are not independent,
    and costs D times as much; ``entries`` asks for all entries in the report, for whoever draws them.  Where the batch
    cannot show a known mistake, a batch of bncheck's own is checked beside it (``check.probes``), which may find one;
    the verdict on the batch itself stays what that allows.
    Raises BadInput where the batch allows no answer.
    """
    started = time.perf_counter()
    layer, settings, check = layer or Reference(), settings or LayerSettings(), check or CheckSettings()
    report = _check(batch, layer, settings, check, progress, entangled, entries)
    if check.probes and any(g.power.blind_to and g.verdict is not Verdict.FAIL for g in report.gradients):
        probe = beside(layer, settings, batch.d, str(batch.x.dtype))
        try:
            report = _joined(report, _check(probe, layer, settings, check, None, entangled))
        except LayerRaised as raised:
            report = replace(report, findings=(*report.findings, _refused(probe, raised)))
    findings = placed(report.findings, layer.traits.source)
    return replace(report, findings=findings, seconds=time.perf_counter() - started)


def _check(
    batch: Batch,
    layer: Layer,
    settings: LayerSettings,
    check: CheckSettings,
    progress: Progress | None,
    entangled: bool,
    entries: bool = False,
) -> Report:
    measured = measure(batch, layer, settings, check, progress, entangled)
    results = judged(measured, batch, check)
    return Report(
        verdict=Verdict.worst([result.verdict for result in results]),
        mode=settings.mode.value,
        implementation=layer.name,
        batch=describe(batch),
        settings=_said(settings, check, measured),
        gradients=results,
        findings=_findings(measured, batch, results),
        forward_passes=round(measured.passes, 2),
        seconds=0.0,
        version=__version__,
        entries=tuple(judgement.entries(q, check.rtol) for q in quantities(measured)) if entries else (),
    )


def judged(measured: Measured, batch: Batch, check: CheckSettings) -> tuple[GradientResult, ...]:
    """The verdict on each gradient, with what it could have been a verdict on."""
    each = quantities(measured)
    evidence = {q.name: Evidence(q.numeric, q.allowed) for q in each}
    with np.errstate(all="ignore"):
        sight = Sight(measured.call, batch.dout, evidence, check.rtol)
        results = [judge(q, check.rtol, batch.place)._replace(power=sight.power(q.name)) for q in each]
    return tuple(_blinded(result, sight, check.strict) for result in results)


def quantities(measured: Measured) -> list[Quantity]:
    """dx, dgamma and dbeta, with all that is known of each."""
    errors = (measured.dx.error, measured.parameters.error, measured.parameters.error)
    numbers = (measured.analytic, measured.numeric, errors, measured.rounding, measured.doubtful)
    return [Quantity(*each) for each in zip(Gradients._fields, *numbers, strict=True)]


def _blinded(result: GradientResult, sight: Sight, strict: bool) -> GradientResult:
    """With the reason for blindness in words, and blind for the strict where any mistake is out of sight."""
    power = result.power
    if result.reason == ZERO and (why := sight.why_zero(result.name)):
        return result._replace(reason=f"{result.reason}: {why}")
    if result.verdict is Verdict.PASS and power.known and not power.caught:
        return result._replace(verdict=Verdict.BLIND, reason="none of the known mistakes would have been rejected")
    if strict and result.verdict is Verdict.PASS and power.blind_to:
        codes = ", ".join(blind.code for blind in power.blind_to)
        return result._replace(verdict=Verdict.BLIND, reason=f"--strict wants to see {codes}, which it could not")
    return result


def _joined(report: Report, probed: Report) -> Report:
    """With what a probe has shown beside the batch."""
    known = {(f.code, f.quantity) for f in report.findings}
    found = [f for f in on_probe(probed) if (f.code, f.quantity) not in known]
    return replace(
        report,
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


def _findings(measured: Measured, batch: Batch, results: tuple[GradientResult, ...]) -> tuple[Finding, ...]:
    if all(result.verdict is not Verdict.FAIL for result in results):
        return ()
    # The catalogue is loaded when there is something to look up.
    from bncheck.checks.diagnosis import diagnose

    allowed = Gradients(*(q.allowed for q in quantities(measured)))
    with np.errstate(all="ignore"):
        return tuple(diagnose(measured, batch.dout, allowed, results))


def _said(settings: LayerSettings, check: CheckSettings, measured: Measured) -> dict[str, Any]:
    """What was asked for, and what was made of it."""
    return {
        "eps": settings.eps,
        "momentum": settings.momentum,
        **asdict(check),
        "coverage": "full",
        "precision": str(measured.dx.value.dtype),
        "step_size": float(np.max(measured.dx.step)),
        "noise": float(np.max(measured.dx.noise)),
    }
