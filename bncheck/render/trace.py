"""What a walk through the graph says, before anyone decides how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncheck.render.document import Block, Code, Document, Table, conjunction, heading, number
from bncheck.tracing import Checked, LayerTrace, Step, TraceReport
from bncheck.vocabulary import Verdict

_ROWS, _COLUMNS = 12, 6  # of a batch that can be followed by hand, and that a terminal of 80 characters shows


def document(report: TraceReport, _verbose: bool = False) -> Document:
    blocks: list[Block] = [_forward(report), _cache(report), _backward(report), *_rules(report)]
    blocks += [_paths(report), _checks(report), *_reasons(report)]
    if report.layer:
        blocks += _layer(report, report.layer)
    blocks.append(_summary(report))
    blocks += _values(report) if report.values else ()
    return Document(heading(report), tuple(blocks))


def equation(step: Step) -> str:
    """What a value is: mean = sum(x) / N."""
    return f"{step.symbol} = {step.formula}" if step.reads else f"{step.symbol} ({step.formula})"


def marked(report: TraceReport, step: Step) -> str:
    """The name of a node, with what there is to be said of it."""
    first = bool(report.layer and step.reads and step.name == report.layer.first)
    return step.name + (" (kept)" if step.kept else "") + (" (differs first)" if first else "")


def gradients(report: TraceReport) -> list[Checked]:
    """In the order in which they come about."""
    return [step.gradient for step in reversed(report.steps) if step.gradient]


def failed(report: TraceReport) -> list[str]:
    """The values that something is wrong at: a gradient, or the node that the user's layer first differs at."""
    first = report.layer.first if report.layer else ""
    return [
        step.symbol
        for step in report.steps
        if (step.gradient and step.gradient.verdict is Verdict.FAIL) or (step.reads and step.name == first)
    ]


def _forward(report: TraceReport) -> Table:
    rows = tuple((s.name, equation(s), str(s.shape), number(s.norm), "kept" if s.kept else "") for s in report.steps)
    return Table(
        ("node", "forward", "shape", "norm", "cache"), rows, words=(0, 1, 4), caption="Forward, from the inputs to out"
    )


def _cache(report: TraceReport) -> str:
    kept = conjunction([step.symbol for step in report.steps if step.kept])
    short = " (in one formula, dx makes do with gamma, inv and xhat)" if report.mode == "train" else ""
    return f"The cache is what the backward needs of the forward: {kept}{short}."


def _backward(report: TraceReport) -> Table:
    rows = tuple(
        (b.node, b.to, b.formula, number(b.incoming), number(b.outgoing), b.rule.split()[2] if b.rule else "")
        for b in report.backward
    )
    return Table(
        ("node", "hands to", "gradient", "incoming", "outgoing", "rule"),
        rows,
        words=(0, 1, 2, 5),
        caption="From out back to the inputs",
    )


def _rules(report: TraceReport) -> Iterator[str]:
    """The two places where people go wrong, where they occur."""
    summed = [b.to for b in report.backward if b.rule.startswith("broadcast")]
    spread = [b.node for b in report.backward if b.rule.startswith("sum")]
    if summed:
        yield (
            f"sum: a broadcast forward is a sum backward. {conjunction(summed)} {_are(summed)} used in every row going "
            "forward, so the gradient is the sum over the rows going back."
        )
    if spread:
        yield (
            f"ones: a sum forward is a broadcast of ones backward. {conjunction(spread)} {_are(spread)} made of all "
            "rows going forward, so every row gets the same number going back."
        )


def _are(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _paths(report: TraceReport) -> Table:
    """The ways by which x reaches out, which add up."""
    rows = [
        (f"{'' if i == 0 else '+ '}{path.name}", f"{path.node} to {path.to}", *_numbers(path.gradient))
        for i, path in enumerate(report.paths)
    ]
    total = next(step.gradient for step in report.steps if step.symbol == "x")
    assert total is not None
    rows.append(("= dx", "all of them", *_numbers(total)))
    return Table(
        ("path of x", "handed back by", "norm", "rel error", "verdict"),
        tuple(rows),
        words=(0, 1),
        caption="The paths by which x reaches out",
    )


def _numbers(checked: Checked) -> tuple[str, str, str]:
    return number(checked.norm), number(checked.max_rel_error), checked.verdict.value


def _checks(report: TraceReport) -> Table:
    rows = tuple(
        (
            c.name,
            number(c.norm),
            number(c.max_rel_error),
            number(c.max_abs_error),
            number(c.error_bar),
            c.verdict.value,
        )
        for c in gradients(report)
    )
    return Table(
        ("checked at", "norm", "rel error", "abs error", "error bar", "verdict"),
        rows,
        caption="Each gradient against finite differences at its node",
    )


def _reasons(report: TraceReport) -> Iterator[str]:
    for checked in [*gradients(report), *(path.gradient for path in report.paths)]:
        if checked.verdict is not Verdict.PASS:
            yield f"{checked.verdict.value}: {checked.name}: {checked.reason}."


def _layer(report: TraceReport, layer: LayerTrace) -> Iterator[Block]:
    names = {step.symbol: step.name if step.reads else "input" for step in report.steps}
    if layer.matches:
        rows = tuple((names[m.symbol], m.symbol, m.held, "agrees" if m.agrees else "differs") for m in layer.matches)
        yield Table(
            ("node", "value", "kept by the layer as", "beside the graph"),
            rows,
            words=(0, 1, 2, 3),
            caption="What the layer keeps, beside the graph",
        )
    if not layer.readable:
        yield f"{report.implementation} keeps no arrays that can be read, so only its results are compared."
    elif layer.absent:
        yield f"Of {conjunction(list(layer.absent))} the layer keeps nothing that is recognised by its value."
    if layer.unread:
        yield f"{conjunction(list(layer.unread))} {_are(list(layer.unread))} no value of the graph."
    yield from (f"{said}." for said in layer.said)


def _summary(report: TraceReport) -> str:
    cost = f"{report.forward_passes:g} runs of the graph, {report.seconds:.2g} s"
    return f"{report.verdict.value}: {_said(report)} ({cost})"


def _said(report: TraceReport) -> str:
    count = len(gradients(report))
    wrong = [c.name for c in gradients(report) if c.verdict is Verdict.FAIL]
    if wrong:
        at = f": the derivative of {report.culprit} is wrong" if report.culprit else ""
        return f"{conjunction(wrong)} {'differs' if len(wrong) == 1 else 'differ'} from the finite differences{at}"
    if report.layer and report.layer.wrong:
        differ = "differs" if len(report.layer.wrong) == 1 else "differ"
        at = f", first at {report.layer.first}" if report.layer.first else ""
        return f"{conjunction(list(report.layer.wrong))} of {report.implementation} {differ} from the graph{at}"
    if report.verdict is Verdict.BLIND:
        return f"all {count} gradients are zero, and would be for any derivative"
    return f"all {count} gradients agree with finite differences within their error bars"


def _values(report: TraceReport) -> Iterator[Block]:
    n, d = report.batch.n, report.batch.d
    if n > _ROWS or d > _COLUMNS:
        yield (
            f"({n}, {d}) is too large to follow by hand: --n 4 --d 2 is not, and up to ({_ROWS}, {_COLUMNS}) is shown; "
            "--format json gives every number."
        )
        return
    for step in report.steps:
        yield Code(equation(step), _table(report.values[step.symbol]))
    for step in reversed(report.steps):
        if step.gradient:
            yield Code(_sum(report, step.symbol), _table(report.values[f"d{step.symbol}"]))


def _sum(report: TraceReport, symbol: str) -> str:
    parts = [b.formula for b in report.backward if b.to == symbol]
    return f"d{symbol} = {' + '.join(parts)}" if parts else f"d{symbol} (given)"


def _table(array: Any) -> str:
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    return "\n".join("".join(f"{float(value):12.5g}" for value in row).removeprefix("  ") for row in rows)
