"""Modes that are members of an enumeration: Mode.TRAIN and Mode.EVAL."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Any

from bncheck.layers.conventions import TEST_WORDS, TRAIN_WORDS, words


def modes_of(parameter: inspect.Parameter, function: Any) -> tuple[Enum, Enum] | None:
    """By its default; where it has none, by its annotation."""
    kind = parameter.annotation if parameter.default is parameter.empty else type(parameter.default)
    if isinstance(kind, str):
        kind = getattr(inspect.unwrap(function), "__globals__", {}).get(kind)
    return modes_in(kind) if isinstance(kind, type) and issubclass(kind, Enum) else None


def modes_in(kind: type[Enum]) -> tuple[Enum, Enum] | None:
    """None where the members do not say which is for training and which is not."""
    named = [(one, set(words(one.name))) for one in kind]
    train = [one for one, said in named if said & set(TRAIN_WORDS)]
    test = [one for one, said in named if said & set(TEST_WORDS) and one not in train]
    return (train[0], test[0]) if train and test else None
