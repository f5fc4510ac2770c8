"""Mermaid, which code hosts draw where it stands in Markdown: solid arrows forward, dotted ones backward."""

from __future__ import annotations

from bncheck.render import Look, Result
from bncheck.render.document import number
from bncheck.render.trace import equation, failed, marked
from bncheck.tracing import Step, TraceReport


def render(result: Result, look: Look) -> str:
    assert isinstance(result, TraceReport)
    symbols = {step.name: step.symbol for step in result.steps if step.reads}
    lines = ["flowchart TB", *(f"    {step.symbol}{_box(step, marked(result, step))}" for step in result.steps)]
    shown = {step.symbol for step in result.steps}
    lines += [f"    {read} --> {step.symbol}" for step in result.steps for read in step.reads if read in shown]
    lines += [
        f'    {symbols[back.node]} -. "{_text(back.formula)}<br/>{number(back.outgoing)}" .-> {back.to}'
        for back in result.backward
    ]
    kept = [step.symbol for step in result.steps if step.kept]
    wrong = failed(result)
    lines += ["    classDef kept stroke-width:3px", f"    class {','.join(kept)} kept"] if kept else []
    lines += ["    classDef fail stroke:#d1242f", f"    class {','.join(wrong)} fail"] if wrong else []
    return "\n".join(lines) + "\n"


def _box(step: Step, name: str) -> str:
    """Round for what is given, square for what is computed."""
    rest = [equation(step), f"{step.shape}, norm {number(step.norm)}"]
    if step.gradient:
        rest.append(f"{step.gradient.name}: norm {number(step.gradient.norm)}, {step.gradient.verdict.value}")
    text = "<br/>".join([f"<b>{name}</b>", *map(_text, rest)])
    return f'["{text}"]' if step.reads else f'(["{text}"])'


def _text(text: str) -> str:
    """Two asterisks would be read as emphasis."""
    return text.replace("*", "·").replace('"', "#quot;")
