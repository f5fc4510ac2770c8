"""Graphviz: solid arrows forward, dashed ones backward, each with what it carries."""

from __future__ import annotations

from bncheck.render import Look, Result
from bncheck.render.document import number
from bncheck.render.trace import equation, failed, marked
from bncheck.tracing import Step, TraceReport


def render(result: Result, look: Look) -> str:
    assert isinstance(result, TraceReport)
    symbols = {step.name: step.symbol for step in result.steps if step.reads}
    shown, wrong = {step.symbol for step in result.steps}, failed(result)
    lines = ['    node [shape=box fontname="sans-serif"]', '    edge [fontname="sans-serif" fontsize=10]']
    lines += [
        f"    {step.symbol} [{_attributes(step, marked(result, step), step.symbol in wrong)}]" for step in result.steps
    ]
    lines += [f"    {read} -> {step.symbol}" for step in result.steps for read in step.reads if read in shown]
    lines += [
        f"    {symbols[back.node]} -> {back.to} "
        f"[style=dashed constraint=false label={_quoted(back.formula, number(back.outgoing))}]"
        for back in result.backward
    ]
    return "\n".join(["digraph batchnorm {", *lines, "}"]) + "\n"


def _attributes(step: Step, name: str, wrong: bool) -> str:
    lines = [name, equation(step), f"{step.shape}, norm {number(step.norm)}"]
    if step.gradient:
        lines.append(f"{step.gradient.name}: norm {number(step.gradient.norm)}, {step.gradient.verdict.value}")
    style = [*(["rounded"] if not step.reads else []), *(["bold"] if step.kept else [])]
    return (
        f"label={_quoted(*lines)}"
        + (f' style="{",".join(style)}"' if style else "")
        + (' color="#d1242f"' if wrong else "")
    )


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
