"""Every format, on a pass, a failure, blindness and what is not a number."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bncheck.batch import assemble, generate
from bncheck.checks.gradients import check_gradients
from bncheck.passes import run_backward, run_forward, show_batch
from bncheck.render import Look, renderer
from bncheck.report import PassReport, Report
from tests.wrong import DX, WrongLayer

BATCH = generate(16, 5)
CASES = {
    "pass": check_gradients(BATCH),
    "fail": check_gradients(BATCH, WrongLayer("wrong", DX["variance path lost"])),
    "blind": check_gradients(generate(1, 5)),
    "not a number": check_gradients(BATCH, WrongLayer("wrong", DX["one entry NaN"])),
}


def shown(result: Report | PassReport, name: str, look: Look | None = None) -> str:
    look = look or Look()
    content = renderer(name, look)(result, look)
    assert isinstance(content, str)
    return content


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("case", CASES)
def test_json_holds_the_contract(case: str) -> None:
    data = strict(shown(CASES[case], "json"))
    assert data["schema"] == 1
    assert data["verdict"] == {"not a number": "fail"}.get(case, case)
    assert {"mode", "implementation", "batch", "settings", "findings", "forward_passes", "seconds", "version"} <= set(data)
    assert set(data["gradients"]) == {"dx", "dgamma", "dbeta"}
    for g in data["gradients"].values():
        assert {"shape", "max_rel_error", "max_abs_error", "error_bar", "worst", "verdict"} <= set(g)
        assert {"index", "analytic", "numeric"} <= set(g["worst"])
    if case == "not a number":
        assert data["gradients"]["dx"]["worst"]["analytic"] is None
        assert data["findings"][0]["code"] == "BN003"


@pytest.mark.parametrize("case", CASES)
def test_csv_and_markdown_read_back(case: str) -> None:
    rows = list(csv.DictReader(io.StringIO(shown(CASES[case], "csv"))))
    assert [row["gradient"] for row in rows] == ["dx", "dgamma", "dbeta"]
    assert [row["verdict"] for row in rows] == [g.verdict.value for g in CASES[case].gradients]
    assert float(rows[1]["max_rel_error"]) == CASES[case].gradients[1].max_rel_error
    table = [line for line in shown(CASES[case], "markdown").splitlines() if line.startswith("|")]
    widths = {line.count("|") for line in table[:5]}
    assert len(widths) == 1
    assert set(table[1]) <= set("|:- ")


@pytest.mark.parametrize(("case", "failures", "errors"), [("pass", 0, 0), ("fail", 1, 0), ("blind", 0, 2)])
def test_junit_counts_what_went_wrong(case: str, failures: int, errors: int) -> None:
    suite = ElementTree.fromstring(shown(CASES[case], "junit"))
    suite = suite if suite.tag == "testsuite" else suite[0]
    assert suite.get("tests") == "3"
    assert len(suite.findall("testcase/failure")) == failures == int(suite.get("failures", -1))
    assert len(suite.findall("testcase/error")) == errors == int(suite.get("errors", -1))


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("case", CASES)
def test_a_terminal_shows_brackets_and_the_verdict_in_words(case: str, width: int) -> None:
    text = shown(CASES[case], "table", Look(terminal=True, width=width))
    plain = " ".join(renderer_free(text).split())
    assert CASES[case].verdict.value in plain
    place = "dx[" + ", ".join(map(str, CASES[case].gradients[0].worst.index)) + "]"
    if width >= 80:
        assert place in plain
    assert max(map(len, renderer_free(text).splitlines())) <= width


def renderer_free(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_pipe_gets_neither_colour_nor_wrapping() -> None:
    text = shown(CASES["fail"], "table", Look(terminal=False, width=20))
    assert "\x1b" not in text
    assert CASES["fail"].gradients[0].reason in text
    assert any(len(line) > 120 for line in text.splitlines())


def test_a_failure_says_what_where_and_what_to_do() -> None:
    text = shown(CASES["fail"], "table")
    assert "BN110" in text
    assert "Mend: compare with dx" in text
    assert text.count("fail") >= 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_read_back_bit_for_bit(dtype: str) -> None:
    result = run_forward(generate(7, 3, dtype=dtype))
    table = np.loadtxt(io.StringIO(shown(result, "csv")), delimiter=",").astype(dtype)
    assert np.array_equal(table, result.arrays["out"])
    tabs = np.loadtxt(io.StringIO(shown(result, "tsv")), delimiter="\t").astype(dtype)
    assert np.array_equal(tabs, result.arrays["out"])


def test_numpy_formats_hold_what_they_say() -> None:
    result = run_backward(BATCH)
    for name, expected in (("npz", result.arrays), ("npy", {"dx": result.arrays["dx"]})):
        content = renderer(name, Look())(result, Look())
        assert isinstance(content, bytes)
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        held = dict(loaded) if name == "npz" else {"dx": loaded}
        assert held.keys() == expected.keys()
        assert all(np.array_equal(held[key], expected[key]) for key in expected)


def test_passes_are_json_too() -> None:
    data = strict(shown(run_forward(BATCH), "json"))
    assert np.array_equal(np.array(data["out"]), run_forward(BATCH).arrays["out"])
    assert {"mean", "var", "running_mean", "running_var"} <= set(data)
    assert strict(shown(show_batch(BATCH), "json"))["batch"]["n"] == 16
    broken = run_forward(BATCH)
    broken = replace(broken, arrays={"out": np.array([[np.nan, 1.0]])})
    assert strict(shown(broken, "json"))["out"] == [[None, 1.0]]


def test_the_layout_given_comes_back() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    result = run_forward(assemble({"x": x}, channel_axis=1))
    assert result.arrays["out"].shape == x.shape
    assert "(2, 3, 4, 5)" in shown(result, "table")
