"""The check as one call."""

from __future__ import annotations

from typing import Any

from bncheck.batch import Batch
from bncheck.checks.suite import check_layer
from bncheck.layers.resolve import of
from bncheck.report import Report
from bncheck.settings import LayerSettings


def check(layer: Any, batch: Batch | None = None, settings: LayerSettings | None = None) -> Report:
    """Everything about a layer: a file's name as on the command line, a class, an instance, a PyTorch module,
    a JAX function, a pair (forward, backward), or anything with the Layer protocol.

    Raises BadInput where nothing is recognised.
    """
    return check_layer(of(layer), batch, settings)
