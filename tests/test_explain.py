"""The catalogue on the command line: every finding explained, in every format, and shown being caught."""

from __future__ import annotations

import json

import pytest

from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.explaining import contents, explain


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["explain", *arguments]) == Exit.PASS
    return capsys.readouterr().out


def test_all_findings_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("table", "markdown"):
        text = printed(["--format", name], capsys)
        assert all(code in text for code in CATALOGUE)
    listed = json.loads(printed(["--format", "json"], capsys))["findings"]
    assert [entry["code"] for entry in listed] == list(CATALOGUE)
    assert all(entry["why"] and entry["shows"] and entry["mend"] and entry["wrong"] for entry in listed)


@pytest.mark.parametrize("name", ["table", "markdown", "json"])
def test_one_finding_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(["bn101", "--format", name], capsys)
    for words in ("the path through the variance is missing", "d xhat_k / d x_i", "def variance_path_lost(", "def dx("):
        assert words in text
    if name == "markdown":
        assert text.count("```python") == 2
    if name == "json":
        parsed = json.loads(text)
        assert (parsed["schema"], parsed["code"], parsed["severity"]) == (1, "BN101", "error")


def test_wrong_code_is_shown_beside_the_right_one() -> None:
    for entry in contents().entries:
        if entry.right:
            assert entry.wrong.count("def ") == entry.right.count("def ")
            assert entry.wrong != entry.right


def test_sources_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "keras-team/keras PR 19102" in printed(["BN103"], capsys)


@pytest.mark.parametrize("code", ["BN101", "BN302", "BN406", "BN501"])
def test_a_mistake_is_shown_being_caught(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--run", code, "--format", "json"]) == Exit.FAIL
    parsed = json.loads(capsys.readouterr().out)
    assert parsed["implementation"] == f"the mutant of {code}"
    assert [f["code"] for f in parsed["findings"] if f["severity"] == "error"] == [code]


def test_a_code_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["BN999"], ["--run", "BN999"], ["--run"]):
        assert run(["explain", *arguments]) == Exit.USAGE
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(BadInput, match="no finding nonsense"):
        explain("nonsense")
