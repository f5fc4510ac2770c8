"""What a batch-normalization layer is, to everything that checks one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from bncheck.arrays import Array, DTypeLike
from bncheck.batchnorm import Gradients, Statistics
from bncheck.settings import LayerSettings


class Call(NamedTuple):
    """The arguments of one forward pass.

    ``x`` is (N, M), ``gamma``, ``beta`` and the running statistics (M,): all D columns of a batch, or any
    selection of them, repeated ones included.
    """

    x: Array
    gamma: Array
    beta: Array
    running: Statistics | None
    settings: LayerSettings

    def astype(self, dtype: DTypeLike) -> Call:
        """The same numbers in another dtype."""
        return Call(
            self.x.astype(dtype, copy=False),
            self.gamma.astype(dtype, copy=False),
            self.beta.astype(dtype, copy=False),
            self.running.astype(dtype) if self.running else None,
            self.settings,
        )


class Pass(Protocol):
    """A forward pass that has been made, and what can be asked of it."""

    @property
    def out(self) -> Array:
        """(N, M); the caller may overwrite it once nothing else is asked."""

    @property
    def state(self) -> object:
        """What the layer carries to its next pass; opaque, and never altered by a later pass."""

    def running(self) -> Statistics | None:
        """The running statistics after this pass, (M,) each; None where the layer keeps none."""

    def backward(self, dout: Array) -> Gradients:
        """The gradients of sum(dout * out), in the shapes that ``Gradients`` states."""


class Traits(NamedTuple):
    """What a layer can be asked for."""

    recognised: str = ""
    """One sentence, as ``--verbose`` shows it: what was found, and by which conventions it is called."""
    packs: bool = True
    """Takes any number of columns; otherwise only as many as the batch has."""
    compiles: bool = False
    """Every new shape of x costs it more than many passes in a known one, as what is compiled does."""
    apart: bool = False
    """Of a block of columns it makes what it makes of them among the others, by construction: nobody need look."""
    takes_eps: bool = True
    """Uses the eps of the settings; otherwise a value of its own."""
    takes_momentum: bool = True
    kept_by_default: float | None = None
    """The share of the running statistics that it keeps where nobody says otherwise, if that is known."""
    differentiates_test_mode: bool = False
    """Its backward follows a test-mode forward too, as automatic differentiation does."""
    has_backward: bool = True
    unchecked: str = ""
    """What speaks of being its backward pass, if it has none that could be called."""
    has_test_mode: bool = True
    by_gradients: bool = False
    """Its test mode is where gradients are off: eval() by itself leaves it in training."""
    keeps_statistics: bool = True
    takes_statistics: bool = False
    """Somebody else keeps them: its test mode is given the statistics that it normalizes by."""
    keeps_none_by_choice: bool = False
    """It was told to keep no running statistics, as PyTorch's track_running_stats=False tells it."""
    bare: bool = False
    """It has no gamma and no beta, and they are applied to what it returns."""
    starts_anywhere: bool = True
    """Running statistics can be set before a pass; otherwise they are what earlier passes made them."""
    unreached: str = ""
    """One clause: what of it no pass goes through here."""
    widest: DTypeLike = "longdouble"
    """The widest dtype that the layer accepts; float64, say, for a layer of PyTorch's."""
    source: tuple[str, ...] = ()
    """Where the layer's code stands, as file:function."""


def limit_of(traits: Traits) -> str | None:
    """The dtype of a layer, or of its device, that has no float64: batches are then narrowed to it."""
    widest = np.dtype(traits.widest)
    return widest.name if widest.itemsize < np.dtype(np.float64).itemsize else None


class Spelled(NamedTuple):
    """Passes of a layer as a person would write them: lines of Python, and what they leave under which name."""

    lines: tuple[str, ...]
    """They take ``module``, where the layer stands, and ``arrays`` by name."""
    results: dict[str, str]
    """Expressions of out, of the gradients and running statistics, and of old_mean and old_var: before the last pass.

    What the layer does not hand out is absent.
    """
    arrays: dict[str, Array]
    """x, gamma, beta, ... in the shapes that the layer takes; earlier is the x of an earlier pass."""
    channels: int
    """The axis of x that has the columns."""


class Spellable(Protocol):
    """A layer whose passes can be written down: an optional trait."""

    def spelled(self, calls: tuple[Call, ...], dout: Array | None) -> Spelled:
        """One forward pass after another, and a backward pass after them if there is a ``dout``.

        Raises Unspelled where they cannot be told in Python.
        """


class Walk(NamedTuple):
    """A forward pass at x that stays where the layer computes, and the way along lines from there."""

    out: Array
    """(N, M), at x itself."""
    along: Callable[[Array, Array, tuple[int, ...]], tuple[Array, Array]]
    """(direction (N, 1) or (N, M), lengths (M,), K multiples) -> ((K, M), (M,)).

    Of what out changes by at x + multiple * lengths * direction: the sums over the rows, weighted, for each multiple;
    and those of its squares, for the first.  Each point has a pass of its own, which leaves no trace in the next.
    """


class Walkable(Protocol):
    """A layer that perturbs and reduces on its own device, so that no array of the size of x returns: optional."""

    def walk(self, call: Call, weights: Array) -> Walk | None:
        """From ``call.x``, with ``weights`` (N, M); None where that cannot be done, as for an out of another shape."""


class Keeping(Protocol):
    """A pass that shows what it keeps for its backward: an optional trait."""

    def kept(self) -> dict[str, Array]:
        """Arrays by the name under which they are kept, as they were before any backward pass, in whatever shape."""


class Layer(Protocol):
    """Anything whose forward pass can be called with arguments of our choosing."""

    @property
    def name(self) -> str:
        """As a report shows it."""

    @property
    def traits(self) -> Traits:
        """What can be asked of it."""

    def forward(self, call: Call, state: object = None) -> Pass:
        """Makes a forward pass in the dtype of ``call.x``, leaving no trace in the arguments or in ``state``.

        ``state`` None starts afresh; that of an earlier pass goes on from it.  ``call.running`` None leaves the
        running statistics to the layer and its state; given, they are what the pass starts from.
        """
