"""What a walk through the computational graph found: plain frozen data, as a report is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bncheck.report import SCHEMA, BatchInfo, Worst, plain
from bncheck.vocabulary import Verdict


class Checked(NamedTuple):
    """A gradient of the graph beside the numerical one: the node's value perturbed, the rest of the graph run."""

    name: str
    norm: float
    max_rel_error: float
    """max |a - n| / max(|a| + |n|, tiny)"""
    max_abs_error: float
    error_bar: float
    """The largest error bar of the numeric values."""
    worst: Worst
    verdict: Verdict
    reason: str = ""
    """Why the verdict is not a plain pass, as a sentence."""


class Step(NamedTuple):
    """A value of the graph: an input, a constant, or what a node computed."""

    name: str
    """Of the node, as a person would say it: "centre"; that of the value itself for an input."""
    symbol: str
    formula: str
    reads: tuple[str, ...]
    shape: tuple[int, ...]
    norm: float
    kept: bool
    """Whether the backward needs it: the cache."""
    gradient: Checked | None
    """None for a constant."""


class Back(NamedTuple):
    """What a node handed back to one of the values that it was computed from."""

    node: str
    to: str
    formula: str
    shape: tuple[int, ...]
    incoming: float
    """The norm of the gradient that reached the node."""
    outgoing: float
    """The norm of what it handed on."""
    rule: str
    """Why there is a sum or a broadcast in it, if there is."""


class Path(NamedTuple):
    """One of the ways by which x reaches out."""

    name: str
    node: str
    to: str
    gradient: Checked
    """Its contribution to dx."""


class Match(NamedTuple):
    """A number or an array that the user's layer keeps, and the node whose value it is."""

    symbol: str
    held: str
    """Where the layer keeps it."""
    agrees: bool
    said: str = ""
    """How it differs, where it does."""


class LayerTrace(NamedTuple):
    """The user's layer beside the graph, on the same batch."""

    readable: bool
    """Whether what its forward pass keeps can be read."""
    matches: tuple[Match, ...]
    unread: tuple[str, ...]
    """What it keeps that is no value of the graph."""
    absent: tuple[str, ...]
    """The nodes whose value it does not keep."""
    wrong: tuple[str, ...]
    """out, dx, dgamma, dbeta: those that differ from the graph's."""
    first: str
    """The node at which the first difference is; empty where there is none, or where it cannot be placed."""
    said: tuple[str, ...]
    """The same in sentences."""


@dataclass(frozen=True, eq=False)
class TraceReport:
    """Forward from the inputs to out, backward from out to the inputs."""

    verdict: Verdict
    mode: str
    implementation: str
    batch: BatchInfo
    settings: dict[str, Any]
    steps: tuple[Step, ...]
    """Inputs and constants, then the nodes in the order of the forward pass."""
    backward: tuple[Back, ...]
    """In the order of the backward pass."""
    paths: tuple[Path, ...]
    """In test mode, in which the statistics are constants, the direct one alone."""
    layer: LayerTrace | None
    culprit: str
    """The node whose own derivative is wrong; empty where none is."""
    forward_passes: float
    """Runs of the graph, in units of one for all columns."""
    seconds: float
    version: str
    values: dict[str, Any] = field(default_factory=dict)
    """Every value and, under d and its name, every gradient, if they were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON of schema 1."""
        own = {k: v for k, v in vars(self).items() if k not in ("values", "steps", "layer")}
        own["nodes"] = [step._asdict() for step in self.steps]
        own["layer"] = self.layer
        own["values"] = {name: array.tolist() for name, array in self.values.items()}
        if not self.layer:
            del own["layer"]
        if not self.values:
            del own["values"]
        return dict(plain({"schema": SCHEMA, **own}))
