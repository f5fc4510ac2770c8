"""Every finding has its words, and a layer that has it and nothing else."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from bncheck.arrays import Array
from bncheck.batch import generate
from bncheck.checks.api import check
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.entry import Entry, Wrong, right
from bncheck.findings.textbook import RIGHT, Steps
from bncheck.report import Report
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Severity, Verdict

SECTIONS = {0: 8, 1: 10, 2: 5, 3: 8, 4: 12, 5: 3}
CODES = [f"BN{section}{n:02}" for section, last in SECTIONS.items() for n in range(1, last + 1)]
ENTRIES = [pytest.param(entry, id=code) for code, entry in CATALOGUE.items()]
FORMS = [
    pytest.param(entry, wrong, id=f"{code}-{k}")
    for code, entry in CATALOGUE.items()
    for k, wrong in enumerate(entry.mutants)
]
# A layer of functions is not differentiated in test mode.
EXAMINED = [form for form in FORMS if set(form.values[1]) != {"dx_in_test_mode"}]  # type: ignore[call-overload]


def examined(layer: Any, dtype: str) -> Report:
    return check(layer, generate(16, 6, dtype=dtype))


def codes(report: Report, severity: Severity) -> set[str]:
    return {f.code for f in report.findings if f.severity is severity}


def is_named_alone(entry: Entry, report: Report) -> None:
    errors, notes = codes(report, Severity.ERROR), codes(report, Severity.NOTE)
    if entry.severity is Severity.NOTE:
        assert (errors, notes, report.verdict) == (set(), {entry.code}, Verdict.PASS)
    else:
        assert errors == {entry.code}, report.findings
        assert report.verdict is Verdict.FAIL


def test_the_codes_are_those_of_the_sections_in_order() -> None:
    assert list(CATALOGUE) == CODES
    assert all(entry.code == code for code, entry in CATALOGUE.items())


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_finding_has_its_words_and_a_mutant(entry: Entry) -> None:
    assert all((entry.title, entry.hint, entry.why, entry.shows))
    assert entry.why.endswith(".")
    assert entry.shows.endswith(".")
    assert bool(entry.mutants) is not bool(entry.specimen)
    assert entry.layer() is not None
    for seen in entry.seen:
        assert seen.where
        assert seen.what


@pytest.mark.parametrize(("entry", "wrong"), FORMS)
def test_every_wrong_step_is_a_step_done_otherwise(entry: Entry, wrong: Wrong) -> None:
    assert set(wrong) <= set(Steps._fields)
    for name, step in wrong.items():
        assert body(step) != body(right(name))


def body(step: Any) -> str:
    return inspect.getsource(step).partition(":\n")[2]


@pytest.mark.parametrize(("entry", "wrong"), EXAMINED)
def test_every_mutant_is_named_by_its_own_code_alone(entry: Entry, wrong: Wrong) -> None:
    is_named_alone(entry, examined(RIGHT._replace(**wrong).pair(), entry.dtype))


@pytest.mark.parametrize("entry", [entry for entry in CATALOGUE.values() if entry.specimen], ids=lambda e: e.code)
def test_every_specimen_is_named_by_its_own_code_alone(entry: Entry) -> None:
    is_named_alone(entry, examined(entry.layer(), entry.dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_right_layer_gets_none(dtype: str) -> None:
    report = examined(RIGHT.pair(), dtype)
    assert report.findings == ()
    assert report.verdict is Verdict.PASS


def test_what_overflows_in_half_precision_alone_is_right_elsewhere() -> None:
    entry = CATALOGUE["BN502"]
    for dtype in ("float64", "float32"):
        assert examined(entry.layer(), dtype).findings == ()


def scaled_down(centred: Array, eps: float) -> Array:
    """Out of reach of an overflow, and of what underflows the nearer."""
    return np.asarray(1 / (16 * np.sqrt(((centred / 16) ** 2).mean(axis=0) + eps / 256)))


@pytest.mark.parametrize("eps", [1e-8, 1e-2])
def test_what_underflows_in_half_precision_is_told_where_eps_does_not_hide_it(eps: float) -> None:
    layer = RIGHT._replace(wide=lambda x: x, inv=scaled_down).pair()
    report = check(layer, generate(16, 6, dtype="float16"), LayerSettings(eps=eps))
    assert ["of spread 0.0002" in f.evidence for f in report.findings if f.code == "BN502"] == [True] * (eps < 1e-7)


def shaky_mean(x: Array) -> tuple[Array, Array]:
    """Off by a thousand roundings as soon as the mean is large: more than a batch costs, and no cancellation."""
    mean = x.mean(axis=0)
    mean = np.where(np.abs(mean) > 30 * x.std(axis=0), mean * (1 + 1e3 * np.finfo(x.dtype).eps), mean)
    return mean, ((x - mean) ** 2).mean(axis=0)


def test_what_is_lost_otherwise_than_by_cancellation_is_told_apart() -> None:
    for steps, code in ((RIGHT._replace(statistics=shaky_mean), "BN503"), (CATALOGUE["BN501"], "BN501")):
        layer = steps.layer() if isinstance(steps, Entry) else steps.pair()
        assert [(f.code, "at mean 1e+07" in f.evidence) for f in examined(layer, "float64").findings] == [(code, True)]


def test_a_layer_left_to_chance_has_no_second_mistake() -> None:
    report = examined(CATALOGUE["BN005"].layer(), "float64")
    assert {s.name for s in report.sections if s.verdict is Verdict.FAIL} == {"contract"}
