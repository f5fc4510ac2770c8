"""JUnit XML, which every CI server reads: one test case for each gradient."""

from __future__ import annotations

from xml.etree import ElementTree

from bncheck.render import Look
from bncheck.report import PassReport, Report
from bncheck.vocabulary import Verdict

_OUTCOMES = {Verdict.FAIL: "failure", Verdict.BLIND: "error"}


def render(result: Report | PassReport, look: Look) -> str:
    assert isinstance(result, Report)
    cases = result.gradients
    suite = ElementTree.Element(
        "testsuite",
        name="bncheck",
        tests=str(len(cases)),
        failures=str(sum(g.verdict is Verdict.FAIL for g in cases)),
        # JUnit knows no third verdict; "error" says that the test could not tell.
        errors=str(sum(g.verdict is Verdict.BLIND for g in cases)),
        time=f"{result.seconds:.3f}",
    )
    for g in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=f"bncheck.{result.implementation}", name=g.name)
        if g.verdict in _OUTCOMES:
            codes = " ".join(f.code for f in result.findings if f.quantity == g.name)
            outcome = ElementTree.SubElement(
                case, _OUTCOMES[g.verdict], type=codes or g.verdict.value, message=g.reason
            )
            outcome.text = "\n".join(f.hint for f in result.findings if f.quantity == g.name)
    ElementTree.indent(suite)
    # "unicode" would declare the locale's encoding, which is not the one that is written.
    xml: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return xml.decode() + "\n"
