"""One page that needs nothing from elsewhere: no script, no font, no link that leads out.

Whatever comes from the user (names of files and layers, columns, what a layer raised) goes through ``_text``, and
nothing else puts a text into the page; the page's own policy keeps a browser from loading or running anything.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from importlib.util import find_spec
from itertools import groupby

from bncheck.curves import SweepReport
from bncheck.explanation import Explanation
from bncheck.findings import explaining
from bncheck.findings.catalogue import CATALOGUE
from bncheck.render import Look, Result, as_svg, catalogue, chart, picture
from bncheck.render.document import Block, Code, Found, Table, document
from bncheck.render.stylesheet import stylesheet
from bncheck.render.unseen import shown
from bncheck.report import Report
from bncheck.tracing import TraceReport
from bncheck.vocabulary import Severity, Verdict

_CODE = re.compile(r"\bBN\d{3}\b")
_UNDRAWN = "Pictures are drawn with Matplotlib, which is not installed: pip install 'bncheck[plot]'."
_ENTRIES = "Each entry: above, how far it is from being rejected; below, its analytic against its numeric value."
_CURVES = "The error of each difference formula against its step, and the step that bncheck chooses."
_LETTERS = {".": "pass", "F": "fail", "R": "fail", "K": "fail", "b": "blind", "-": "soft"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_BREAK = "\n"
_OPEN, _CLOSE = '<article class="result">', "</article>"


def render(result: Result, look: Look) -> str:
    content = document(result, verbose=True)
    verdict: Verdict | None = getattr(result, "verdict", None)
    blocks = list(content.blocks)
    summary = _summary(blocks, verdict)
    if summary:
        blocks.remove(summary)
    own = {result.code} if isinstance(result, Explanation) else set()
    page = _Page(_named(content.blocks) - own, _curves(result, look))
    version = getattr(result, "version", "")
    title = f"{verdict.value}: {content.heading}" if verdict else content.heading
    return _BREAK.join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)} - bncheck</title>",
            f"<style>{stylesheet()}</style>",
            "</head>",
            "<body>",
            "<main>",
            _OPEN,
            f"<h1>{_text(content.heading)}</h1>",
            *([f'<p class="verdict {verdict}">{page.said(summary)}</p>'] if summary else []),
            *page.blocks(blocks),
            *_pictures(result, look),
            *page.others(),
            _CLOSE,
            "</main>",
            *([f"<footer>bncheck {_text(version)}</footer>"] if version else []),
            "</body>",
            "</html>\n",
        ]
    )


def joined(pages: list[str]) -> str:
    """Several pages as one: the first with the others' contents, in which every anchor has a name of its own."""
    first, *others = pages
    head, rest = first.split(_OPEN, 1)
    own, foot = rest.rsplit(_CLOSE, 1)
    parts = [own, *(_numbered(_within(page), number) for number, page in enumerate(others, 2))]
    return f"{head}{_BREAK.join(_OPEN + part + _CLOSE for part in parts)}{foot}"


def _within(page: str) -> str:
    return page.split(_OPEN, 1)[1].rsplit(_CLOSE, 1)[0]


def _numbered(part: str, number: int) -> str:
    # A quotation mark of the user's is escaped, so these are attributes.
    return re.sub(r'( id="|href="#|="url\(#)', rf"\g<1>{number}-", part)


def _curves(result: Result, look: Look) -> list[str]:
    return _drawn(result, look, _CURVES) if isinstance(result, SweepReport) else []


def _pictures(result: Result, look: Look) -> list[str]:
    if isinstance(result, TraceReport):
        return ["<h2>The graph</h2>", _graph(result, look)]
    if not isinstance(result, Report):
        return []
    lines = ["<h2>Entry by entry</h2>", *_drawn(result, look, _ENTRIES)] if result.entries else []
    if result.graph is not None:
        # Where something is wrong, the node that it is wrong at is marked.
        opened = " open" if result.graph.verdict is Verdict.FAIL else ""
        lines += [f"<details{opened}>", "<summary>The graph</summary>", _graph(result.graph, look), "</details>"]
    return lines


def _graph(report: TraceReport, look: Look) -> str:
    return f"<figure>{_BREAK}{as_svg.render(report, look)}</figure>"


def _drawn(result: Result, look: Look, said: str) -> list[str]:
    """As an image: the names and styles within it stay there."""
    if not drawable():
        return [f"<p>{_text(_UNDRAWN)}</p>"]
    drawing = picture("svg")(result, look)
    assert isinstance(drawing, bytes)
    source = f"data:image/svg+xml;base64,{b64encode(drawing).decode()}"
    return ["<figure>", f'<img alt="{said}" src="{source}">', f"<figcaption>{said}</figcaption>", "</figure>"]


def drawable() -> bool:
    return find_spec("matplotlib") is not None


def _text(text: str) -> str:
    return escape(shown(text))


def _summary(blocks: Iterable[Block], verdict: Verdict | None) -> str:
    """The last paragraph that begins with the verdict, which a reader of a page looks for at the top."""
    said = [block for block in blocks if isinstance(block, str) and block.startswith(f"{verdict}: ")]
    return said[-1] if said else ""


def _named(blocks: Iterable[Block]) -> set[str]:
    """The codes of the catalogue that a page names."""
    texts: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            texts += [cell for row in block.rows for cell in row]
        elif isinstance(block, (str, Found)):
            texts.append(str(block))
    return {code for text in texts for code in _CODE.findall(text)} & CATALOGUE.keys()


class _Page:
    """The blocks of a page, each code explained once: under the finding, or else at the end."""

    def __init__(self, named: set[str], curves: list[str]) -> None:
        self.named = named
        self.explained: set[str] = set()
        self.curves = curves

    def blocks(self, blocks: Iterable[Block]) -> list[str]:
        lines = []
        for found, several in groupby(blocks, lambda block: isinstance(block, Found)):
            lines += ["<h2>Findings</h2>"] if found else []
            lines += [line for block in several for line in self.block(block)]
        return lines

    def block(self, block: Block) -> list[str]:
        if isinstance(block, Table):
            return self.table(block)
        if isinstance(block, Found):
            return self.finding(block)
        if isinstance(block, Code):
            return [f"<p>{self.linked(block.label)}</p>", f"<pre><code>{_text(block.lines)}</code></pre>"]
        if isinstance(block, str):
            return [f"<p>{self.said(block)}</p>"]
        # One picture has all of the curves; without it, each chart has its own.
        drawn, self.curves = self.curves, []
        return drawn if drawable() else [*drawn, f"<pre>{_text(_BREAK.join(chart.lines(block)))}</pre>"]

    def finding(self, found: Found) -> list[str]:
        code, note = found.finding.code, found.finding.severity is Severity.NOTE
        lines = [
            f'<section class="finding {"note" if note else "error"}">',
            f"<h3>{self.linked(found.title)}</h3>",
            *(f"<p>{self.linked(text)}</p>" for text in (found.evidence, found.mend) if text),
        ]
        return [
            *lines,
            *self.explanation(code, "What that means" if note else "Why that is wrong, and what is right"),
            "</section>",
        ]

    def others(self) -> list[str]:
        """What the page names elsewhere."""
        left = sorted(self.named - self.explained)
        lines = [line for code in left for line in self.explanation(code)]
        return ["<h2>What the codes mean</h2>", *lines] if lines else []

    def explanation(self, code: str, summary: str = "") -> list[str]:
        if code in self.explained or code not in self.named:
            return []
        self.explained.add(code)
        content = catalogue.document(explaining.explain(code))
        # A browser opens what is folded if it is led to something within.
        return [
            "<details>",
            f"<summary>{_text(summary or content.heading)}</summary>",
            f'<div id="{code}">',
            *(line for block in content.blocks for line in self.block(block)),
            "</div>",
            "</details>",
        ]

    def table(self, table: Table) -> list[str]:
        caption = ". ".join(_text(text) for text in (table.caption, table.note) if text)
        kind, focus = ("", ' tabindex="0"') if table.letters else (' class="stacked"', "")
        head = [f'<th scope="col"{_words(table, j)}>{_text(name)}</th>' for j, name in enumerate(table.header)]
        return [
            f'<div class="scroll"{focus}>',
            f"<table{kind}>",
            *([f"<caption>{caption}</caption>"] if caption else []),
            f"<thead><tr>{''.join(head)}</tr></thead>",
            "<tbody>",
            *(f"<tr>{''.join(self.cell(table, j, cell) for j, cell in enumerate(row))}</tr>" for row in table.rows),
            "</tbody>",
            "</table>",
            "</div>",
        ]

    def cell(self, table: Table, column: int, cell: str) -> str:
        if column in table.letters:
            return f'<td class="words letters">{_lettered(cell)}</td>'
        if column == 0 and cell:
            return f'<th scope="row"{_words(table, 0)}>{self.linked(cell)}</th>'
        head = f' data-head="{_text(table.header[column])}"'
        return f"<td{_words(table, column)}{head}>{self.said(cell)}</td>"

    def said(self, text: str) -> str:
        """With the verdict that it begins with, if there is one, in bold and in its colour."""
        word, colon, rest = text.partition(":")
        if word not in set(Verdict):
            return self.linked(text)
        return f'<strong class="{word}">{word}</strong>{colon}{self.linked(rest)}'

    def linked(self, text: str) -> str:
        return _CODE.sub(lambda code: _link(code[0]) if code[0] in self.named else code[0], _text(text))


def _link(code: str) -> str:
    return f'<a href="#{code}">{code}</a>'


def _words(table: Table, column: int) -> str:
    return ' class="words"' if column in table.words else ""


def _lettered(cell: str) -> str:
    """Each letter in the colour of what it stands for."""
    runs = ((letter, "".join(run)) for letter, run in groupby(cell))
    return "".join(f'<span class="letter {_LETTERS.get(letter, "soft")}">{_text(run)}</span>' for letter, run in runs)
