"""By which conventions a class of the user's is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bncheck.layers.classes.handed import NOTHING, Handed
from bncheck.layers.classes.instances import Slot
from bncheck.layers.classes.layouts import ROWS
from bncheck.layers.classes.methods import Arguments, Switch
from bncheck.layers.classes.recipes import Raw, Recipe
from bncheck.layers.conventions import Path
from bncheck.settings import LayerSettings

UNKNOWN: Final = Arguments(())
RATE: Final = 64.0
"""A large learning rate, so that old - new gives the gradient back to the last digit."""


@dataclass(frozen=True)
class Plan:
    """By which conventions a class is used."""

    recipe: Recipe
    forward: str
    forward_arguments: Arguments
    switch: Switch
    backward: str | None = None
    backward_arguments: Arguments = UNKNOWN
    handed: Handed = NOTHING
    """What is no argument or result of its passes."""
    slots: dict[str, Slot] = field(default_factory=dict)
    steps: bool = False
    """The gradients show only in the step that backward takes."""
    shows: str = ""
    """The method that shows the gradients afterwards: get_grads(), or update(lr)."""
    rates: tuple[Path, ...] = ()
    """Where the learning rates of that step stand."""
    rate: float = RATE
    """That of the step, where it stands in the code and cannot be set."""
    backs: bool = False
    """Its running statistics move in the backward pass too, or in it alone."""
    turned: bool = False
    """x has features first, and the gradients have them last."""
    warm: bool = False
    """Makes its parameters during the first forward pass, whatever was set before."""
    bare: bool = False
    """It has no gamma and no beta, and they are applied to what it returns."""
    innocent: bool = False
    """No argument that had to be guessed is looked at by its passes: whatever they raise is their own mistake."""
    index: int = 0
    """The number of the layer that is asked for, where there are several."""
    takes_share: bool = False
    """Its momentum is the share taken."""

    @property
    def name(self) -> str:
        return self.recipe.kind.__name__

    @property
    def back_layout(self) -> str:
        return ROWS if self.turned else self.recipe.layout

    def momentum(self, settings: LayerSettings) -> float:
        return 1 - settings.momentum if self.takes_share else settings.momentum

    def raw(self, settings: LayerSettings) -> Raw:
        return Raw(settings.eps, self.momentum(settings))

    def takes(self, role: str) -> bool:
        return self.recipe.takes(role) or self.forward_arguments.has(role) or role in self.slots
