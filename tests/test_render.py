"""Every format of every kind of result: what a script parses, what a person reads, and that nothing gets lost."""

from __future__ import annotations

import csv
import io
import json
import locale
import math
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bncheck.arrays import Array
from bncheck.batch import assemble, generate
from bncheck.checks.gradients import check_gradients
from bncheck.findings.catalogue import CATALOGUE
from bncheck.passes import run_backward, run_forward, show_batch
from bncheck.reading import read_batch
from bncheck.render import CHECK_FORMATS, Look, format_of, renderer
from bncheck.report import BatchInfo, Blind, GradientResult, PassReport, Power, Probe, Report, Worst
from bncheck.vocabulary import Verdict
from tests.wrong import DX, WrongLayer

NAN = float("nan")


def gradient(name: str, verdict: Verdict = Verdict.PASS, analytic: float = 0.25, reason: str = "") -> GradientResult:
    index = (3, 1) if name == "dx" else (1,)
    error = abs(analytic - 0.25)
    return GradientResult(
        name=name,
        shape=(4, 2) if name == "dx" else (2,),
        max_rel_error=error / 0.5,
        max_abs_error=error,
        error_bar=1.5e-9,
        worst=Worst(index, analytic, 0.25, error_bar=1e-9, rounding=2e-9),
        verdict=verdict,
        power=Power(8, 9, (Blind("BN105", "gamma is left out", "gamma is 1 everywhere"),), 2e-9),
        reason=reason,
    )


def report(*gradients: GradientResult, source: str = "generated", rtol: float | None = None) -> Report:
    codes = {g.name: "BN003" if math.isnan(g.worst.analytic) else "BN110" for g in gradients}
    return Report(
        verdict=Verdict.worst([g.verdict for g in gradients]),
        mode="train",
        implementation="reference",
        batch=BatchInfo(4, 2, "float64", source, 0),
        settings={"eps": 1e-5, "momentum": 0.9, "method": "central", "step": None, "rtol": rtol, "noise": 1e-16},
        gradients=gradients,
        findings=tuple(
            CATALOGUE[codes[g.name]].found(g.name, g.reason) for g in gradients if g.verdict is Verdict.FAIL
        ),
        forward_passes=57.0,
        seconds=0.0125,
        version="0.1.0",
    )


WRONG = "3 of 8 entries are wrong, worst dx[3, 1] = 0.5 where the difference quotient gives 0.25"
REPORTS = {
    "pass": report(gradient("dx"), gradient("dgamma"), gradient("dbeta")),
    "fail": report(gradient("dx", Verdict.FAIL, 0.5, WRONG), gradient("dgamma"), gradient("dbeta")),
    "blind": report(gradient("dx", Verdict.BLIND, 0.25, "zero within its error bars"), gradient("dgamma")),
    "NaN": report(
        gradient("dx", Verdict.FAIL, NAN, "1 of 8 entries are wrong, dx[3, 1] is nan where 0.25 is right"),
        gradient("dgamma", Verdict.BLIND, 0.25, "zero within its error bars"),
        gradient("dbeta"),
    ),
}
each_report = pytest.mark.parametrize("result", REPORTS.values(), ids=REPORTS)


def show(result: Report | PassReport, name: str, **look: Any) -> str:
    text = renderer(name, Look(**look))(result, Look(**look))
    assert isinstance(text, str)
    return text


def show_bytes(result: PassReport, name: str) -> bytes:
    content = renderer(name, Look())(result, Look())
    assert isinstance(content, bytes)
    return content


@each_report
@pytest.mark.parametrize("name", CHECK_FORMATS)
@pytest.mark.parametrize("terminal", [False, True])
def test_every_format_says_the_verdict_and_ends_its_last_line(result: Report, name: str, terminal: bool) -> None:
    text = show(result, name, terminal=terminal)
    assert text.endswith("\n")
    junit = {"fail": "<failure", "blind": "<error", "pass": 'failures="0" errors="0"'}
    assert (junit[result.verdict.value] if name == "junit" else result.verdict.value) in text
    for g in result.gradients:
        assert g.name in text
    if not (terminal and name == "table"):
        assert "\x1b" not in text


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.json", "json"), ("a.CSV", "csv"), ("b.md", "markdown"), ("junit.xml", "junit"), ("x.npz", "npz"), ("x", None)],
)
def test_a_name_asks_for_a_format(path: str, name: str | None) -> None:
    assert format_of(path) == name


# ---- JSON ----


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def parse(text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return parsed


@each_report
def test_json_is_valid_and_has_the_keys_of_schema_1(result: Report) -> None:
    parsed = parse(show(result, "json"))
    assert parsed["schema"] == 1
    assert parsed["verdict"] == result.verdict.value
    assert parsed["batch"] == {"n": 4, "d": 2, "dtype": "float64", "source": "generated", "seed": 0}
    assert {"mode", "implementation", "settings", "findings", "forward_passes", "seconds", "version"} <= parsed.keys()
    assert list(parsed["gradients"]) == [g.name for g in result.gradients]
    dx = parsed["gradients"]["dx"]
    assert {"shape", "max_rel_error", "max_abs_error", "error_bar", "worst", "verdict"} <= dx.keys()
    assert dx["shape"] == [4, 2]
    assert dx["worst"]["index"] == [3, 1]
    assert dx["worst"]["numeric"] == 0.25
    assert [f["code"] for f in parsed["findings"]] == [f.code for f in result.findings]


def test_json_turns_nan_into_null_with_a_finding_beside_it() -> None:
    parsed = parse(show(REPORTS["NaN"], "json"))
    dx = parsed["gradients"]["dx"]
    assert dx["worst"]["analytic"] is None
    assert dx["max_rel_error"] is None
    assert parsed["findings"][0]["code"] == "BN003"
    assert parsed["findings"][0]["quantity"] == "dx"
    assert parsed["findings"][0]["severity"] == "error"


def test_json_turns_infinity_into_null() -> None:
    endless = gradient("dx", Verdict.FAIL, math.inf)._replace(max_rel_error=-math.inf)
    parsed = parse(show(report(endless), "json"))
    assert parsed["gradients"]["dx"]["worst"]["analytic"] is None
    assert parsed["gradients"]["dx"]["max_rel_error"] is None


# ---- CSV ----


@each_report
def test_csv_parses_back(result: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(show(result, "csv"))))
    assert [row["gradient"] for row in rows] == [g.name for g in result.gradients]
    for row, g in zip(rows, result.gradients, strict=True):
        assert None not in row
        assert row["verdict"] == g.verdict.value
        assert row["shape"] == "x".join(map(str, g.shape))
        assert row["worst_index"] == " ".join(map(str, g.worst.index))
        for key, number in (("max_rel_error", g.max_rel_error), ("worst_analytic", g.worst.analytic)):
            assert float(row[key]) == pytest.approx(number, rel=0, abs=0, nan_ok=True)
        assert float(row["worst_allowed"]) == g.worst.error_bar + g.worst.rounding


# ---- Markdown ----


def cells(line: str) -> list[str]:
    """The cells of a GFM table's row, with escaped pipes as what they stand for."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def markdown_tables(text: str) -> list[list[list[str]]]:
    blocks = [block.split("\n") for block in text.rstrip("\n").split("\n\n")]
    tables = [block for block in blocks if block[0].startswith("|")]
    for header, rule, *rows in tables:
        assert rows
        assert all(re.fullmatch(r":?-{3,}:?", cell) for cell in cells(rule))
        assert len({len(cells(line)) for line in (header, rule, *rows)}) == 1
    assert not any("|" in line and block not in tables for block in blocks for line in block)
    return [[cells(header), *map(cells, rows)] for header, _, *rows in tables]


@each_report
def test_markdown_tables_are_well_formed(result: Report) -> None:
    errors, worst = markdown_tables(show(result, "markdown"))
    assert errors[0] == ["gradient", "shape", "rel error", "abs error", "error bar", "power", "verdict"]
    assert [row[-2] for row in errors[1:]] == ["8/9"] * len(result.gradients)
    assert [row[0] for row in errors[1:]] == [g.name for g in result.gradients]
    assert [row[-1] for row in errors[1:]] == [g.verdict.value for g in result.gradients]
    assert worst[1][0] == "dx[3, 1]"


def test_markdown_keeps_what_it_could_take_for_markup() -> None:
    source = "<stdin>"
    text = show(report(gradient("dx"), source=source), "markdown")
    assert r"\<stdin>" in text
    named = forwarded(columns=("a|b", "*c*", "`d`", "_e_", "f_g"))
    (out, _) = markdown_tables(show(named, "markdown"))
    assert out[0] == ["out", "a|b", r"\*c\*", r"\`d\`", r"\_e\_", "f_g"]


# ---- JUnit ----


@each_report
def test_junit_parses_and_counts(result: Report) -> None:
    suite = ElementTree.fromstring(show(result, "junit").encode())
    verdicts = [g.verdict for g in result.gradients]
    assert suite.tag == "testsuite"
    assert suite.get("tests") == str(len(verdicts))
    assert suite.get("failures") == str(verdicts.count(Verdict.FAIL))
    assert suite.get("errors") == str(verdicts.count(Verdict.BLIND))
    assert float(suite.get("time", "")) == pytest.approx(result.seconds, abs=1e-3)
    for case, g in zip(suite.iter("testcase"), result.gradients, strict=True):
        assert case.get("name") == g.name
        outcomes = {child.tag: child for child in case}
        assert list(outcomes) == {Verdict.FAIL: ["failure"], Verdict.BLIND: ["error"], Verdict.PASS: []}[g.verdict]
        for outcome in outcomes.values():
            assert outcome.get("message") == g.reason


def test_junit_names_the_finding_and_its_mend() -> None:
    suite = ElementTree.fromstring(show(REPORTS["fail"], "junit").encode())
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "BN110"
    assert failure.text == CATALOGUE["BN110"].hint


def test_junit_replaces_what_xml_cannot_say() -> None:
    suite = ElementTree.fromstring(
        show(report(gradient("dx", Verdict.FAIL, 0.5, "a\x1b[31m b\udc80")), "junit").encode()
    )
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "a\ufffd[31m b\ufffd"


def test_junit_declares_the_encoding_that_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locale, "getpreferredencoding", lambda do_setlocale=True: "iso-8859-1")
    reason = "E[x²] - E[x]² < 0 & more"
    text = show(report(gradient("dx", Verdict.FAIL, 0.5, reason)), "junit")
    failure = ElementTree.fromstring(text.encode()).find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == reason


# ---- plain text ----


@each_report
def test_plain_text_is_aligned_and_unwrapped(result: Report) -> None:
    heading, errors, worst, *paragraphs = show(result, "table", width=40).rstrip("\n").split("\n\n")
    assert "\n" not in heading
    for table in (errors, worst):
        lines = table.split("\n")
        assert len(lines) == 2 + len(result.gradients)
        assert len({len(line) for line in lines}) == 1
        ends = [match.end() for match in re.finditer("-+", lines[1])]
        for line in lines:
            # The columns after the first are flush right at the ends of the rule's dashes.
            assert all(line[end - 1] != " " for end in ends[1:])
            assert all(line[end : end + 2] in ("  ", "") for end in ends)
    assert worst.split("\n")[2].startswith("dx[3, 1]")
    verdicts = [g.verdict for g in result.gradients]
    of_blindness = verdicts.count(Verdict.BLIND) + len(verdicts) - verdicts.count(Verdict.FAIL)
    assert len(paragraphs) == len(result.findings) + of_blindness + 1
    assert all("\n" not in paragraph for paragraph in paragraphs)
    assert paragraphs[-1].startswith(f"{result.verdict.value}: ")


def test_the_summary_names_what_is_wrong() -> None:
    one = show(REPORTS["fail"], "table")
    assert "fail: dx differs from the finite differences by more than its error bar allows" in one
    two = report(*(gradient(name, Verdict.FAIL, 0.5) for name in ("dx", "dgamma")), gradient("dbeta"), rtol=0.0)
    assert "fail: dx and dgamma differ from the finite differences by more than rtol 0 allows" in show(two, "table")
    assert "dx is blind: zero within its error bars." in show(REPORTS["blind"], "table")


def test_what_a_batch_cannot_show_is_told_with_its_reason() -> None:
    text = show(REPORTS["pass"], "table")
    assert "dx would not have shown BN105 (gamma is left out): gamma is 1 everywhere." in text
    assert "would not have shown" not in show(report(gradient("dx", Verdict.FAIL, 0.5, WRONG)), "table")
    parsed = parse(show(REPORTS["pass"], "json"))["gradients"]["dx"]["power"]
    assert (parsed["caught"], parsed["known"], parsed["smallest_error"]) == (8, 9, 2e-9)
    assert parsed["blind_to"] == [{"code": "BN105", "title": "gamma is left out", "reason": "gamma is 1 everywhere"}]


def test_a_probe_says_what_it_has_shown() -> None:
    seeing = gradient("dx")._replace(power=Power(9, 9, (), 1e-9))
    probe = Probe(BatchInfo(12, 6, "float64", "generated", 13), "train", 1e-5, Verdict.PASS, (seeing,))
    beside = report(gradient("dx"))._replace(probes=(probe,))
    said = "On a probe beside it, (12, 6) from seed 13 with eps 1e-05, nothing wrong was found; "
    assert said + "all of these would have shown." in show(beside, "table")
    as_blind = beside._replace(probes=(probe._replace(gradients=(gradient("dx"),)),))
    assert said + "BN105 would not have shown there either." in show(as_blind, "table")
    assert "probe" not in show(report(seeing)._replace(probes=(probe,)), "table")
    assert parse(show(beside, "json"))["probes"][0]["gradients"]["dx"]["power"]["known"] == 9


def test_verbose_says_how_the_numbers_came_about() -> None:
    quiet, verbose = (show(REPORTS["pass"], "table", verbose=v) for v in (False, True))
    assert verbose.startswith(quiet.rstrip("\n"))
    assert verbose.rstrip("\n").split("\n\n")[-1] == (
        "eps 1e-05, momentum 0.9, method central, step auto, rtol auto, noise 1e-16"
    )


# ---- terminal ----


def words(text: str) -> str:
    """All that is not blank, whatever it was wrapped into."""
    return re.sub(r"\s", "", re.sub(r"\x1b\[[0-9;]*m", "", text))


@each_report
@pytest.mark.parametrize("width", [30, 40, *range(46, 60), 80, 200])
def test_the_terminal_loses_nothing_and_keeps_its_width(result: Report, width: int) -> None:
    shown = show(result, "table", terminal=True, width=width)
    assert "\x1b[" in shown
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).split("\n")
    assert max(map(len, lines)) <= width
    heading, errors, worst, *paragraphs = show(result, "table").rstrip("\n").split("\n\n")
    for table in (errors, worst):
        header, _, *rows = table.split("\n")
        # Cells stay whole, however narrow the terminal, and so do the words of a header.
        for part in (*header.split(), *(cell for row in rows for cell in re.split(r"\s{2,}", row.strip()))):
            assert any(part in line for line in lines), part
    for text in (heading, *paragraphs):
        assert words(text) in words(shown)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_takes_nothing_for_markup(width: int) -> None:
    reason = "dx[n, d] and [/d] and [red]x[/red] and :smile: [bold"
    shown = words(show(report(gradient("dx", Verdict.FAIL, 0.5, reason)), "table", terminal=True, width=width))
    assert words(reason) in shown
    named = show(forwarded(columns=("[a]", "[/b]", "c", "d", "e")), "table", terminal=True, width=width)
    assert "[a]" in words(named)
    assert "[/b]" in words(named)


def test_colour_stands_beside_the_verdict_and_not_instead_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    red, green, yellow = "\x1b[1;31m", "\x1b[32m", "\x1b[1;33m"
    for name, colour in (("fail", red), ("pass", green), ("blind", yellow)):
        shown = show(REPORTS[name], "table", terminal=True)
        assert f"{colour}{name}: " in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert red not in show(REPORTS["fail"], "table", terminal=True)


# ---- passes ----


def forwarded(columns: tuple[str, ...] = (), dtype: str = "float64", n: int = 9) -> PassReport:
    rng = np.random.default_rng(0)
    return run_forward(assemble({"x": 3 * rng.standard_normal((n, 5))}, dtype=dtype, columns=columns))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["csv", "tsv"])
@pytest.mark.parametrize("columns", [(), ("a", "b", "c", "d", "e")])
def test_csv_reads_back_bit_for_bit(tmp_path: Any, dtype: str, name: str, columns: tuple[str, ...]) -> None:
    rng = np.random.default_rng(1)
    bits = rng.standard_normal((50, 5)) * 10.0 ** rng.integers(-4, 5, (50, 5))
    bits[0] = 0, -0.0, np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal
    result = forwarded(columns, dtype)
    result = result._replace(arrays={"out": bits.astype(dtype)})
    path = tmp_path / f"out.{name}"
    path.write_text(show(result, name))
    back = read_batch(str(path))
    assert back.columns == columns
    assert back.arrays["x"].astype(dtype).tobytes() == bits.astype(dtype).tobytes()


def arrays_of(content: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numpy_formats_load_without_pickle(dtype: str) -> None:
    result = forwarded(dtype=dtype)
    loaded = arrays_of(show_bytes(result, "npz"))
    assert list(loaded) == list(result.arrays)
    for name, array in loaded.items():
        assert array.dtype == np.dtype(dtype)
        assert np.array_equal(array, result.arrays[name])
    main = np.load(io.BytesIO(show_bytes(result, "npy")), allow_pickle=False)
    assert np.array_equal(main, result.arrays["out"])
    assert show_bytes(result, "npz") == show_bytes(result, "npz")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_json_of_a_pass_holds_every_number_in_full(dtype: str) -> None:
    result = forwarded(dtype=dtype)
    parsed = parse(show(result, "json"))
    for name, array in result.arrays.items():
        assert np.array_equal(np.array(parsed[name], dtype=dtype), array)
    assert parsed["command"] == "forward"
    assert parsed["batch"]["dtype"] == dtype


def test_json_of_a_pass_turns_nan_into_null() -> None:
    result = forwarded()._replace(arrays={"out": np.array([[1.0, NAN], [math.inf, 2.0]])})
    assert parse(show(result, "json"))["out"] == [[1.0, None], [None, 2.0]]


@pytest.mark.parametrize("command", ["forward", "backward"])
@pytest.mark.parametrize("name", ["table", "markdown"])
def test_tables_of_a_pass_show_a_corner_and_say_so(command: str, name: str) -> None:
    rng = np.random.default_rng(0)
    batch = assemble({"x": rng.standard_normal((9, 20)) * 10.0 ** rng.integers(-9, 9, 20)})
    result = run_forward(batch) if command == "forward" else run_backward(batch)
    main = "out" if command == "forward" else "dx"
    text = show(result, name)
    assert f"the corner of {main} (9, 20)" in text
    assert "and 8 more" in text
    for width in (40, 80, 200):
        shown = show(result, "table", terminal=True, width=width)
        assert "thecornerof" in words(shown)
        # From 80 on it is a table, below a list.
        assert (words(f"{main}01234") in words(shown)) is (width >= 80)
    assert "corner" not in show(forwarded(n=6), name)


def test_arrays_of_any_layout_are_written_out(tmp_path: Any) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    result = run_forward(assemble({"x": x}, channel_axis=1))
    assert result.arrays["out"].shape == x.shape
    path = tmp_path / "out.csv"
    path.write_text(show(result, "csv"))
    assert np.array_equal(read_batch(str(path)).arrays["x"], result.arrays["out"].reshape(2, 60))
    assert arrays_of(show_bytes(result, "npz"))["out"].shape == x.shape
    assert "the corner of out (2, 3, 4, 5)" in show(result, "table")


# ---- checks that were made, and not built by hand ----

BATCH = generate(16, 5)
CHECKS = {
    "pass": check_gradients(BATCH),
    "fail": check_gradients(BATCH, WrongLayer("wrong", DX["variance path lost"])),
    "blind": check_gradients(generate(1, 5)),
    "NaN": check_gradients(BATCH, WrongLayer("wrong", DX["one entry NaN"])),
}


@pytest.mark.parametrize("case", CHECKS)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_checks_render_like_reports_built_by_hand(case: str, width: int) -> None:
    result = CHECKS[case]
    verdict = {"NaN": "fail"}.get(case, case)
    parsed = parse(show(result, "json"))
    assert parsed["verdict"] == verdict
    assert set(parsed["gradients"]) == {"dx", "dgamma", "dbeta"}
    if case == "NaN":
        assert parsed["gradients"]["dx"]["worst"]["analytic"] is None
        assert parsed["findings"][0]["code"] == "BN003"
    rows = list(csv.DictReader(io.StringIO(show(result, "csv"))))
    probed = [g for probe in result.probes for g in probe.gradients]
    assert [row["verdict"] for row in rows] == [g.verdict.value for g in (*result.gradients, *probed)]
    assert [row["batch"] for row in rows] == ["given"] * 3 + ["probe"] * len(probed)
    assert float(rows[1]["max_rel_error"]) == result.gradients[1].max_rel_error
    assert len(markdown_tables(show(result, "markdown"))) == 2
    suite = ElementTree.fromstring(show(result, "junit").encode())
    assert len(suite.findall("testcase/failure")) == (verdict == "fail")
    terminal = show(result, "table", terminal=True, width=width)
    place = f"dx[{', '.join(map(str, result.gradients[0].worst.index))}]"
    assert any(place in line for line in terminal.split("\n"))
    assert f"{verdict}: " in terminal


def test_a_failure_says_what_where_and_what_to_do() -> None:
    text = show(CHECKS["fail"], "table", width=20)
    assert "BN101" in text
    assert CHECKS["fail"].gradients[0].reason in text
    assert "Mend: dx also needs" in text


def test_a_batch_is_json_too() -> None:
    parsed = parse(show(show_batch(BATCH), "json"))
    assert parsed["batch"]["n"] == 16
    for name in ("x", "gamma", "beta", "dout"):
        assert np.array_equal(np.array(parsed[name]), getattr(BATCH, name))
