"""Who is there to be timed.  Loads none of them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from bncheck.batch import Batch
from bncheck.benchmark import Verifies
from bncheck.timing.checker import Checker


class Growth(NamedTuple):
    """The number of passes grows as (N + 2)**rows * D**columns: gamma and beta are like two more rows of x."""

    rows: int
    columns: int

    def between(self, small: tuple[int, int], large: tuple[int, int]) -> float:
        """By what factor, from one (N, D) to another."""
        return float(((large[0] + 2) / (small[0] + 2)) ** self.rows * (large[1] / small[1]) ** self.columns)


class Contestant(NamedTuple):
    name: str
    module: str
    """In ``bncheck.timing.contestants``."""
    form: str
    """Of the several that the module has."""
    verifies: Verifies
    error_bar: bool
    growth: Growth
    package: str = "numpy"
    """The package that it comes from."""

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None

    @property
    def rival(self) -> Contestant | None:
        """The check of bncheck's own that verifies alike."""
        if self.module == "own":
            return None
        return CONTESTANTS["bncheck" if self.verifies is Verifies.ENTRIES else "projected"]

    def checker(self, batch: Batch) -> Checker:
        """Loads what it needs.  Raises ImportError."""
        made: Checker = import_module(f"bncheck.timing.contestants.{self.module}").checker(batch, self.form)
        return made


_ROWS, _ENTRIES, _CONSTANT = Growth(1, 0), Growth(1, 1), Growth(0, 0)
_EACH, _ONE = Verifies.ENTRIES, Verifies.NUMBER
CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant("bncheck", "own", "full", _EACH, True, _ROWS),
        Contestant("loop", "loop", "", _EACH, False, _ENTRIES),
        Contestant("scipy", "scipy", "all", _EACH, False, _ENTRIES, "scipy"),
        Contestant("torch slow", "torch", "slow", _EACH, False, _ENTRIES, "torch"),
        Contestant("projected", "own", "projected", Verifies.COLUMNS, True, _CONSTANT),
        Contestant("scipy random", "scipy", "random", _ONE, False, _CONSTANT, "scipy"),
        Contestant("torch fast", "torch", "fast", _ONE, False, _CONSTANT, "torch"),
        Contestant("jax", "jax", "", _ONE, False, _CONSTANT, "jax"),
        Contestant("autograd", "autograd", "", _ONE, False, _CONSTANT, "autograd"),
    )
}
