"""The pages beside the code are made of what bncheck itself prints.  UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import bncheck
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.findings.catalogue import CATALOGUE
from tests.test_readme import README, masked

DOCS = Path(bncheck.__file__).parent / "docs"

DERIVATION = """# Batch normalization, forward and backward, node by node

The derivation of Ioffe & Szegedy, "Batch Normalization" (2015), section 3, as a computational graph. Every number
below is of one small batch, and every gradient was checked at its node by finite differences. `bncheck trace` prints
this for any batch, with `--format svg` as a picture, and with `--impl layer.py` against the intermediates that a layer
of yours keeps.

"""
CATALOGUED = """# What bncheck finds

Every finding has a code, says what the mistake is, how it shows and how it is mended, and has a layer that makes it:
the wrong code below is the code that the tests run.

"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run([*arguments]) is Exit.PASS
    return capsys.readouterr().out


def compared(name: str, text: str) -> None:
    path = DOCS / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    # Measured errors differ between machines.
    assert masked(path.read_text(encoding="utf-8")) == masked(text), f"UPDATE_GOLDEN=1 writes {path} anew"


def test_the_derivation_is_what_trace_prints(capsys: pytest.CaptureFixture[str]) -> None:
    batch = ("trace", "--n", "3", "--d", "2")
    graph = printed(capsys, *batch, "--format", "mermaid")
    compared(
        "derivation.md",
        DERIVATION + f"```mermaid\n{graph}```\n\n" + printed(capsys, *batch, "--values", "--format", "markdown"),
    )


def test_the_catalogue_is_what_explain_prints(capsys: pytest.CaptureFixture[str]) -> None:
    each = [printed(capsys, "explain", code, "--format", "markdown") for code in CATALOGUE]
    entries = [re.sub(r"^\*\*(.*)\*\*$", r"## \1", text, count=1, flags=re.MULTILINE) for text in each]
    compared("catalogue.md", CATALOGUED + "\n".join(entries))
    assert all(text.startswith("## BN") for text in entries)


def test_the_readme_leads_to_every_page() -> None:
    for page in DOCS.iterdir():
        assert f"bncheck/docs/{page.name}" in README
