"""Everything about a layer, section by section."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bncheck import __version__
from bncheck.batch import Batch, generate, warm_up
from bncheck.checks import contract, forward, running, stability, test_mode
from bncheck.checks.folding import as_taught, clearest, folded, placed
from bncheck.checks.gradients import as_probe, check_gradients, on_probe
from bncheck.checks.numeric import Progress
from bncheck.checks.probes import Outcome, Subject, beside
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.normalization import Reading
from bncheck.layers.protocol import Layer, limit_of
from bncheck.passes import describe
from bncheck.report import Entries, Finding, GradientResult, Probe, Report, Section
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Mode, Severity, Verdict

SECTIONS = ("contract", "forward", "running", "test_mode", "gradients", "stability")
_SILENT = {"BN001", "BN002", "BN003", "BN008"}  # after these the sections below have nothing to go by


def check_layer(
    layer: Layer,
    batch: Batch | None = None,
    settings: LayerSettings | None = None,
    check: CheckSettings | None = None,
    progress: Progress | None = None,
    *,
    entries: bool = False,
) -> Report:
    """Contract, forward against the definition, running statistics, test mode, gradients and stability.

    ``batch`` is what gradients are shown for, with ``entries`` each entry of them; every section uses probes of its
    own beside it.
    """
    started = time.perf_counter()
    batch, settings, check = batch or generate(), settings or LayerSettings(), check or CheckSettings()
    subject = Subject(layer, batch, settings, np.dtype(np.float64))
    run = _Suite(subject, check, progress, entries)
    outcomes = dict(zip(SECTIONS, run.outcomes(), strict=False))
    sections = tuple(_section(name, outcome) for name, outcome in outcomes.items())
    findings = tuple(dict.fromkeys(f for outcome in outcomes.values() for f in outcome.findings))
    return Report(
        verdict=Verdict.worst([section.verdict for section in sections]),
        mode=settings.mode.value,
        implementation=layer.name,
        batch=describe(batch),
        settings={
            "eps": settings.eps,
            "momentum": settings.momentum,
            **vars(check),
            "recognised": layer.traits.recognised,
        },
        gradients=run.gradients,
        findings=placed(folded(findings), layer.traits.source),
        forward_passes=round(run.passes, 2),
        seconds=time.perf_counter() - started,
        version=__version__,
        sections=sections,
        probes=run.probes,
        entries=run.entries,
    )


class _Suite:
    """The sections in order; each may tell the next what has been found out about the layer."""

    def __init__(self, subject: Subject, check: CheckSettings, progress: Progress | None, entries: bool) -> None:
        self.subject, self.check, self.progress, self.wanted = subject, check, progress, entries
        self.entries: tuple[Entries, ...] = ()
        self.gradients: tuple[GradientResult, ...] = ()
        self.probes: tuple[Probe, ...] = ()
        self.passes = 0.0
        self.entangled = False

    def outcomes(self) -> Iterator[Outcome]:
        first = contract.check(self.subject)
        yield first
        codes = {f.code for f in first.findings}
        silent = [f.quantity for f in first.findings if f.code in _SILENT]
        if {"layer", "out"} & {*silent}:
            return
        failed = contract.BACKWARD in silent
        self.entangled = "BN007" in codes
        narrow = next((f.evidence.split()[-1] for f in first.findings if f.code == "BN006"), None)
        if narrow == contract.BFLOAT16:
            # Three digits, for which there are no bounds here.
            return
        if narrow := narrow or limit_of(self.subject.layer.traits):
            self.subject = self.subject._replace(dtype=np.dtype(narrow))
        self.subject, seen = forward.settle(self.subject)
        outcome, reading = forward.check(self.subject, seen, self.entangled)
        yield outcome
        yield self._guarded(lambda: running.check(self.subject, reading))
        if any(f.code == "BN503" for f in outcome.findings):
            # The digits of float32: they are said once, and what follows is judged by them.
            self.subject = self.subject._replace(dtype=np.dtype(np.float32))
        tested = self._guarded(lambda: test_mode.check(self.subject, reading))
        yield tested
        if failed:
            yield Outcome((), "the backward pass fails", Verdict.FAIL)
        else:
            yield self._guarded(lambda: self._gradients(reading, test_mode_too=not tested.findings))
        unknown = any(f.code == "BN308" for f in outcome.findings)
        yield self._guarded(lambda: stability.check(self.subject, reading, unknown))

    def _guarded(self, section: object) -> Outcome:
        try:
            return section()  # type: ignore[operator, no-any-return]
        except LayerRaised as raised:
            code = "BN008" if isinstance(raised, NotImplementedByLayer) else "BN001"
            return Outcome((CATALOGUE[code].found("layer", str(raised)),), str(raised))

    def _gradients(self, reading: Reading | None, test_mode_too: bool) -> Outcome:
        forward_right = reading is not None and not reading.codes
        layer, settings = self.subject.layer, replace(self.subject.settings, mode=Mode.TRAIN)
        if not layer.traits.has_backward and layer.traits.unchecked:
            said = f"not examined: how {layer.traits.unchecked} would be called as its backward pass cannot be told"
            return Outcome((), said, Verdict.BLIND)
        if not layer.traits.has_backward:
            return Outcome((), "the layer has no backward pass")
        reports = [self._one(self.subject.batch, settings, self.wanted)]
        if self.check.probes:
            # An eps of its own that a backward may have shows where the forward's is another.
            for eps in self.subject.epsilons():
                with_eps = replace(settings, eps=eps)
                reports.append(self._one(beside(layer, with_eps, self.subject.batch.d, "float64"), with_eps))
        self.gradients, self.entries, unseen = reports[0].gradients, reports[0].entries, _unseen_by_all(reports)
        refused: tuple[Finding, ...] = ()
        traits = layer.traits
        if test_mode_too and traits.differentiates_test_mode and traits.keeps_statistics and traits.starts_anywhere:
            batch = warm_up(self.subject.probe(14), 5, settings.momentum)
            try:
                reports.append(self._one(batch, replace(settings, mode=Mode.TEST)))
            except LayerRaised as raised:
                # What training has shown stands beside it.
                refused = (CATALOGUE["BN001"].found(contract.BACKWARD, f"in test mode: {raised}"),)
        self.probes = tuple(as_probe(report) for report in reports[1:])
        verdicts = [*(report.verdict for report in reports), *([Verdict.FAIL] if refused else [])]
        # What one batch is blind to, another has seen.
        verdict = next((v for v in (Verdict.FAIL, Verdict.PASS) if v in verdicts), Verdict.BLIND)
        blind = f"; {', '.join(unseen)} would have gone unseen" if unseen else ""
        if blind and self.check.strict and verdict is Verdict.PASS:
            verdict = Verdict.BLIND
        shown = [*reports[0].findings, *(f for report in reports[1:] for f in on_probe(report))]
        findings = clearest(shown)
        if verdict is Verdict.FAIL and not forward_right:
            taught = as_taught(self.subject, settings, reading)
            findings = tuple(f for f in findings if f.quantity not in taught)
            if not findings and not refused:
                return Outcome((), "those of the textbook, which the forward pass is not", verdict)
        own = "the layer's own forward pass" + ("" if forward_right else ", which is not the definition")
        return Outcome((*findings, *refused), f"{len(reports)} batches: as the differences of {own}{blind}", verdict)

    def _one(self, batch: Batch, settings: LayerSettings, entries: bool = False) -> Report:
        narrow = str(self.subject.dtype)
        if narrow != "float64":
            batch = batch.narrowed(narrow)
        # The probes are this section's own, and what is blind is for all of its batches to say.
        alone = replace(self.check, probes=False, strict=False)
        layer, entangled = self.subject.layer, self.entangled
        report = check_gradients(batch, layer, settings, alone, self.progress, entangled=entangled, entries=entries)
        self.passes += report.forward_passes
        return report


def _unseen_by_all(reports: list[Report]) -> list[str]:
    """The codes of the mistakes that no batch could have shown."""
    unseen = [{(g.name, b.code) for g in report.gradients for b in g.power.blind_to} for report in reports]
    return sorted({code for _, code in set.intersection(*unseen)})


def _section(name: str, outcome: Outcome) -> Section:
    errors = [f for f in outcome.findings if f.severity is Severity.ERROR]
    said = "; ".join(dict.fromkeys(f"{f.code} {f.title}" for f in errors)) or outcome.said
    return Section(name, _verdict(outcome), said, tuple(dict.fromkeys(f.code for f in errors)))


def _verdict(outcome: Outcome) -> Verdict:
    if any(f.severity is Severity.ERROR for f in outcome.findings):
        return Verdict.FAIL
    return outcome.verdict or Verdict.PASS
