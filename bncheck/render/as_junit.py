"""JUnit XML, which every CI server reads: one test case for each gradient."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree

from bncheck.render import Look, Result
from bncheck.report import Report
from bncheck.vocabulary import Verdict

# Whatever is in the name of a file or in what a layer raised: XML 1.0 (section 2.2) has no way to write these.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUTCOMES = {Verdict.FAIL: "failure", Verdict.BLIND: "error"}


class _Case(NamedTuple):
    name: str
    verdict: Verdict
    codes: str
    message: str
    hints: str


def render(result: Result, look: Look) -> str:
    assert isinstance(result, Report)
    cases = _of_sections(result) if result.sections else _of_gradients(result)
    suite = ElementTree.Element(
        "testsuite",
        name="bncheck",
        tests=str(len(cases)),
        failures=str(sum(case.verdict is Verdict.FAIL for case in cases)),
        # JUnit knows no third verdict; "error" says that the test could not tell.
        errors=str(sum(case.verdict is Verdict.BLIND for case in cases)),
        time=f"{result.seconds:.3f}",
    )
    for case in cases:
        element = ElementTree.SubElement(
            suite, "testcase", classname=f"bncheck.{result.implementation}", name=case.name
        )
        if case.verdict in _OUTCOMES:
            outcome = ElementTree.SubElement(
                element, _OUTCOMES[case.verdict], type=case.codes or case.verdict.value, message=case.message
            )
            outcome.text = case.hints
    ElementTree.indent(suite)
    # Its own declaration would name the locale's encoding, which is not the one that is written.
    xml = _UNWRITABLE.sub("\ufffd", ElementTree.tostring(suite, encoding="unicode"))
    return f"<?xml version='1.0' encoding='utf-8'?>\n{xml}\n"


def _of_gradients(report: Report) -> list[_Case]:
    cases = []
    probed = [(f"{g.name} on a probe", g) for probe in report.probes for g in probe.gradients]
    for name, g in [*((g.name, g) for g in report.gradients), *probed]:
        own = [f for f in report.findings if f.quantity == g.name and g.verdict is Verdict.FAIL]
        codes, hints = " ".join(f.code for f in own), "\n".join(f.hint for f in own)
        cases.append(_Case(name, g.verdict, codes, g.reason, hints))
    return cases


def _of_sections(report: Report) -> list[_Case]:
    cases = []
    for section in report.sections:
        own = [f for f in report.findings if f.code in section.codes]
        hints = "\n".join(f"{f.code} {f.title}: {f.evidence}. {f.hint}." for f in own)
        cases.append(_Case(section.name, section.verdict, " ".join(section.codes), section.said, hints))
    return cases
