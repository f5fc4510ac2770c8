"""The layer's graph beside its check, for a page that shows both."""

from __future__ import annotations

from bncheck.batch import Batch
from bncheck.checks.trace import trace
from bncheck.errors import BadInput, LayerRaised
from bncheck.layers.protocol import Layer
from bncheck.report import Report
from bncheck.settings import LayerSettings

_MOST = 1 << 22  # N * N * D, which a trace takes time in proportion to: a fraction of a second


def with_graph(report: Report, batch: Batch, layer: Layer | None, settings: LayerSettings) -> Report:
    """The report with the layer walked through node by node, unless that would take longer than the check.

    Unchanged where the layer or the batch allows no walk: the check has said why.
    """
    if batch.n * batch.n * batch.d > _MOST:
        return report
    try:
        return report._replace(graph=trace(batch, layer, settings))
    except (BadInput, LayerRaised):
        return report
