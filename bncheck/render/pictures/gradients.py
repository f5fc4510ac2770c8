"""A gradient check entry by entry: where it is how far from being rejected, and analytic against numeric values."""

from __future__ import annotations

from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.render.document import heading, number
from bncheck.render.unseen import shown
from bncheck.report import Entries, Report

# Blue for what is accepted and vermilion for what is not, apart for the colour-blind as well; and never colour alone.
_ACCEPTED, _REJECTED, _GREY = "#0072B2", "#D55E00", "#777777"
_TICKS = 4  # on either side of 1; below it they are decades, and above it as many decades as it takes
_MOST = 16  # decades above 1
_LARGEST = 1e100
_CELLS, _POINTS, _CROSSES = 240, 1000, 400


def draw(report: Report, figure: Any) -> None:
    entries = report.entries
    figure.set_size_inches(4.3 * len(entries), 7.8)
    above, below = figure.subplots(2, len(entries), squeeze=False)
    rtol = report.settings.get("rtol")
    measure = "|a - n| / allowed" if rtol is None else f"relative error / {rtol:g}"
    for each, upper, lower in zip(entries, above, below, strict=True):
        wrong, size = int(np.sum(each.excess > 1)), each.excess.size
        folded = max(each.excess.shape) > _CELLS
        blocks = "\nthe worst of each block" if folded else ""
        upper.set_title(f"{each.name}: {wrong} of {size} entries rejected\n{measure}{blocks}")
        if each.excess.ndim == 2:
            _map(each.excess, upper, figure)
        else:
            _strip(each.excess, upper)
        _scatter(each, lower)
    figure.suptitle(f"{shown(heading(report))}: {report.verdict.value}", fontsize=10, parse_math=False)


def _map(excess: Array, axes: Any, figure: Any) -> None:
    """In decades over (N, D); of a large batch each cell is the worst of its block."""
    n, d = excess.shape
    rows, columns = _starts(n), _starts(d)
    worst = np.maximum.reduceat(np.maximum.reduceat(excess, rows, axis=0), columns, axis=1)
    each = _decades_per_tick(excess)
    height = np.log10(_clipped(worst, each))
    image = axes.imshow(
        np.where(height > 0, height / each, height),
        cmap="RdBu_r",
        vmin=-_TICKS,
        vmax=_TICKS,
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, d - 0.5, n - 0.5, -0.5),
    )
    axes.set(xlabel="column", ylabel="row of x")
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_ticks(range(-_TICKS, _TICKS + 1), labels=_labels(each))
    bar.ax.axhline(0, color="black", linewidth=2)
    wrong = np.argwhere(worst > 1)
    if 0 < len(wrong) <= _CROSSES:
        y, x = (_middles(starts, size)[at] for starts, size, at in ((rows, n, wrong[:, 0]), (columns, d, wrong[:, 1])))
        axes.scatter(x, y, marker="x", s=22, color="black", linewidths=0.9)


def _labels(each: int) -> list[str]:
    """1 is where the verdict turns."""
    powers = [k if k < 0 else k * each for k in range(-_TICKS, _TICKS + 1)]
    names = {powers[0]: f"$\\leq 10^{{{powers[0]}}}$", 0: "1: rejected above"}
    names |= {powers[-1]: f"$\\geq 10^{{{powers[-1]}}}$"}
    return [names.get(k, f"$10^{{{k}}}$") for k in powers]


def _strip(excess: Array, axes: Any) -> None:
    starts, each = _starts(len(excess)), _decades_per_tick(excess)
    worst = _clipped(np.maximum.reduceat(excess, starts), each)
    middles = _middles(starts, len(excess))
    axes.set(yscale="log", xlabel="column", ylim=(0.3 * 10.0**-_TICKS, 3 * 10.0 ** (_TICKS * each)))
    axes.set_xlim(-0.5, len(excess) - 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.axhline(1, color="black", linewidth=1.6)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    axes.annotate("rejected above 1", (0.99, 1), (0, 3), ha="right", fontsize=8, **place)
    for chosen, colour, marker, size in _kinds(worst):
        axes.plot(middles[chosen], worst[chosen], color=colour, marker=marker, markersize=size, linestyle="none")


def _scatter(each: Entries, axes: Any) -> None:
    """dx in units of the largest value in its column, for columns differ in scale; the parameters' as they are."""
    unit, of_column = np.ones(1), ""
    if each.numeric.ndim == 2:
        largest = np.max(np.abs(each.numeric), axis=0, initial=0, where=np.isfinite(each.numeric))
        unit, of_column = np.where(largest > 0, largest, 1), " / largest in its column"
    a, n, bar = (np.ravel(part / unit) for part in each[1:4])
    excess = np.ravel(each.excess)
    there = (np.abs(a) < _LARGEST) & (np.abs(n) < _LARGEST) & np.isfinite(bar)
    total = int(np.sum(there))
    chosen = np.flatnonzero(there)[_telling(n[there], excess[there])]
    a, n, bar, excess = (part[chosen] for part in (a, n, bar, excess))
    axes.axline((0, 0), slope=1, color=_GREY, linewidth=0.8, zorder=0)
    for kind, colour, marker, size in _kinds(excess):
        points = {"marker": marker, "markersize": size, "markeredgewidth": 1.4, "linestyle": "none", "color": colour}
        axes.errorbar(n[kind], a[kind], xerr=bar[kind], elinewidth=0.8, zorder=size, **points)
    # The same on both axes, so that agreement is the diagonal.
    reach = 1.08 * max(float(np.abs([*a, *n]).max(initial=0)), float(np.finfo(float).tiny))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    widest = f"error bars up to {number(float(bar.max()), 2)}" if len(bar) else "no number"
    axes.set(xlabel=f"numeric{of_column} ({widest})", ylabel=f"analytic{of_column}")
    notes = [f"{len(there) - total} not finite or beyond {_LARGEST:g}"] * (len(there) > total)
    notes += [f"the {len(chosen)} most telling of {total}"] * (len(chosen) < total)
    axes.set_title(f"{each.name}{': ' if notes else ''}{', '.join(notes)}")


def _telling(n: Array, excess: Array) -> Array:
    """Of many points the worst of each of the equal parts into which their numeric values fall."""
    order = np.argsort(n, kind="stable")
    if len(order) <= _POINTS:
        return order
    parts = np.array_split(order, _POINTS)
    return np.array([part[np.argmax(excess[part])] for part in parts])


def _kinds(excess: Array) -> tuple[tuple[Array, str, str, float], ...]:
    """What is accepted and what is rejected, with colour, marker and its size."""
    return (excess <= 1, _ACCEPTED, "o", 4.0), (excess > 1, _REJECTED, "x", 7.0)


def _decades_per_tick(excess: Array) -> int:
    largest = float(np.max(excess, initial=1, where=np.isfinite(excess)))
    return max(1, min(int(np.ceil(np.log10(largest) / _TICKS)), _MOST // _TICKS))


def _clipped(excess: Array, each: int) -> Array:
    return np.clip(excess, 10.0**-_TICKS, 10.0 ** (_TICKS * each))


def _starts(size: int) -> Array:
    """Where blocks begin, as many as can be told apart in a picture."""
    return np.unique(np.linspace(0, size, min(size, _CELLS), endpoint=False).astype(int))


def _middles(starts: Array, size: int) -> Array:
    return np.asarray((starts + np.append(starts[1:], size) - 1) / 2)
