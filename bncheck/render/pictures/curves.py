"""The V-curves of a sweep: a panel for each gradient and dtype."""

from __future__ import annotations

import math
from typing import Any

from bncheck.curves import Absolute, Curve, Panel, SweepReport
from bncheck.render.document import heading
from bncheck.render.unseen import shown

# Okabe & Ito's palette, which the colour-blind can tell apart, and a marker of its own for each.
_LOOKS = {
    "forward": ("#E69F00", "o"),
    "central": ("#0072B2", "s"),
    "five-point": ("#009E73", "^"),
    "richardson": ("#CC79A7", "D"),
    "complex": ("#000000", "x"),
}
_GREY, _HABIT = "#777777", "#A04000"
_LINES = 15  # of text that fit into the height of a panel
_TOP, _CLEAR, _LAWFUL = 10.0, 10.0, 0.05


def draw(result: SweepReport, figure: Any) -> None:
    dtypes = list(dict.fromkeys(p.dtype for p in result.panels))
    names = list(dict.fromkeys(p.quantity for p in result.panels))
    figure.set_size_inches(max(4.4 * len(names), 7.2), 3.7 * len(dtypes) + 1.4)
    grid = figure.subplots(len(dtypes), len(names), squeeze=False)
    for panel in result.panels:
        _panel(result, panel, grid[dtypes.index(panel.dtype)][names.index(panel.quantity)])
    for row in grid:
        row[0].set_ylabel("relative error")
    for axes in grid[-1]:
        axes.set_xlabel("relative step h")
    figure.suptitle(shown(heading(result)), fontsize=10, parse_math=False)
    entries: dict[str, Any] = {}
    for axes in grid.flat:
        entries |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=min(len(names) + 1, 3))


def _panel(result: SweepReport, panel: Panel, axes: Any) -> None:
    axes.set(xscale="log", yscale="log", title=f"{panel.quantity}, {panel.dtype}")
    axes.grid(color="#EEEEEE", linewidth=0.6)
    for curve in panel.curves:
        _curve(result, curve, axes)
    axes.plot(
        [],
        [],
        color="white",
        marker="*",
        markersize=9,
        markeredgecolor="black",
        label="chosen by bncheck, with its error bar",
    )
    found = [e for c in panel.curves for e in c.errors if 0 < e < math.inf]
    axes.set_ylim(10.0 ** math.floor(math.log10(min(found, default=1e-16))), _TOP)
    right = 2.5
    if panel.quantity == "dx":
        for each in (a for a in result.absolute if a.dtype == panel.dtype):
            _habit(each, axes)
            right = max(right, 2.5 * each.relative)
    axes.set_xlim(result.steps[0] / 2, right)
    _guides(result, panel, axes)


def _curve(result: SweepReport, curve: Curve, axes: Any) -> None:
    colour, marker = _LOOKS[curve.method]
    # A gap where there is no number.
    errors = [e if 0 < e < math.inf else math.nan for e in curve.errors]
    axes.plot(result.steps, errors, color=colour, marker=marker, markersize=2.6, linewidth=0.9, label=curve.method)
    own = curve.own
    if own.step < result.steps[0]:
        return
    axes.plot([own.step] * 2, [own.error, own.error_bar], color=colour, linewidth=1.6, zorder=4)
    axes.plot(own.step, own.error_bar, color=colour, marker="_", markersize=9, markeredgewidth=1.6, zorder=4)
    axes.plot(
        own.step,
        own.error,
        color=colour,
        marker="*",
        markersize=9,
        markeredgecolor="black",
        markeredgewidth=0.6,
        linestyle="none",
        zorder=5,
    )


def _guides(result: SweepReport, panel: Panel, axes: Any) -> None:
    """The laws that the arms follow on paper, through a point of each."""
    floor = axes.get_ylim()[0]
    left, right = result.steps[0], result.steps[-1]
    axes.plot(
        [left, right], [panel.rounding / left, panel.rounding / right], color=_GREY, linestyle="--", linewidth=0.9,
        label="rounding on paper, u/h", zorder=1,
    )  # fmt: skip
    orders = sorted({c.order: c for c in panel.curves if _anchor(result, c)}.values(), key=lambda c: c.order)
    gap = (_TOP / floor) ** (1 / _LINES)
    below = math.inf
    for curve in orders:
        h, error = _anchor(result, curve) or (1.0, 1.0)
        factor = error / h**curve.order
        start = max((floor / factor) ** (1 / curve.order), left)
        ends = [factor * start**curve.order, factor]
        axes.plot(
            [start, right], ends, color=_GREY, linestyle=":", linewidth=0.9, label="truncation on paper", zorder=1
        )
        text = "h" if curve.order == 1 else f"$h^{curve.order}$"
        # Beside the end of its line, or below the label before it.
        below = min(factor, below / gap)
        axes.annotate(text, (right, below), (5, 0), textcoords="offset points", va="center", fontsize=8, color=_GREY)


def _anchor(result: SweepReport, curve: Curve) -> tuple[float, float] | None:
    """A point in the middle of the right arm."""
    arm = [
        (h, e)
        for h, e in zip(result.steps, curve.errors, strict=True)
        if h > curve.best.step and _CLEAR * curve.best.error < e < _LAWFUL
    ]
    return arm[len(arm) // 2] if curve.truncation_slope is not None and arm else None


def _habit(each: Absolute, axes: Any) -> None:
    """A letter at the top, as in the chart of characters."""
    label = f"n, w: h = {each.step:g} in narrowest, widest column"
    axes.axvline(each.relative, color=_HABIT, linestyle="-.", linewidth=0.9, zorder=1, label=label)
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    axes.annotate(each.place[0], (each.relative, 0.985), (3, 0), va="top", fontsize=9, color=_HABIT, **place)
