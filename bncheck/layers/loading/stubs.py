"""What stands in for the modules that a user's file imports and that are not there."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from bncheck.layers.absence import Absent
from bncheck.layers.isolation import Missing
from bncheck.layers.nothing import Nothing

# Modules that promise NumPy's own interface.
NUMPY_ALIKE = {"cupy", "cunumpy", "autograd.numpy", "minpy.numpy", "numpy"}
# Modules whose names are today's built-in ones.
OLD_NAMES = {"past", "future", "six", "__builtin__"}
SUPPLIED: dict[str, object] = {"np": np, "numpy": np, "math": math}
PYTHON_2: dict[str, object] = {
    "xrange": range,
    "unicode": str,
    "basestring": str,
    "long": int,
    "raw_input": input,
    "unichr": chr,
    "reduce": functools.reduce,
    "izip": zip,
    "imap": map,
}
# What is made by these is no array of NumPy's.
FRAMEWORKS = {"torch", "jax", "flax", "equinox", "tensorflow", "mxnet", "paddle", "einops"}
# A constant that is missing: what it is usually set to.
SMALL, EPS = ("eps", "epsilon"), 1e-5
DTYPES = {"dtype", "floatx", "floattype", "floatdtype", "defaultdtype", "dtypefloat", "npdtype", "realtype", "datatype"}
STEPS = {"update", "step", "apply", "optimize", "__call__"}


def numpys(name: str) -> object | None:
    """NumPy's own function of that name; None where it has none."""
    if name.startswith("_") or name in ("test", "load", "save"):
        return None
    found: object = getattr(np, name, None)
    return found if callable(found) or name in ("random", "linalg", "pi", "newaxis") else None


def _nothing(*_: object, **__: object) -> None:
    """Takes whatever it is given."""


class Stub(Absent, NDArrayOperatorsMixin):
    """A module, class, function or decorator that is missing."""

    __all__: tuple[str, ...] = ()
    _name, _made = "", False

    def __init__(self, name: str, made: bool = False) -> None:
        self._name, self._made = name, made
        # Base.__init__(self, ...), as a class calls it that derives from what is missing.
        self.__dict__["__init__"] = _nothing

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return member(self._name, name, self._made)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if len(arguments) == 1 and not options and isinstance(arguments[0], FunctionType | type | staticmethod):
            return arguments[0]
        held = [value for value in (*arguments, *options.values()) if isinstance(value, np.ndarray)]
        last = self._name.rpartition(".")[2]
        if last[:1].isupper():
            return Held(self._name, held[0]) if held else Stub(self._name, made=True)
        if held and self._made and last in STEPS:
            return arguments[0] if arguments else None
        if held:
            raise self._missed()
        return Stub(self._name, self._made)

    def _missed(self) -> Missing:
        return Missing(f"{self._name} is missing, and the layer computes with it")

    def __array_ufunc__(self, *arguments: Any, **options: Any) -> Any:
        raise self._missed()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self._missed()

    def __float__(self) -> float:
        raise self._missed()

    __eq__, __ne__, __hash__ = object.__eq__, object.__ne__, object.__hash__

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        plain = any(isinstance(base, type) and issubclass(base, Nothing) for base in bases)
        first = next(base for base in bases if isinstance(base, Stub))
        return (Nothing,) if first is self and not plain else ()

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __subclasscheck__(self, cls: type) -> bool:
        return False

    def __getitem__(self, key: object) -> Stub:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False

    def __or__(self, other: object) -> Stub:
        return self

    __ror__ = __or__

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __repr__(self) -> str:
        return f"<{self._name}, which is missing>"


class Held(NDArrayOperatorsMixin):
    """An object of a missing class that was made from an array: a parameter of a framework, as a rule."""

    def __init__(self, name: str, array: Any) -> None:
        self.__dict__.update(_name=name, data=array, grad=np.zeros_like(array))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "data" not in self.__dict__:
            raise AttributeError(name)
        if name in ("value", "val"):
            return self.data
        return getattr(self.data, name, None) if hasattr(self.data, name) else Stub(f"{self._name}.{name}", made=True)

    def __setattr__(self, name: str, value: object) -> None:
        self.__dict__["data" if name in ("value", "val") else name] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.data, dtype=dtype) if copy else np.asarray(self.data, dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple(_plain(value) for value in options["out"])
        return getattr(ufunc, method)(*map(_plain, inputs), **options)

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.data[key] = _plain(value)

    def __len__(self) -> int:
        return len(self.data)


def _plain(value: Any) -> Any:
    return value.data if isinstance(value, Held) else value


class Partial:
    """A module that is there and lacks a name that is asked of it."""

    def __init__(self, module: object, name: str, missing: Callable[[str], object]) -> None:
        self._module, self._name, self._missing = module, name, missing

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name, self)
        return found if found is not self else self._missing(name)


def member(module: str, name: str, made: bool = False) -> Any:
    """What stands for a name of a missing module: NumPy's own where it has one."""
    if made:
        return Stub(f"{module}.{name}", made=True)
    if module.partition(".")[0] in OLD_NAMES and hasattr(builtins, name):
        return getattr(builtins, name)
    if name in PYTHON_2 and module.partition(".")[0] in OLD_NAMES:
        return PYTHON_2[name]
    if name.lower() in SMALL:
        return EPS
    if name.replace("_", "").lower() in DTYPES:
        return np.float64
    if f"{module}.{name}" in NUMPY_ALIKE or (name in ("np", "numpy") and module not in FRAMEWORKS):
        return np
    found = None if module.partition(".")[0] in FRAMEWORKS else numpys(name)
    return found if found is not None else Stub(f"{module}.{name}")
