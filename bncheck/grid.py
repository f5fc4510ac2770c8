"""A grid of batches that a layer is put through, and what became of it in each cell: plain frozen data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NamedTuple

from bncheck.errors import BadInput
from bncheck.report import SCHEMA, Finding, plain
from bncheck.vocabulary import Severity, Verdict

DTYPES = ("float64", "float32", "float16")
DOUTS = ("normal", "ones", "entry", "out")
"""Standard normal; all ones; zero but for one entry; the output itself, as sum(out²) / 2 has it."""
GAMMAS = ("normal", "ones", "zero", "small")
"""Of both signs and never 1; all ones; as normal, with 0 in the last column; all 1e-4."""
_CHOICES = {"dtype": DTYPES, "dout": DOUTS, "gamma": GAMMAS}
_SILENT = ("BN001", "BN008")  # of a layer that raises, the cells themselves tell


class State(StrEnum):
    """What became of a cell."""

    PASS = "pass"
    FAIL = "fail"
    BLIND = "blind"
    RAISED = "raised"
    KILLED = "killed"
    """The layer ended the process that it ran in, each time that it was tried."""
    BEYOND = "beyond"
    """The dtype cannot hold the batch, or not its normalization: no layer is to blame."""


class Cell(NamedTuple):
    """One batch: N rows of D columns, each of which has exactly this mean and spread before it is rounded."""

    dtype: str
    scale: float
    offset: float
    n: int
    d: int
    dout: str
    gamma: str

    @property
    def ratio(self) -> float:
        """|mean| / std, on which it depends how many digits of x its spread has."""
        if self.scale:
            return abs(self.offset) / self.scale
        return math.inf if self.offset else 0.0


@dataclass(frozen=True)
class Grid:
    """The values of each axis; every combination is a cell.  Raises BadInput for one that cannot be."""

    dtype: tuple[str, ...] = DTYPES
    scale: tuple[float, ...] = (1e-3, 1.0, 1e3)
    offset: tuple[float, ...] = (0.0, 1e2, 1e4, 1e6)
    n: tuple[int, ...] = (2, 16, 256)
    d: tuple[int, ...] = (1, 8)
    dout: tuple[str, ...] = ("normal", "entry")
    gamma: tuple[str, ...] = ("normal", "ones")

    def __post_init__(self) -> None:
        for axis in fields(self):
            values = tuple(dict.fromkeys(getattr(self, axis.name)))
            object.__setattr__(self, axis.name, values)
            if not values:
                raise BadInput(f"{axis.name} has no values: give one at the least")
            choices = _CHOICES.get(axis.name)
            for value in values:
                if choices and value not in choices:
                    raise BadInput(f"{axis.name} is {value!r}: give {', '.join(choices)}")
                if axis.name in ("n", "d") and value < 1:
                    raise BadInput(f"{axis.name.upper()} is {value}: at least 1 is needed")
                if axis.name in ("scale", "offset") and not math.isfinite(value):
                    raise BadInput(f"{axis.name} is {value:g}: give a finite number")
        if min(self.scale) < 0:
            raise BadInput(f"scale is {min(self.scale):g}: a spread is not negative")

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        return {axis.name: getattr(self, axis.name) for axis in fields(self)}

    def cells(self) -> Iterator[Cell]:
        """In the order of the axes, the last one fastest."""
        return itertools.starmap(Cell, itertools.product(*self.axes.values()))

    def __len__(self) -> int:
        return math.prod(map(len, self.axes.values()))


class CellResult(NamedTuple):
    """What became of one cell.  A number is None where there is none to be had."""

    cell: Cell
    state: State
    codes: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    """The known mistakes that this cell could not have shown."""
    digits: float | None = None
    """What out is off by, in units of what this batch costs anybody in this dtype."""
    dx: float | None = None
    """max |a - n| / max(|a| + |n|, tiny); those of dgamma and dbeta likewise."""
    dgamma: float | None = None
    dbeta: float | None = None
    said: str = ""
    """Why it is no plain pass."""

    def to_dict(self) -> dict[str, Any]:
        """The axes and the results side by side, as JSON has them."""
        return dict(plain({**self.cell._asdict(), **{k: v for k, v in self._asdict().items() if k != "cell"}}))

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> CellResult:
        """What ``to_dict`` made.  Raises KeyError, TypeError or ValueError for anything else."""
        made = {name: row[name] for name in cls._fields if name != "cell"}
        made |= {"state": State(made["state"]), "codes": tuple(made["codes"]), "unseen": tuple(made["unseen"])}
        return cls(Cell(*(row[name] for name in Cell._fields)), **made)


class Break(NamedTuple):
    """A mistake, and the part of the grid that it shows in."""

    code: str
    title: str
    hint: str
    where: str
    """In words: "in float32 where |mean|/std >= 1e+04"; empty where it is all that could have shown it."""
    cells: int
    """In so many cells it shows."""
    said: str
    """What was seen in the first of them."""


@dataclass(frozen=True, eq=False)
class StressReport:
    """The result of putting a layer through a grid.  It holds no time, so that the same run makes the same bytes."""

    implementation: str
    settings: dict[str, Any]
    grid: Grid
    findings: tuple[Finding, ...]
    """About the layer, whatever the cell."""
    breaks: tuple[Break, ...]
    cells: tuple[CellResult, ...]
    version: str

    @property
    def counts(self) -> dict[State, int]:
        return {state: sum(result.state is state for result in self.cells) for state in State}

    @property
    def verdict(self) -> Verdict:
        """A pass is worth its name where some cell has passed; the blind ones are counted beside it."""
        if self.counts[State.FAIL] or any(f.severity is Severity.ERROR for f in self.findings):
            return Verdict.FAIL
        return Verdict.PASS if self.counts[State.PASS] else Verdict.BLIND

    @property
    def raised(self) -> bool:
        """The layer raised or ended its process somewhere, and nothing else is wrong with it."""
        broken = self.counts[State.RAISED] + self.counts[State.KILLED]
        return bool(broken) and self.verdict is not Verdict.FAIL

    def to_dict(self) -> dict[str, Any]:
        own = {k: v for k, v in vars(self).items() if k not in ("grid", "cells")}
        grid, cells = self.grid.axes, [result.to_dict() for result in self.cells]
        made = {"schema": SCHEMA, "command": "stress", "verdict": self.verdict, **own, "counts": self.counts}
        return dict(plain({**made, "grid": grid, "cells": cells}))


def about_the_layer(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each code once, without those that the cells tell."""
    return tuple({f.code: f for f in reversed(findings) if f.code not in _SILENT}.values())[::-1]
