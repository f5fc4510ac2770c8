"""Results as text, tables and files: one renderer a file, all with the signature of ``Renderer``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bncheck.benchmark import BenchReport
    from bncheck.curves import SweepReport
    from bncheck.explanation import Contents, Explanation
    from bncheck.grid import StressReport
    from bncheck.report import PassReport, Report
    from bncheck.tracing import TraceReport

Result: TypeAlias = (
    "Report | PassReport | TraceReport | SweepReport | StressReport | BenchReport | Explanation | Contents"
)
"""What a command has to show."""

CHECK_FORMATS = ("table", "json", "csv", "markdown", "html", "junit")
MAP_FORMATS = ("table", "json", "csv", "markdown", "html")
BENCH_FORMATS = ("table", "json", "csv", "markdown")
TEXT_FORMATS = ("table", "json", "markdown", "html")
TRACE_FORMATS = ("table", "json", "markdown", "html", "mermaid", "dot", "svg")
ARRAY_FORMATS = ("table", "json", "csv", "tsv", "markdown", "npy", "npz")
BINARY_FORMATS = ("npy", "npz")
PICTURE_FORMATS = ("png", "svg", "pdf")
_SUFFIXES = {".md": "markdown", ".xml": "junit", ".txt": "table", ".mmd": "mermaid", ".gv": "dot", ".htm": "html"} | {
    f".{name}": name for name in ("json", "csv", "tsv", "npy", "npz", "html", "dot", "svg")
}


Content: TypeAlias = "str | bytes | Iterator[bytes]"
"""A text, a file, or a file in parts where it is larger than memory."""
WHOLE = ("table", "npy")
"""The formats in which a result larger than memory can be had."""


class Look(NamedTuple):
    """What the place that the output goes to can show."""

    terminal: bool = False
    width: int = 80
    verbose: bool = False


class Renderer(Protocol):
    def __call__(self, result: Result, look: Look) -> Content: ...


def renderer(name: str, look: Look) -> Renderer:
    """The renderer of a format.  Only a table on a terminal needs rich, and only then is it loaded."""
    module = {"table": "terminal" if look.terminal else "text", "tsv": "csv", "npy": "numpy", "npz": "numpy"}
    home = import_module(f"bncheck.render.as_{module.get(name, name)}")
    found: Renderer = getattr(home, f"render_{name}", None) or home.render
    return found


def picture(ending: str) -> Renderer:
    """The renderer that draws a result, with the library that is loaded for it alone."""
    drawn: Renderer = getattr(import_module("bncheck.render.as_picture"), f"render_{ending}")
    return drawn


def joined(name: str, parts: list[Content]) -> Content:
    """Several results of one command as one output that its readers still understand."""
    if len(parts) == 1:
        return parts[0]
    texts = [part for part in parts if isinstance(part, str)]
    if name == "json":
        return f"[{','.join(text.rstrip() for text in texts)}]\n"
    if name == "csv":
        return texts[0] + "".join(text.split("\n", 1)[1] for text in texts[1:])
    if name == "junit":
        suites = "".join(text.split("?>", 1)[1] for text in texts)
        return f"<?xml version='1.0' encoding='utf-8'?>\n<testsuites>{suites}</testsuites>\n"
    if name == "html":
        home: Any = import_module("bncheck.render.as_html")
        return str(home.joined(texts))
    return "\n".join(texts)


def format_of(path: str) -> str | None:
    """The format that a file's name asks for, if any."""
    return next((name for suffix, name in _SUFFIXES.items() if path.lower().endswith(suffix)), None)
