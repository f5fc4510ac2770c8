"""The layer walked through node by node: what comes out, what is handed back, and whether that is right."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from bncheck import __version__, memory
from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.checks.kept import held_against, settled
from bncheck.checks.nodes import Checker, Progress, Walk, norm, walk
from bncheck.graph import INPUTS, PATHS, Graph
from bncheck.layers.protocol import Call, Layer
from bncheck.layers.reference import Reference
from bncheck.passes import describe, require_finite
from bncheck.settings import LayerSettings
from bncheck.tracing import Back, LayerTrace, Path, Step, TraceReport
from bncheck.vocabulary import Verdict

_BYTES_PER_ENTRY = 40 * 8  # six tables and their gradients, in the batch's dtype and wider, with sizes and errors


def trace(
    batch: Batch,
    layer: Layer | None = None,
    settings: LayerSettings | None = None,
    progress: Progress | None = None,
    *,
    graph: Graph | None = None,
    values: bool = False,
) -> TraceReport:
    """Batch normalization as its computational graph, every gradient checked numerically at its node.

    ``layer`` None traces the textbook layer alone; given, what that layer returns and keeps is held against the nodes.
    ``graph`` None takes that of ``settings.mode``; another one is checked just so, and ``culprit`` names its wrong
    node.  ``values`` puts every array in the report.  In test mode the batch must hold running statistics
    (``bncheck.batch.warm_up`` makes them).  Raises BadInput where the batch allows no answer, and LayerRaised.
    """
    started = time.perf_counter()
    settings = settings or LayerSettings()
    memory.require(batch.n, batch.d, _BYTES_PER_ENTRY, "a trace")
    if layer is not None:
        settings = settled(layer, batch, settings)
    call = Call(batch.x, batch.gamma, batch.beta, batch.running, settings)
    require_finite(call)
    walked = walk(batch, call, graph)
    beside = held_against(layer, walked) if layer is not None else None
    report = _report(walked, Checker(walked, progress), (layer or Reference()).name, beside)
    return replace(report, values=_arrays(walked) if values else {}, seconds=time.perf_counter() - started)


def _report(walked: Walk, checker: Checker, name: str, beside: LayerTrace | None) -> TraceReport:
    steps, paths = _steps(walked, checker), _paths(walked, checker)
    failed = {s.symbol for s in steps if s.gradient and s.gradient.verdict is Verdict.FAIL}
    settings = walked.call.settings
    return TraceReport(
        verdict=_verdict(steps, paths, beside),
        mode=settings.mode.value,
        implementation=name,
        batch=describe(walked.batch),
        settings={"eps": settings.eps, "precision": str(walked.wide["x"].dtype)},
        steps=steps,
        backward=_backward(walked),
        paths=paths,
        layer=beside,
        culprit=checker.culprit(failed),
        forward_passes=round(checker.passes, 2),
        seconds=0.0,
        version=__version__,
    )


def _steps(walked: Walk, checker: Checker) -> tuple[Step, ...]:
    """Inputs and constants, then the nodes."""
    kept, reached = walked.graph.kept(), walked.graph.reached()
    nodes = {node.symbol: node for node in walked.graph.nodes}
    found = []
    for symbol in [*INPUTS, *(s for s in walked.values if s not in (*INPUTS, "eps", "N"))]:
        node, value = nodes.get(symbol), walked.values[symbol]
        name = node.name if node else symbol if symbol in INPUTS else f"running {symbol}"
        formula = node.formula if node else "input" if symbol in INPUTS else "constant"
        reads = node.reads if node else ()
        gradient = checker.value(symbol) if symbol in reached else None
        found.append(Step(name, symbol, formula, reads, value.shape, norm(value), symbol in kept, gradient))
    return tuple(found)


def _paths(walked: Walk, checker: Checker) -> tuple[Path, ...]:
    nodes = {node.name: node for node in walked.graph.nodes}
    found = []
    for name, (node, to) in PATHS.items():
        edges = [edge for edge in walked.graph.live(nodes[node]) if edge.to == to] if node in nodes else []
        found += [Path(name, node, to, checker.edge(nodes[node], edge)) for edge in edges]
    return tuple(found)


def _backward(walked: Walk) -> tuple[Back, ...]:
    gradients = walked.flow.gradients
    return tuple(
        Back(
            node.name,
            edge.to,
            edge.formula,
            part.shape,
            incoming=norm(gradients[node.symbol]),
            outgoing=norm(part),
            rule=edge.rule,
        )
        for node, edge, part in walked.flow.handed
    )


def _verdict(steps: tuple[Step, ...], paths: tuple[Path, ...], beside: LayerTrace | None) -> Verdict:
    """A zero agrees with a zero; blind it is where nothing else comes back from anywhere."""
    seen = [s.gradient.verdict for s in steps if s.gradient] + [p.gradient.verdict for p in paths]
    if Verdict.FAIL in seen or (beside is not None and beside.wrong):
        return Verdict.FAIL
    return Verdict.PASS if Verdict.PASS in seen else Verdict.BLIND


def _arrays(walked: Walk) -> dict[str, Array]:
    """Every value, and every gradient in the order in which it comes about."""
    values: dict[str, Any] = {name: value for name, value in walked.values.items() if name not in ("eps", "N")}
    return values | {f"d{name}": gradient for name, gradient in walked.flow.gradients.items()}
