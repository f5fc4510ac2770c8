"""Stand-ins for what else a class is handed: a regularizer, an activation, the layer before it."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from bncheck.layers import conventions as names
from bncheck.layers.conventions import flat, role_of, words
from bncheck.layers.dotted import Settings

_ACTIVATIONS: Final = {"activation", "act", "activ", "nonlinearity", "activationfunction"}
_REGULARIZERS: Final = {"regularizer", "regularization", "regulariser", "regularisation", "reg", "penalty"}
_LAYERS: Final = {"layer", "prev", "previous", "parent", "inbound", "lin"}
_SETTINGS: Final = {
    "cfg",
    "config",
    "conf",
    "settings",
    "opts",
    "options",
    "hparams",
    "args",
    "params",
    "hyperparameters",
}
_SLOPE: Final = re.compile(r"^d|deriv|prime|grad|slope", re.IGNORECASE)


class Regularizer:
    """Asks for nothing: a step leaves the parameters as they are, every other answer is zero."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._step if name in names.STEPS else lambda *_, **__: 0.0

    def __call__(self, *_: Any, **__: Any) -> float:
        return 0.0

    @staticmethod
    def _step(parameters: Any, *_: Any, **__: Any) -> Any:
        return parameters


class Activation:
    """The identity, forwards and backwards."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _ones if _SLOPE.search(name) else self

    def __call__(self, value: Any, *_: Any, **__: Any) -> Any:
        return value


def _ones(value: Any, *_: Any, **__: Any) -> Any:
    return np.ones_like(value)


class LayerBefore:
    """Knows how wide it is."""

    def __init__(self, d: int, shape: tuple[int, ...]) -> None:
        self.units, self.output_shape = d, shape

    def __getattr__(self, name: str) -> Any:
        found = None if name.startswith("__") else role_of(name)
        if found is None or found.role not in ("size", "shape"):
            raise AttributeError(name)
        return self.units if found.role == "size" else self.output_shape


def stand_in(name: str, d: int, shape: tuple[int, ...], asked: frozenset[str] = frozenset()) -> Any:
    """For an argument of that name, of which certain attributes or keys are asked; None where it says nothing."""
    parts = {*words(name), flat(name)}
    if parts & _SETTINGS and asked:
        roles = {key: meant.role for key in asked if (meant := role_of(key))}
        values: dict[str, Any] = {
            "size": d,
            "shape": shape,
            "eps": 1e-5,
            "momentum": 0.9,
            "mode": "train",
            "flag": True,
        }
        return Settings({key: values[role] for key, role in roles.items() if role in values})
    if parts & _ACTIVATIONS:
        return Activation()
    if parts & _REGULARIZERS:
        return Regularizer()
    return LayerBefore(d, shape) if _LAYERS & {*words(name)[-1:], flat(name)} else None
