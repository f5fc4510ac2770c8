"""What is found out about a layer once, before it is put through a grid."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bncheck.batch import generate
from bncheck.checks import contract, forward, stability
from bncheck.checks import probes as known_probes
from bncheck.checks.gradients import check_gradients
from bncheck.errors import LayerRaised
from bncheck.findings.normalization import Reading
from bncheck.grid import about_the_layer
from bncheck.layers.protocol import Layer
from bncheck.layers.travelling import Traveller, arrived
from bncheck.report import Finding
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Coverage, Mode, Severity

_RAISING = {"BN001", "BN008"}
_UNSTEADY = {"BN005", "BN007"}
_COLUMNS = 6


class Known(NamedTuple):
    """A layer, and what its cells are judged by."""

    layer: Layer
    settings: LayerSettings
    """With the eps that the layer really uses."""
    notes: tuple[str, ...] = ()
    """For standard error: what had to be lifted or stubbed."""
    findings: tuple[Finding, ...] = ()
    """About the layer, whatever the batch."""
    gradients: dict[str, tuple[str, ...]] = {}  # noqa: RUF012, nobody writes into it
    """The codes of those that are wrong on a batch that is easy on everybody."""
    reading: Reading | None = None
    loss: str | None = None
    """The code of what costs the layer digits as the mean of x grows."""
    entangled: bool = False
    narrow: str | None = None
    """The dtype that it casts to, if it does."""

    @property
    def other_forward(self) -> tuple[str, ...]:
        """The codes of why its forward pass is not the definition, so that its gradients cannot be the textbook's."""
        errors = (f.code for f in self.findings if f.severity is Severity.ERROR)
        return tuple(code for code in errors if code in _UNSTEADY or code.startswith("BN3"))

    def narrower(self, dtype: np.dtype[Any]) -> bool:
        return self.narrow is not None and np.dtype(self.narrow).itemsize < dtype.itemsize


class Introduction(NamedTuple):
    """The part of it that can be told."""

    name: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]


_last: list[tuple[tuple[Traveller, LayerSettings, int], Known]] = []


def introduce(subject: Traveller, settings: LayerSettings, seed: int) -> Introduction:
    """Raises BadInput where there is no such layer."""
    known = introduced(subject, settings, seed)
    return Introduction(known.layer.name, known.notes, known.findings)


def introduced(subject: Traveller, settings: LayerSettings, seed: int) -> Known:
    """The same for the same arguments, found out once for each process."""
    asked = (subject, settings, seed)
    if not _last or _last[0][0] != asked:
        _last[:] = [(asked, _known(*asked))]
    return _last[0][1]


def _known(subject: Traveller, settings: LayerSettings, seed: int) -> Known:
    layer, notes = arrived(subject)
    fresh = Known(layer, settings, notes)
    examined = known_probes.Subject(layer, generate(12, _COLUMNS, seed), settings, np.dtype(np.float64))
    first = contract.check(examined)
    codes = {f.code for f in first.findings}
    if codes & _RAISING:
        return fresh
    narrow = next((f.evidence.split()[-1] for f in first.findings if f.code == "BN006"), None)
    if narrow:
        examined = examined._replace(dtype=np.dtype(narrow))
    fresh = fresh._replace(findings=about_the_layer(first.findings), entangled="BN007" in codes, narrow=narrow)
    try:
        return _read(fresh, examined)
    except LayerRaised:
        return fresh  # its cells will tell where


def _read(fresh: Known, examined: known_probes.Subject) -> Known:
    """With the forward pass read, and the gradients checked where it is easy."""
    examined, seen = forward.settle(examined)
    settings, reading, found, loss = examined.settings, None, fresh.findings, None
    if settings.mode is Mode.TRAIN:
        outcome, reading = forward.check(examined, seen, fresh.entangled)
        unknown = any(f.code == "BN308" for f in outcome.findings)
        unstable = stability.check(examined, reading, unknown).findings
        loss = next((f.code for f in unstable if f.quantity == "out"), None)
        found = about_the_layer((*found, *outcome.findings))
    made = fresh._replace(settings=settings, reading=reading, findings=found, loss=loss)
    if not made.layer.traits.has_backward:
        return made
    batch = known_probes.beside(made.layer, settings, _COLUMNS, fresh.narrow or "float64")
    check = CheckSettings(probes=False, coverage=Coverage.FULL)
    report = check_gradients(batch, made.layer, settings, check, entangled=fresh.entangled)
    wrong: dict[str, tuple[str, ...]] = {}
    for finding in report.findings:
        if finding.severity is Severity.ERROR:
            wrong[finding.quantity] = (*wrong.get(finding.quantity, ()), finding.code)
    return made._replace(gradients=wrong)
