"""Pictures by Matplotlib (the extra ``bncheck[plot]``), which is loaded here and nowhere else."""

from __future__ import annotations

import io
import warnings
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from bncheck.render import Look, Result
from bncheck.render.pictures import curves, gradients
from bncheck.report import Report

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "bncheck",  # the same bytes for the same result
}
_UNDATED = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def render_png(result: Result, look: Look) -> bytes:
    return _drawn(result, "png")


def render_svg(result: Result, look: Look) -> bytes:
    return _drawn(result, "svg")


def render_pdf(result: Result, look: Look) -> bytes:
    return _drawn(result, "pdf")


def _drawn(result: Any, ending: str) -> bytes:
    draw = gradients.draw if isinstance(result, Report) else curves.draw
    with rc_context(_STYLE), warnings.catch_warnings():
        # A file may be named in letters that the font has not; they are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(layout="constrained")
        draw(result, figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending, dpi=150, metadata=_UNDATED[ending])
    return buffer.getvalue()
