"""The graph of the layer: its gradients, the check at every node, a layer held against it, and every format."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bncheck import batchnorm, graph
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble, generate, warm_up
from bncheck.batchnorm import batch_statistics
from bncheck.checks.trace import trace
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput
from bncheck.graph import TEST, TRAIN, Edge, Graph, Node
from bncheck.layers.resolve import resolve
from bncheck.render import TRACE_FORMATS, Look, format_of, renderer
from bncheck.report import Worst
from bncheck.settings import LayerSettings
from bncheck.tracing import Checked, LayerTrace, TraceReport
from bncheck.vocabulary import Mode, Verdict
from tests.golden import golden
from tests.wrong import DX, PARAMETERS, WrongLayer

LAYERS = Path(__file__).parent / "layers"
EPS = 1e-5
IN_TEST = LayerSettings(mode=Mode.TEST)
EDGES = [(node, edge) for node in TRAIN.nodes for edge in node.edges]
edge_of = pytest.mark.parametrize(("node", "edge"), EDGES, ids=[f"{node.name} to {edge.to}" for node, edge in EDGES])


def walked(batch: Batch, running: batchnorm.Statistics | None = None) -> tuple[dict[str, Any], graph.Flow]:
    own = TRAIN if running is None else TEST
    values = own.forward(graph.given(batch.x, batch.gamma, batch.beta, EPS, running))
    return values, own.backward(values, batch.dout)


def close(value: Array, truth: Array, scale: Array | float = 0.0) -> bool:
    size = np.maximum(np.abs(truth).max(), np.max(scale))
    return value.shape == truth.shape and bool(np.abs(value - truth).max() <= 1e-12 * size)


# ---- the graph itself ----


@pytest.mark.parametrize(
    ("n", "d", "seed", "offset"), [(64, 10, 0, 0.0), (5, 3, 1, 0.0), (2, 4, 2, 1.0), (300, 7, 3, 5.0)]
)
def test_the_graph_is_the_layer(n: int, d: int, seed: int, offset: float) -> None:
    batch = generate(n, d, seed, offset=offset)
    for running in (None, batch_statistics(generate(n, d, seed + 1).x)):
        values, flow = walked(batch, running)
        assert close(values["out"], batchnorm.forward(batch.x, batch.gamma, batch.beta, EPS, running))
        right = batchnorm.backward(batch.dout, batch.x, batch.gamma, EPS, running)
        terms = np.abs(batch.dout * batch.gamma * values["inv"])
        assert close(flow.gradients["x"], right.dx, terms)
        assert close(flow.gradients["gamma"], right.dgamma)
        assert close(flow.gradients["beta"], right.dbeta)


def test_every_gradient_inside_is_what_paper_gives() -> None:
    """The paper's own intermediate gradients (section 3), written out as it has them."""
    batch = generate(40, 6, 5)
    _, flow = walked(batch)
    centred, inv = batchnorm.centre(batch.x, EPS)
    g, n = batch.dout * batch.gamma, batch.n
    dvar = -0.5 * (g * centred).sum(0) * inv**3
    right = {
        "out": batch.dout,
        "scaled": batch.dout,
        "xhat": g,
        "inv": (g * centred).sum(0),
        "std": -(g * centred).sum(0) * inv**2,
        "var_eps": dvar,
        "var": dvar,
        "square": np.ones_like(g) * dvar / n,
        "centred": g * inv + 2 * centred * dvar / n,
        "mean": -(g * inv).sum(0),
    }
    assert {*right, *graph.INPUTS} == set(flow.gradients)
    for name, truth in right.items():
        assert close(flow.gradients[name], truth, (np.abs(g) * inv).sum(0).max() if name == "mean" else 0.0), name
    assert set(flow.gradients) == set(TRAIN.reached())


def test_the_three_paths_are_those_of_the_closed_form() -> None:
    batch = generate(20, 4, 6)
    values, flow = walked(batch)
    g, xhat, inv = batch.dout * batch.gamma, values["xhat"], values["inv"]
    right = {
        "direct": inv * g,
        "mean": -inv * g.mean(0) * np.ones_like(g),
        "variance": -inv * xhat * (g * xhat).mean(0),
    }
    parts = {(each.node.name, each.edge.to): each.gradient for each in flow.handed}
    found = {name: parts[edge] for name, edge in graph.PATHS.items()}
    for name, truth in right.items():
        assert close(found[name], truth, np.abs(inv * g)), name
    assert close(sum(found.values(), np.zeros_like(g)), flow.gradients["x"], np.abs(inv * g))


@pytest.mark.parametrize(("own", "kept"), [(TRAIN, "gamma centred std inv xhat"), (TEST, "gamma inv xhat")])
def test_the_cache_is_enough_and_no_more_than_that(own: Graph, kept: str) -> None:
    batch = generate(6, 3, 1)
    running = batch_statistics(batch.x) if own is TEST else None
    values = own.forward(graph.given(batch.x, batch.gamma, batch.beta, EPS, running))
    assert own.kept() == tuple(kept.split())
    cache = {name: values[name] for name in (*own.kept(), "N")}
    whole, enough = own.backward(values, batch.dout), own.backward(cache, batch.dout)
    for name, gradient in whole.gradients.items():
        assert np.array_equal(gradient, enough.gradients[name])
    for name in own.kept():
        with pytest.raises(KeyError, match=name):
            own.backward({key: value for key, value in cache.items() if key != name}, batch.dout)


def test_broadcasts_are_summed_and_sums_are_broadcast() -> None:
    """The rule beside an edge is what its shapes say."""
    values, flow = walked(generate(5, 3, 0))
    for node, edge, part in flow.handed:
        rows_in, rows_out = np.ndim(flow.gradients[node.symbol]), part.ndim
        assert edge.rule == {(2, 1): graph.SUM, (1, 2): graph.ONES}.get((rows_in, rows_out), ""), edge
        assert part.shape == values[edge.to].shape


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_the_graph_keeps_its_dtype(dtype: str) -> None:
    batch = generate(5, 3, 0)
    x, gamma, beta, dout = (a.astype(dtype) for a in (batch.x, batch.gamma, batch.beta, batch.dout))
    values = TRAIN.forward(graph.given(x, gamma, beta, EPS))
    arrays = [*values.values(), *TRAIN.backward(values, dout).gradients.values()]
    assert {a.dtype for a in arrays if isinstance(a, np.ndarray)} == {np.dtype(dtype)}


# ---- the check at every node ----


def with_edge(node: Node, edge: Edge, wrong: Any) -> Graph:
    """The graph with one local derivative replaced."""
    edges = tuple(each._replace(handed=wrong) if each is edge else each for each in node.edges)
    return Graph(tuple(each._replace(edges=edges) if each is node else each for each in TRAIN.nodes))


def failed(report: TraceReport) -> set[str]:
    return {step.symbol for step in report.steps if step.gradient and step.gradient.verdict is Verdict.FAIL}


@edge_of
@pytest.mark.parametrize("factor", [0.0, -1.0, 2.0, 1.001])
def test_a_wrong_derivative_is_seen_at_its_node(node: Node, edge: Edge, factor: float) -> None:
    report = trace(generate(12, 3, 0), graph=with_edge(node, edge, lambda *a: factor * edge.handed(*a)))
    assert report.verdict is Verdict.FAIL
    assert report.culprit == node.name
    # What was handed back before it, and to others, is right.
    assert edge.to in failed(report)
    after = [each.symbol for each in TRAIN.nodes[TRAIN.nodes.index(node) :]]
    assert not failed(report) & set(after)


def test_a_mean_for_a_sum_is_seen_where_it_is() -> None:
    node = next(node for node in TRAIN.nodes if node.name == "gamma")
    edge = next(edge for edge in node.edges if edge.to == "gamma")
    report = trace(generate(12, 3, 0, dtype="float32"), graph=with_edge(node, edge, lambda g, xhat: (g * xhat).mean(0)))
    assert (report.culprit, failed(report)) == ("gamma", {"gamma"})
    gradient = next(step.gradient for step in report.steps if step.symbol == "gamma")
    assert gradient is not None
    assert "3 of 3 entries are wrong, worst dgamma[" in gradient.reason


@edge_of
def test_in_single_precision_too(node: Node, edge: Edge) -> None:
    batch = generate(12, 3, 0, dtype="float32")
    report = trace(batch, graph=with_edge(node, edge, lambda *a: np.float32(1.01) * edge.handed(*a)))
    assert report.culprit == node.name


GRID = [*itertools.product(("float16", "float32", "float64"), (1, 2, 13), (1e-6, 1.0), (0.0, 1e3), (1e-5, 0.0), Mode)]


@pytest.mark.parametrize(("dtype", "n", "scale", "offset", "eps", "mode"), GRID)
def test_the_right_graph_is_never_accused(
    dtype: str, n: int, scale: float, offset: float, eps: float, mode: Mode
) -> None:
    batch = generate(n, 3, 4, scale, offset, dtype)
    if mode is Mode.TEST:
        batch = warm_up(batch, 3, 0.9, None)
    for dout in (batch.dout, np.ones_like(batch.dout)):
        try:
            report = trace(batch._replace(dout=dout), settings=LayerSettings(mode=mode, eps=eps))
        except BadInput:
            continue  # nothing to divide by
        assert report.verdict is Verdict.PASS
        assert report.culprit == ""


def test_a_column_that_its_dtype_cannot_centre_is_no_mistake() -> None:
    """The float32 mean of equal numbers is off from them, and everything below it is rounding."""
    batch = generate(65, 4, 0, 1e-6, 1e3, "float32")
    alike = batch._replace(x=np.repeat(batch.x[:1], 65, axis=0))
    for eps in (1e-5, 1e-12):
        assert trace(alike, settings=LayerSettings(eps=eps)).verdict is Verdict.PASS


def test_without_a_gradient_nothing_is_proved() -> None:
    batch = generate(6, 3, 0)
    report = trace(batch._replace(dout=np.zeros_like(batch.dout)))
    assert report.verdict is Verdict.BLIND
    assert {step.gradient.verdict for step in report.steps if step.gradient} == {Verdict.BLIND}


def test_in_test_mode_the_statistics_are_constants() -> None:
    report = trace(warm_up(generate(6, 3, 0), 3, 0.9, None), settings=IN_TEST)
    steps = {step.symbol: step for step in report.steps}
    assert {symbol for symbol, step in steps.items() if step.gradient is None} == {
        "mean",
        "var",
        "var_eps",
        "std",
        "inv",
    }
    assert "square" not in steps
    assert [path.name for path in report.paths] == ["direct"]
    assert [step.formula for step in report.steps if step.name.startswith("running")] == ["constant"] * 2
    with pytest.raises(BadInput, match="needs running statistics"):
        trace(generate(6, 3, 0), settings=IN_TEST)


def test_what_the_dtype_cannot_hold_is_bad_input() -> None:
    """The gradient of the variance goes with inv², which dx itself does not."""
    x = np.array([[1e-18], [-1e-18], [2e-18]], np.float32)
    batch = assemble({"x": x, "dout": np.array([[1e5], [2e5], [5e5]], np.float32)}, dtype="float32")
    with pytest.raises(BadInput, match=r"d\w+ is beyond float32 on this batch: .* use a wider --dtype"):
        trace(batch, settings=LayerSettings(eps=0.0))
    assert (
        trace(assemble({"x": x, "dout": batch.dout}, dtype="float64"), settings=LayerSettings(eps=0.0)).verdict
        == "pass"
    )


# ---- a layer of the user's ----


def beside(layer: Any, batch: Batch | None = None, settings: LayerSettings | None = None) -> LayerTrace:
    if isinstance(layer, str):
        layer = resolve(str(LAYERS / layer)).layers[0]
    report = trace(batch or generate(12, 6, 3), layer, settings)
    assert report.layer is not None
    assert (report.verdict is Verdict.FAIL) is bool(report.layer.wrong)
    return report.layer


@pytest.mark.parametrize(
    ("layer", "kept"),
    [
        ("course_01.py", {"centred": "cache[0] (xc)", "xhat": "cache[1] (xhat)", "std": "cache[2] (std)"}),
        ("course_05.py", {"x": "cache['x']", "mean": "cache['m']", "var": "cache['v']", "xhat": "cache['z']"}),
        ("fn_01.py", {"inv": "cache[3] (ivar)", "std": "cache[4] (sqrtvar)", "var": "cache[5] (var)"}),
        ("cls_plain_01.py", {"std": "self._root", "xhat": "self._xhat", "gamma": "self.scale"}),
        ("cls_cols_01.py", {}),
        ("cls_conv_01.py", {}),
    ],
)
def test_what_a_right_layer_keeps_is_recognised(layer: str, kept: dict[str, str]) -> None:
    """By value, whatever its shape: (1, D), features first, images."""
    found = beside(layer)
    assert found.wrong == ()
    assert found.readable
    assert found.said == ("out, dx, dgamma and dbeta agree with the graph",)
    held = {match.symbol: match.held for match in found.matches if match.agrees}
    assert {symbol: held.get(symbol) for symbol in kept} == kept
    assert "xhat" in held or "std" in held


@pytest.mark.parametrize(
    ("layer", "first", "said"),
    [
        ("course_18.py", "variance", "var_eps is the first value to differ, kept as cache[3] (ve)"),
        ("cls_cols_02.py", "variance", "kept as self.var: it is 1.09091 times what it should be, in every entry"),
        ("course_19.py", "add eps", "std is the first value to differ, kept as cache[2] (std)"),
        ("cls_std_01.py", "add eps", "gamma * (x - mean) / (sqrt(var) + eps)"),
        ("cmu_03.py", "root", "gamma * (x - mean) / (var + eps)"),
        ("fn_15.py", "beta", "computes out = gamma * (x - mean) / sqrt(var + eps), with"),
        ("fn_11.py", "mean", "of each row of x"),
    ],
)
def test_the_first_value_that_differs_is_named(layer: str, first: str, said: str) -> None:
    found = beside(layer)
    assert (found.wrong, found.first) == (("out",), first)
    assert said in found.said[0]


@pytest.mark.parametrize(
    ("layer", "wrong", "first"),
    [
        ("course_03.py", ("dx",), "square"),
        ("course_04.py", ("dx",), "mean"),
        ("course_07.py", ("dx",), "gamma"),
        ("course_08.py", ("dx",), "add eps"),
        ("course_09.py", ("dbeta", "dgamma"), "beta"),
        ("course_22.py", ("dgamma",), "gamma"),
        ("course_23.py", ("dx",), ""),
        ("cls_swap_01.py", ("dx",), "scale"),
        ("fn_20.py", ("dx",), ""),
    ],
)
def test_going_back_the_first_difference_is_named(layer: str, wrong: tuple[str, ...], first: str) -> None:
    found = beside(layer)
    assert (found.wrong, found.first) == (wrong, first)


@pytest.mark.parametrize("mistake", DX)
def test_every_wrong_dx_is_seen_without_a_cache(mistake: str) -> None:
    found = beside(WrongLayer("wrong", DX[mistake]))
    assert not found.readable
    assert found.wrong == ("dx",)
    paths = {"variance path lost": "square", "mean path lost": "mean", "gamma left out": "gamma", "sign": "scale"}
    assert found.first == paths.get(mistake, found.first)


@pytest.mark.parametrize("mistake", PARAMETERS)
def test_every_wrong_parameter_gradient_is_seen(mistake: str) -> None:
    name, make = PARAMETERS[mistake]
    assert name in beside(WrongLayer("wrong", make)).wrong


def test_no_right_layer_is_accused() -> None:
    """A third of those that people wrote."""
    entries = json.loads((LAYERS / "manifest.json").read_text())
    entries = [e for e in entries if e["verdict"] == "pass" and not e["needs"]]
    traced = 0
    for entry in entries[::3]:
        target = str(LAYERS / entry["file"]) + (f":{entry['layer']}" if entry["layer"] else "")
        for batch in (generate(12, 6, 3), generate(12, 6, 4, dtype="float32")):
            layer = resolve(target).layers[0]
            assert beside(layer, batch).wrong == (), entry["file"]
            traced += 1
    assert traced > 40


def test_a_layer_in_test_mode() -> None:
    batch = warm_up(generate(12, 6, 3), 5, 0.9, None)
    found = beside("course_01.py", batch, IN_TEST)
    assert found.wrong == ()
    assert "the backward pass was not made" in found.said[0]


# ---- every format ----


def report_for_show(layer: str = "", **options: Any) -> TraceReport:
    """A report whose numbers are the same on every machine: what is noise is replaced."""
    own = resolve(str(LAYERS / layer)).layers[0] if layer else None
    found = trace(generate(4, 2, 0), own, **options)
    steps = tuple(step._replace(gradient=step.gradient and quiet(step.gradient)) for step in found.steps)
    paths = tuple(path._replace(gradient=quiet(path.gradient)) for path in found.paths)
    return replace(found, steps=steps, paths=paths, forward_passes=100.0, seconds=0.0)


def quiet(checked: Checked) -> Checked:
    worst = Worst(checked.worst.index[:0], 0.0, 0.0, 0.0, 0.0)
    return checked._replace(max_rel_error=1e-11, max_abs_error=1e-12, error_bar=1e-10, worst=worst)


def rounded(text: str) -> str:
    """JSON has all the digits, and the last ones are the machine's."""
    return re.sub(r"-?\d+\.\d+(e[-+]\d+)?", lambda m: f"{float(m[0]):.6g}", text)


def show(report: TraceReport, name: str, look: Look | None = None) -> str:
    look = look or Look()
    text = renderer(name, look)(report, look)
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("name", TRACE_FORMATS)
def test_every_format_stays_as_it_is(name: str) -> None:
    suffix = {"table": "txt", "markdown": "md", "mermaid": "mmd"}.get(name, name)
    stays = rounded if name == "json" else str
    golden(f"trace_reference.{suffix}", stays(show(report_for_show(values=name == "table"), name)))
    golden(f"trace_wrong_layer.{suffix}", stays(show(report_for_show("course_18.py"), name)))


def test_on_a_terminal_of_80_and_of_200() -> None:
    for width in (80, 200):
        text = re.sub(r"\x1b\[[\d;]*m", "", show(report_for_show("course_18.py"), "table", Look(True, width)))
        assert max(map(len, text.splitlines())) <= width
        golden(f"trace_terminal_{width}.txt", "\n".join(map(str.rstrip, text.splitlines())) + "\n")


def test_the_json_holds_what_the_report_does() -> None:
    report = report_for_show("course_18.py", values=True)
    parsed = json.loads(show(report, "json"))
    assert (parsed["schema"], parsed["verdict"], parsed["mode"]) == (1, "fail", "train")
    assert [node["symbol"] for node in parsed["nodes"]] == [step.symbol for step in report.steps]
    assert parsed["nodes"][0]["gradient"]["verdict"] == "pass"
    assert parsed["layer"]["first"] == "variance"
    assert np.array_equal(parsed["values"]["dx"], report.values["dx"])
    assert "layer" not in json.loads(show(report_for_show(), "json"))


@pytest.mark.parametrize("settings", [LayerSettings(), IN_TEST], ids=["train", "test"])
@pytest.mark.parametrize("name", ["mermaid", "dot"])
def test_drawings_hold_every_node_and_every_arrow(name: str, settings: LayerSettings) -> None:
    report = trace(warm_up(generate(4, 2, 0), 3, 0.9, None), settings=settings)
    text = show(report, name)
    symbols = {step.symbol for step in report.steps}
    forward, dashed = {"mermaid": (" --> ", " -. "), "dot": (" -> ", "style=dashed")}[name]
    reads = sum(read in symbols for step in report.steps for read in step.reads)
    back = text.count(dashed)
    assert back == len(report.backward)
    assert text.count(forward) == reads + (back if name == "dot" else 0)
    assert all(re.search(rf"^    {symbol}( \[|\[|\(\[)", text, re.MULTILINE) for symbol in symbols)
    assert text.count('"') % 2 == 0


SVG = "{http://www.w3.org/2000/svg}"
CHARACTER, LINE = 7.3, 12.0  # of a monospaced font of 12 px, generously


def box_of(text: ElementTree.Element) -> tuple[float, float, float, float]:
    x, y = float(text.attrib["x"]), float(text.attrib["y"])
    width = len(text.text or "") * CHARACTER * (14 / 12 if text.attrib["class"] == "title" else 1)
    left = x - {"start": 0, "middle": width / 2, "end": width}[text.attrib["text-anchor"]]
    return left, y - LINE + 2, left + width, y + 2


def apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize("n", [4, 4000])
@pytest.mark.parametrize("layer", ["", "course_03.py", "course_18.py"])
def test_nothing_in_the_picture_overlaps(layer: str, n: int) -> None:
    own = resolve(str(LAYERS / layer)).layers[0] if layer else None
    report = trace(generate(min(n, 20), 2, 0), own)
    report = replace(report, steps=tuple(s._replace(shape=(n, 1024)[-len(s.shape) :]) for s in report.steps))
    root = ElementTree.fromstring(show(report, "svg"))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    texts = [box_of(text) for text in root.iter(f"{SVG}text")]
    assert all(left >= 0 and right <= width and top >= 0 and bottom <= height for left, top, right, bottom in texts)
    assert all(apart(a, b) for a, b in itertools.combinations(texts, 2))
    frames = [
        tuple(float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
        if "x" in rect.attrib
    ]
    assert len(frames) == len(report.steps)
    for left, top, across, down in frames:
        frame = (left, top, left + across, top + down)
        for text in texts:
            inside = text[0] >= frame[0] and text[1] >= frame[1] and text[2] <= frame[2] and text[3] <= frame[3]
            assert inside or apart(text, frame)


@pytest.mark.parametrize("settings", [LayerSettings(), IN_TEST], ids=["train", "test"])
def test_no_arrow_runs_through_a_text(settings: LayerSettings) -> None:
    report = trace(warm_up(generate(4, 2, 0), 3, 0.9, None), settings=settings)
    root = ElementTree.fromstring(show(report, "svg"))
    texts = [box_of(text) for text in root.iter(f"{SVG}text")]
    arrows = [path.attrib["d"] for path in root.iter(f"{SVG}path") if "marker-end" in path.attrib]
    assert len(arrows) > len(report.backward)
    for arrow in arrows:
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", arrow)]
        x0, y0, x1, y1 = numbers if len(numbers) == 4 else (*numbers[:2], numbers[0], numbers[2])
        for t in np.linspace(0, 1, 50):
            point = (x0 + t * (x1 - x0), y0 + t * (y1 - y0))
            assert all(apart((*point, *point), text) for text in texts), arrow


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    text = show(report_for_show("course_18.py"), "svg")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "prefers-color-scheme: dark" in text
    assert "variance (differs first)" in text
    hostile = show(replace(report_for_show(), implementation="<b>&.py"), "svg")
    assert ElementTree.fromstring(hostile).findtext(f"{SVG}text") == "<b>&.py"


# ---- the command ----


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["trace"], Exit.PASS),
        (["trace", "--mode", "test"], Exit.PASS),
        (["trace", "--n", "1"], Exit.PASS),
        (["trace", "--impl", str(LAYERS / "course_01.py:batchnorm_forward")], Exit.PASS),
        (["trace", "--impl", str(LAYERS / "course_18.py")], Exit.FAIL),
        (["trace", "--impl", str(LAYERS / "course_03.py:batchnorm_forward"), "--format", "svg"], Exit.FAIL),
        (["trace", "--mode", "nowhere"], Exit.USAGE),
        (["trace", "-o", "x.csv"], Exit.USAGE),
        (["trace", "--help"], Exit.PASS),
    ],
)
def test_exit_codes(arguments: list[str], code: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) is code
    shown = capsys.readouterr()
    assert bool(shown.out) is (code is not Exit.USAGE)


def test_every_number_of_a_small_batch_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trace", "--n", "3", "--d", "2", "--values"]) is Exit.PASS
    text = capsys.readouterr().out
    report = trace(generate(3, 2, 0), values=True)
    for array in report.values.values():
        assert all(f"{value:.5g}" in text for value in np.ravel(array))
    assert "dcentred = dxhat * inv + 2 centred * dsquare" in text
    assert run(["trace", "--values"]) is Exit.PASS
    assert "(64, 10) is too large to follow by hand: --n 4 --d 2 is not" in capsys.readouterr().out


def test_the_name_of_the_file_says_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.svg", "a.dot", "a.gv", "a.mmd", "a.md", "a.json", "a.txt"):
        assert run(["trace", "--n", "4", "--d", "2", "-o", str(tmp_path / name)]) is Exit.PASS
        assert format_of(name) in TRACE_FORMATS
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert (tmp_path / "a.gv").read_text().startswith("digraph")
    assert (tmp_path / "a.mmd").read_text().startswith("flowchart")
    assert capsys.readouterr().out == ""
