"""How a layer is configured and how it is checked, by the names these have on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bncheck.errors import BadInput
from bncheck.vocabulary import Coverage, Method, Mode


@dataclass(frozen=True)
class LayerSettings:
    """What a layer is configured with."""

    mode: Mode = Mode.TRAIN
    eps: float = 1e-5
    momentum: float = 0.9
    """The share of the running statistics that is kept at each step."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise BadInput(f"eps is {self.eps:g}: give a finite number that is not negative")
        if not 0 <= self.momentum <= 1:
            raise BadInput(f"momentum is {self.momentum:g}: give the share kept, between 0 and 1")


@dataclass(frozen=True)
class CheckSettings:
    """How gradients are checked."""

    method: Method = Method.CENTRAL
    step: float | None = None
    """Step size in units of each column's sqrt(var + eps); None takes the best for the noise found."""
    rtol: float | None = None
    """None: the error bars decide.  A number: max |a - n| / max(|a| + |n|, tiny) <= rtol decides."""
    probes: bool = True
    """Where the batch cannot show a known mistake, check a batch of bncheck's own beside it."""
    strict: bool = False
    """A batch that cannot show every known mistake is blind."""
    coverage: Coverage = Coverage.AUTO
    confidence: float = 0.99
    """With which a projected check sees an error of several entries; that of one entry it sees for certain."""

    def __post_init__(self) -> None:
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            raise BadInput(f"step is {self.step:g}: give a finite number above 0")
        if self.rtol is not None and not (math.isfinite(self.rtol) and self.rtol >= 0):
            raise BadInput(f"rtol is {self.rtol:g}: give a finite number that is not negative")
        if self.coverage is Coverage.PROJECTED and not self.own_step:
            raise BadInput(
                "a method and a step are for a check of every entry: leave them out, or --coverage projected"
            )
        if not 0 < self.confidence < 1:
            raise BadInput(f"confidence is {self.confidence:g}: give a probability between 0 and 1, such as 0.99")

    @property
    def own_step(self) -> bool:
        """The formula and its step are left to bncheck."""
        return self.method is Method.CENTRAL and self.step is None
