"""Pictures: they show what the numbers say, their texts stand apart, and nothing pays for them unasked."""

from __future__ import annotations

import importlib.util
import io
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck.batch import assemble, generate
from bncheck.checks.gradients import check_gradients
from bncheck.checks.suite import check_layer
from bncheck.checks.sweep import sweep
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.render import PICTURE_FORMATS, Look, Result, picture
from bncheck.report import Entries, Report
from bncheck.settings import CheckSettings, LayerSettings
from bncheck.vocabulary import Coverage, Method, Verdict
from tests.wrong import DX, PARAMETERS, WrongLayer

LAYERS = Path(__file__).parent / "layers"
drawing = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="Matplotlib, of the extra bncheck[plot], is not installed"
)


def checked(mistake: str | None = None, **options: Any) -> Report:
    if mistake is None:
        layer = None
    elif mistake in DX:
        layer = WrongLayer(mistake, DX[mistake])
    else:
        layer = WrongLayer(mistake, PARAMETERS[mistake][1])
    batch, every = options.pop("batch", None) or generate(16, 6), CheckSettings(coverage=Coverage.FULL)
    return check_gradients(batch, layer, **{"check": every, **options}, entries=True)


def named(report: Report, name: str) -> Entries:
    return next(e for e in report.entries if e.name == name)


# ---- the data ----


def test_entries_come_only_when_asked_for() -> None:
    assert check_gradients(generate(8, 3)).entries == ()
    assert check_layer(WrongLayer("layer", DX["sign"]), generate(8, 3)).entries == ()
    asked = check_layer(WrongLayer("layer", DX["sign"]), generate(8, 3), entries=True)
    assert [e.name for e in asked.entries] == ["dx", "dgamma", "dbeta"]
    assert named(asked, "dx").analytic.shape == (8, 3)


def test_where_directions_are_looked_along_there_are_no_entries(tmp_path: Path) -> None:
    check = CheckSettings(coverage=Coverage.PROJECTED, probes=False)
    assert checked("variance path lost", batch=generate(40, 4), check=check).entries == ()
    page = tmp_path / "report.html"
    assert run(["grad", "--coverage", "projected", "-o", str(page)]) is Exit.PASS
    assert "random directions" in page.read_text()
    assert run(["grad", "--plot", str(tmp_path / "p.png"), "-o", str(tmp_path / "r.json")]) is Exit.PASS
    assert json.loads((tmp_path / "r.json").read_text())["settings"]["coverage"] == "full"


def test_entries_are_no_part_of_the_json() -> None:
    keys = set(check_gradients(generate(8, 3)).to_dict())
    assert set(checked().to_dict()) == keys
    json.dumps(checked("one entry NaN").to_dict(), allow_nan=False)


@pytest.mark.parametrize("rtol", [None, 1e-6])
@pytest.mark.parametrize("mistake", [None, *DX, *PARAMETERS])
def test_an_entry_is_rejected_where_the_verdict_says_so(mistake: str | None, rtol: float | None) -> None:
    report = checked(mistake, check=CheckSettings(rtol=rtol))
    for result, entries in zip(report.gradients, report.entries, strict=True):
        assert entries.name == result.name
        assert (result.verdict is Verdict.FAIL) == bool((entries.excess > 1).any())
        index = result.worst.index
        assert entries.excess[index] == entries.excess.max()
        for value, said in ((entries.analytic, result.worst.analytic), (entries.numeric, result.worst.numeric)):
            assert value[index] == pytest.approx(said, nan_ok=True, rel=0)
        assert entries.error_bar.shape == entries.numeric.shape == entries.excess.shape
        assert entries.error_bar.max() == result.error_bar


def test_the_one_wrong_entry_is_the_one_that_stands_out() -> None:
    assert np.argwhere(named(checked("one entry off by 1%"), "dx").excess > 1).tolist() == [[8, 1]]
    assert np.argwhere(named(checked("one entry NaN"), "dx").excess > 1).tolist() == [[8, 1]]


# ---- the pictures ----


def figure_of(result: Result) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from bncheck.render.pictures import curves, gradients

    figure: Any = Figure(layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    if isinstance(result, Report):
        gradients.draw(result, figure)
    else:
        curves.draw(result, figure)  # type: ignore[arg-type]
    figure.canvas.draw()
    return figure


def axes_of(figure: Any, title: str) -> Any:
    return next(axes for axes in figure.axes if axes.get_title().startswith(title))


def crosses(axes: Any) -> list[list[float]]:
    return [point for each in axes.collections for point in each.get_offsets().tolist()]


RESULTS: dict[str, Any] = {
    "right": lambda: checked(batch=generate()),
    "float32": lambda: checked(batch=generate(dtype="float32")),
    "wrong": lambda: checked("variance path lost", batch=generate()),
    "one entry": lambda: checked("one entry off by 1%", batch=generate()),
    "NaN": lambda: checked("one entry NaN"),
    "dgamma": lambda: checked("dgamma a mean"),
    "tiny": lambda: checked(batch=generate(1, 1)),
    "rtol": lambda: checked("sign", check=CheckSettings(rtol=1e-6)),
    "large": lambda: checked("one entry off by 1%", batch=generate(500, 260)),
    "names": lambda: checked(batch=assemble({"x": np.outer(np.arange(5.0), np.ones(3)) * 1e100})),
    "sweep": lambda: sweep(generate(8, 4)),
    "sweep of dx": lambda: sweep(generate(8, 4, scale=1e-6), settings=LayerSettings(eps=0.0), quantities=["dx"]),
    "sweep of one": lambda: sweep(generate(8, 1), methods=[Method.CENTRAL], quantities=["dbeta"], dtypes=["float64"]),
}


@drawing
@pytest.mark.parametrize("name", RESULTS)
def test_texts_stand_apart_and_inside(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.text import Text

    figure, drawn, draw = figure_of(RESULTS[name]()), [], Text.draw

    def noted(text: Any, *rest: Any, **more: Any) -> None:
        drawn.append(text)
        draw(text, *rest, **more)

    # Ticks beyond the limits of their axis have texts as well, and nobody draws them.
    monkeypatch.setattr(Text, "draw", noted)
    figure.canvas.draw()
    tool = figure.canvas.get_renderer()
    texts = [t for t in dict.fromkeys(drawn) if t.get_visible() and t.get_text().strip()]
    boxes = [(t.get_text(), t.get_window_extent(tool)) for t in texts]
    assert len(boxes) > 10
    for text, box in boxes:
        assert figure.bbox.x0 - 1 <= box.x0 < box.x1 <= figure.bbox.x1 + 1, text
        assert figure.bbox.y0 - 1 <= box.y0 < box.y1 <= figure.bbox.y1 + 1, text
    for (text, box), (other, near) in combinations(boxes, 2):
        width = min(box.x1, near.x1) - max(box.x0, near.x0)
        height = min(box.y1, near.y1) - max(box.y0, near.y0)
        assert width < 2 or height < 2, f"{text!r} and {other!r} overlap"


@drawing
def test_a_right_layer_has_no_cross() -> None:
    figure = figure_of(checked(batch=generate()))
    axes = axes_of(figure, "dx: 0 of 640 entries rejected")
    assert crosses(axes) == []
    assert axes.images[0].get_array().max() < 0
    assert "pass" in figure.get_suptitle()


@drawing
def test_the_wrong_entry_is_crossed_where_it_is() -> None:
    figure = figure_of(checked("one entry off by 1%", batch=generate()))
    axes = axes_of(figure, "dx: 1 of 640 entries rejected")
    assert crosses(axes) == [[1.0, 32.0]]
    shade = axes.images[0].get_array()
    assert shade.shape == (64, 10)
    assert np.argwhere(shade > 0).tolist() == [[32, 1]]
    assert axes_of(figure, "dgamma: 0 of 10")


@drawing
def test_a_large_batch_is_folded_by_the_worst_of_each_block() -> None:
    figure = figure_of(RESULTS["large"]())
    axes = axes_of(figure, "dx: 1 of 130000 entries rejected")
    assert "the worst of each block" in axes.get_title()
    shade = axes.images[0].get_array()
    assert max(shade.shape) <= 240
    assert np.sum(shade > 0) == 1
    ((x, y),) = crosses(axes)
    assert (abs(x - 1) <= 1, abs(y - 250) <= 2) == (True, True)
    # The wrong one is among the few points of many that the scatter shows.
    scatter = axes_of(figure, "dx: the 1000 most telling of 130000")
    rejected = [line for line in scatter.lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in rejected) == 1


@drawing
def test_the_scatter_shows_both_values_and_the_bar() -> None:
    report = checked("dgamma a mean")
    axes = figure_of(report).axes
    scatter = next(a for a in axes if a.get_title() == "dgamma")
    entries = named(report, "dgamma")
    rejected = next(line for line in scatter.lines if line.get_marker() == "x")
    assert sorted(zip(rejected.get_xdata(), rejected.get_ydata(), strict=True)) == sorted(
        zip(entries.numeric, entries.analytic, strict=True)
    )
    segments = np.concatenate([np.array(c.get_segments()) for c in scatter.collections if len(c.get_segments())])
    assert np.sort((segments[:, 1, 0] - segments[:, 0, 0]) / 2) == pytest.approx(np.sort(entries.error_bar), rel=0.1)
    assert scatter.get_xlim() == scatter.get_ylim()


@drawing
def test_what_is_not_finite_is_counted_and_not_drawn() -> None:
    figure = figure_of(checked("one entry NaN"))
    assert axes_of(figure, "dx: 1 not finite")
    assert crosses(axes_of(figure, "dx: 1 of 96")) == [[1.0, 8.0]]


@drawing
def test_a_sweep_has_every_curve_with_a_marker_and_a_colour_of_its_own() -> None:
    report = sweep(generate(8, 4))
    figure = figure_of(report)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:5] == ["forward", "central", "five-point", "richardson", "complex"]
    assert {"rounding on paper, u/h", "truncation on paper"} < set(labels)
    axes = axes_of(figure, "dx, float64")
    lines = {line.get_label(): line for line in axes.lines if line.get_label() in labels[:5]}
    assert (
        len({line.get_color() for line in lines.values()}) == len({line.get_marker() for line in lines.values()}) == 5
    )
    panel = next(p for p in report.panels if (p.quantity, p.dtype) == ("dx", "float64"))
    for curve in panel.curves:
        drawn = np.array(lines[curve.method].get_ydata())
        assert np.array_equal(drawn[np.isfinite(drawn)], [e for e in curve.errors if 0 < e < np.inf])
    stars = [
        (float(s.get_xdata()[0]), float(s.get_ydata()[0]))
        for s in axes.lines
        if s.get_marker() == "*" and len(s.get_xdata())
    ]
    assert (panel.curves[1].own.step, panel.curves[1].own.error) in stars
    marked = [t.get_text() for t in axes.texts]
    assert {"n", "w", "h", "$h^2$", "$h^4$", "$h^6$"} <= set(marked)


@drawing
@pytest.mark.parametrize("form", PICTURE_FORMATS)
def test_pictures_are_files_of_their_kind_and_the_same_each_time(form: str) -> None:
    for result in (checked(), sweep(generate(8, 3), methods=[Method.CENTRAL], dtypes=["float64"])):
        first, second = (picture(form)(result, Look()) for _ in range(2))
        assert isinstance(first, bytes)
        assert first.lstrip().startswith({"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF"}[form])
        assert first == second


@drawing
def test_a_picture_is_no_blank_sheet() -> None:
    from matplotlib.image import imread

    pixels = imread(io.BytesIO(bytes(picture("png")(checked("sign"), Look()))))  # type: ignore[arg-type]
    assert pixels.shape[0] > 700
    assert len(np.unique(pixels[::3, ::3, :3].reshape(-1, 3), axis=0)) > 20


# ---- the commands ----


@drawing
@pytest.mark.parametrize("ending", [".png", ".svg", ".PDF"])
def test_grad_check_and_sweep_draw(tmp_path: Path, ending: str) -> None:
    layer = str(LAYERS / "course_01.py") + ":batchnorm_forward"
    small = ("--n", "8", "--d", "3", "-q")
    for command, code in ((("grad",), 0), (("check", layer), None), (("sweep",), 0)):
        path = tmp_path / f"{command[0]}{ending}"
        found = run([*command, *small, "--plot", str(path)])
        assert code is None or found == code
        assert path.stat().st_size > 5000
    assert len(list(tmp_path.iterdir())) == 3


@drawing
def test_a_layer_that_gives_no_gradients_is_not_drawn(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "layer.py").write_text(
        "def batchnorm_forward(x, gamma, beta, bn_param):\n    raise ValueError('not today')\n"
        "def batchnorm_backward(dout, cache):\n    return dout, dout.sum(0), dout.sum(0)\n"
    )
    code = run(["check", str(tmp_path / "layer.py"), "-q", "--plot", str(tmp_path / "p.png")])
    assert code == 4
    assert "p.png was not written" in capfd.readouterr().err
    assert not (tmp_path / "p.png").exists()


@drawing
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("grad", "--plot", "picture.gif"), ".png, .svg, .pdf"),
        (("grad", "--plot", "png"), ".png, .svg, .pdf"),
        (("grad", "--plot", "p.png", "--coverage", "projected"), "leave one out"),
        (("sweep", "--n", "4", "--d", "1", "--plot", "nowhere/p.png"), "nowhere/p.png: cannot be written"),
        (("check", str(LAYERS / "course_01.py"), "--plot", "p.png"), "name one of them"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(list(arguments)) == 2
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_one_line_says_how_to_get_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "matplotlib" else there(name))
    for command in ("grad", "sweep"):
        assert run([command, "--plot", str(tmp_path / "p.png")]) == 2
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "pip install 'bncheck[plot]'" in err
    assert list(tmp_path.iterdir()) == []
