"""The graph as a picture, drawn here: x and what becomes of it on the left, the statistics on the right.

One file without scripts, fonts or links; its colours follow the reader's light or dark setting, and none of them is
the only carrier of anything: what the backward needs has a thick frame and says so, what is wrong says that.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape

from bncheck.render import Look, Result
from bncheck.render.document import heading, number
from bncheck.render.trace import equation, failed, marked
from bncheck.render.unseen import shown
from bncheck.tracing import Back, Step, TraceReport
from bncheck.vocabulary import Verdict

_LEFT = ("x", "centred", "xhat", "scaled", "out")
_WIDTH, _HEIGHT, _ROW = 270, 84, 112  # of a box, and from one to the next
_GAP, _MARGIN, _TOP = 150, 24, 88
_INSET = 40  # from the edge of a box to the arrows above and below it
# Named by their class, lest they reach what stands around the picture in a page.
# Plain properties, not variables: viewers other than browsers know no better, and stay light.
_STYLE = """
    .graph text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }
    .graph .title { font-size: 14px }
    .graph .title, .graph .name, .graph .bad { font-weight: bold }
    .graph rect.paper { stroke: none }
    .graph rect.kept { stroke-width: 3 }
    .graph rect.wrong { stroke-width: 3; stroke-dasharray: 6 3 }
    .graph path { fill: none }
    .graph path.back { stroke-dasharray: 4 3 }
"""
_COLOURS = """
    .graph text, .graph marker.forward path { fill: %(ink)s }
    .graph .soft { fill: %(soft)s }
    .graph .gradient, .graph marker.back path { fill: %(back)s }
    .graph .bad { fill: %(bad)s }
    .graph rect { fill: %(paper)s; stroke: %(ink)s }
    .graph rect.wrong { stroke: %(bad)s }
    .graph path { stroke: %(ink)s }
    .graph path.back { stroke: %(back)s }
    .graph marker path { stroke: none; stroke-dasharray: none }
"""
_LIGHT = {"paper": "#ffffff", "ink": "#1f2328", "soft": "#59636e", "back": "#0a58ca", "bad": "#b3261e"}
_DARK = {"paper": "#0d1117", "ink": "#e6edf3", "soft": "#9198a1", "back": "#79b8ff", "bad": "#ff8a80"}
_ARROW = (
    '<marker id="{0}" class="{0}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>'
)


class _Box(NamedTuple):
    step: Step
    left: bool
    x: float
    y: float

    @property
    def right(self) -> float:
        return self.x + _WIDTH

    @property
    def bottom(self) -> float:
        return self.y + _HEIGHT

    @property
    def inner(self) -> float:
        """The side that faces the other column."""
        return self.right if self.left else self.x


def render(result: Result, look: Look) -> str:
    assert isinstance(result, TraceReport)
    boxes = _placed(result)
    width = 2 * (_MARGIN + _WIDTH) + _GAP
    height = max(box.bottom for box in boxes.values()) + _MARGIN
    name, about = heading(result).split(", ", 1)
    shapes = [line for back in result.backward for line in _arrows(back, boxes, _symbols(result)[back.node])]
    shapes += [line for pair in _constants(result) for line in _between(boxes[pair[0]], boxes[pair[1]], "", "")]
    wrong = failed(result)
    shapes += [
        line for box in boxes.values() for line in _drawn(box, marked(result, box.step), box.step.symbol in wrong)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" '
            f'viewBox="0 0 {width} {height:g}" width="{width}">',
            f"<title>Batch normalization as a graph: {escape(shown(heading(result)))}</title>",
            f"<style>{_STYLE}{_COLOURS % _LIGHT}",
            f"@media (prefers-color-scheme: dark) {{{_COLOURS % _DARK}}}</style>",
            f"<defs>{_ARROW.format('forward')}{_ARROW.format('back')}</defs>",
            f'<rect class="paper" width="{width}" height="{height:g}"/>',
            _text(_MARGIN, 28, _short(name, 80), "title"),
            _text(_MARGIN, 48, _short(about, 95)),
            _text(_MARGIN, 68, "solid: forward; dashed: the gradient going back, with its norm", "soft"),
            *shapes,
            "</svg>\n",
        ]
    )


def _symbols(report: TraceReport) -> dict[str, str]:
    return {step.name: step.symbol for step in report.steps if step.reads}


def _placed(report: TraceReport) -> dict[str, _Box]:
    """Row by row in the order of the graph; gamma and beta beside the nodes that they go into."""
    steps = {step.symbol: step for step in report.steps}
    rows = [s for s in steps if s not in ("gamma", "beta")]
    places = {symbol: (row, symbol in _LEFT) for row, symbol in enumerate(rows)}
    places |= {"gamma": (places["scaled"][0], False), "beta": (places["out"][0], False)}
    return {
        symbol: _Box(steps[symbol], left, _MARGIN + (0 if left else _WIDTH + _GAP), _TOP + row * _ROW)
        for symbol, (row, left) in places.items()
    }


def _constants(report: TraceReport) -> list[tuple[str, str]]:
    """What is read going forward and gets no gradient back."""
    handed = {(_symbols(report)[back.node], back.to) for back in report.backward}
    shown = {step.symbol for step in report.steps}
    pairs = [(read, step.symbol) for step in report.steps for read in step.reads if read in shown]
    return [(read, symbol) for read, symbol in pairs if (symbol, read) not in handed]


def _arrows(back: Back, boxes: dict[str, _Box], symbol: str) -> list[str]:
    return _between(boxes[back.to], boxes[symbol], number(back.outgoing), back.rule)


def _between(source: _Box, target: _Box, norm: str, rule: str) -> list[str]:
    """A forward arrow and, if there is a norm, a backward one beside it that carries it."""
    word = f" ({rule.split()[2]})" if rule else ""
    if source.left == target.left:
        x = source.x + _INSET
        lines = [_path(f"M{x:g} {source.bottom:g} V{target.y:g}", "forward")]
        if norm:
            lines.append(_path(f"M{x + 14:g} {target.y:g} V{source.bottom:g}", "back"))
            lines.append(_text(x + 22, (target.y + target.y - _ROW + _HEIGHT) / 2 + 4, norm + word, "gradient"))
        return lines
    start, end = _heights(source, target)
    lines = [_path(f"M{source.inner:g} {start:g} L{target.inner:g} {end:g}", "forward")]
    if norm:
        lines.append(_path(f"M{target.inner:g} {end + 14:g} L{source.inner:g} {start + 14:g}", "back"))
        # Under the slope, at the side from which it falls away; under the middle of a level one.
        x = (source.inner + target.inner) / 2 if start == end else source.inner + (6 if source.left else -6)
        anchor = "middle" if start == end else "start" if source.left else "end"
        lines.append(_text(x, end + (32 if start == end else 16), norm + word, "gradient", anchor))
    return lines


def _heights(source: _Box, target: _Box) -> tuple[float, float]:
    """Where an arrow leaves and arrives: what comes from above in the upper half, what goes down in the lower."""
    level = source.y == target.y
    return source.y + (30 if level else 54), target.y + (30 if level else 16)


def _path(line: str, kind: str) -> str:
    return f'<path class="{kind}" d="{line}" marker-end="url(#{kind})"/>'


def _drawn(box: _Box, name: str, wrong: bool) -> list[str]:
    step = box.step
    kind = " ".join((["kept"] if step.kept else []) + (["wrong"] if wrong else []))
    corner = "" if step.reads else ' rx="14"'
    x, y = box.x + 12, box.y
    lines = [
        f'<rect class="{kind}" x="{box.x:g}" y="{y:g}" width="{_WIDTH}" height="{_HEIGHT}"{corner}/>',
        _text(x, y + 20, name, "name"),
        _text(x, y + 38, equation(step)),
        _text(x, y + 55, f"{step.shape}, norm {number(step.norm)}", "soft"),
    ]
    if step.gradient:
        said = f"{step.gradient.name}: norm {number(step.gradient.norm)}, {step.gradient.verdict.value}"
        lines.append(_text(x, y + 73, said, "bad" if step.gradient.verdict is Verdict.FAIL else "gradient"))
    return lines


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(shown(text))}</text>'


def _short(text: str, characters: int) -> str:
    """The whole of it is in the picture's title."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
