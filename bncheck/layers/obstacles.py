"""What keeps a layer from being run here and is no mistake of its own."""

from __future__ import annotations

import numpy as np

from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.layers.classes.layer import ClassLayer
from bncheck.layers.isolation import Unrunnable
from bncheck.layers.protocol import Call, Layer
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode

_ROWS, _COLUMNS = 24, 5


def obstacle(layer: Layer, lost: dict[str, str]) -> str | None:
    """One clause, found out by running it; ``lost`` says by definition what is missing and would explain a failure."""
    homes = [place.rpartition(":")[2].partition(".")[0] for place in layer.traits.source]
    for mode in Mode:
        try:
            _run(layer, mode)
        except Unrunnable as error:
            return str(error)
        except NotImplementedByLayer:
            continue
        except LayerRaised as error:
            if known := [lost[home] for home in homes if home in lost]:
                return known[0]
            if isinstance(layer, ClassLayer) and layer.runs_as_made(mode):
                return f"it runs as it is made, and not with the parameters that it is given here: {error}"
    return None


def _run(layer: Layer, mode: Mode) -> None:
    x = np.random.default_rng(5).normal(size=(_ROWS, _COLUMNS))
    made = layer.forward(Call(x, np.ones(_COLUMNS), np.zeros(_COLUMNS), None, LayerSettings(mode)))
    if layer.traits.has_backward and mode is Mode.TRAIN:
        made.backward(x[::-1].copy())
