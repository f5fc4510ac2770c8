"""Instances of a user's class: made, copied, and their parameters, statistics and gradients read and written."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from bncheck.arrays import Array
from bncheck.layers.conventions import COUNTED_RANK, PLAIN_RANK, Meaning, Path, meaning
from bncheck.layers.untouched import Untouched

_CODE = (type, types.ModuleType, types.FunctionType)
_ATOMS = (int, float, complex, str, bytes, bool, type(None), np.generic, Untouched, *_CODE)
_DEPTH = 4


def clone(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy that is quick for what layers hold, and shares what cannot be copied."""
    if isinstance(value, _ATOMS):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, np.ndarray):
        made = memo[id(value)] = value.copy()
        return made
    if isinstance(value, Recorder):
        return copy.copy(value)
    if isinstance(value, types.MethodType):
        return types.MethodType(value.__func__, clone(value.__self__, memo))
    if type(value) in (list, dict, tuple, set):
        return _clone_container(value, memo)
    return _clone_object(value, memo)


def _clone_container(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        kept = memo[id(value)] = {}
        kept.update((key, clone(item, memo)) for key, item in value.items())
        return kept
    if isinstance(value, list):
        items = memo[id(value)] = []
        items.extend(clone(item, memo) for item in value)
        return items
    made = memo[id(value)] = type(value)(clone(item, memo) for item in value)
    return made


def _clone_object(value: Any, memo: dict[int, Any]) -> Any:
    if _is_plain(type(value)):
        made = memo[id(value)] = object.__new__(type(value))
        for key, item in vars(value).items():
            made.__dict__[key] = clone(item, memo)
        return made
    try:
        made = copy.deepcopy(value, memo)
    except Exception:
        made = value  # locks, generators and files cannot be copied, and hold no state of the layer's
    memo[id(value)] = made
    return made


class _Plain:
    pass


_KNOWN: WeakKeyDictionary[type, bool] = WeakKeyDictionary()


def _is_plain(own: type) -> bool:
    """Whether an object of this class is its __dict__ and nothing else, and copies itself in no way of its own."""
    if own not in _KNOWN:
        ways = ("__deepcopy__", "__reduce_ex__", "__reduce__", "__getstate__", "__setstate__", "__slots__")
        usual = not any(vars(base).get(way) for base in own.__mro__ if base is not object for way in ways)
        _KNOWN[own] = usual and own.__dictoffset__ != 0 and own.__basicsize__ == _Plain.__basicsize__
    return _KNOWN[own]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything inside an instance that can be read and set, containers and wrappers opened."""
    for step, item in _children(value):
        if isinstance(item, Untouched):
            continue
        here = (*path, step)
        yield here, item
        if len(here) < _DEPTH and not isinstance(item, (*_ATOMS, np.ndarray)):
            yield from leaves(item, here)


def _children(value: Any) -> Iterator[tuple[tuple[str, str | int], Any]]:
    if isinstance(value, dict):
        yield from ((("[", key), item) for key, item in list(value.items()) if isinstance(key, str))
    elif isinstance(value, (list, tuple)):
        yield from ((("[", i), item) for i, item in enumerate(value[:4]))
    else:
        yield from (((".", key), item) for key, item in attributes(value).items())


def attributes(value: Any) -> dict[str, Any]:
    """Of an object, those in its slots included."""
    found = dict(getattr(value, "__dict__", {}))
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and not name.startswith("__"):
                found[name] = getattr(value, name)
    return found


def get(instance: Any, path: Path) -> Any:
    """Raises AttributeError, KeyError, IndexError or TypeError where the path does not lead anywhere."""
    for kind, step in path:
        instance = getattr(instance, str(step)) if kind == "." else instance[_key(instance, step)]
    return instance


def _key(owner: Any, key: str | int) -> str | int:
    """gamma3 for gamma0, in an instance that has come to another count."""
    if not isinstance(owner, dict) or not isinstance(key, str) or key in owner:
        return key
    stem = key.rstrip("0123456789")
    alike = [one for one in owner if isinstance(one, str) and stem != key and one.rstrip("0123456789") == stem]
    return alike[0] if len(alike) == 1 else key


def put(instance: Any, path: Path, value: object) -> None:
    owner = get(instance, path[:-1])
    kind, step = path[-1]
    if kind == ".":
        setattr(owner, str(step), value)
    elif isinstance(owner, tuple):
        put(instance, path[:-1], tuple(value if i == step else item for i, item in enumerate(owner)))
    else:
        owner[_key(owner, step)] = value


NOWHERE = (AttributeError, KeyError, IndexError, TypeError)


class Slot(NamedTuple):
    """Where an array of D numbers lives inside instances of a class, and in which shape."""

    paths: tuple[Path, ...]
    """More than one where the class holds the same array under several names."""
    pattern: tuple[int, ...] | None
    """The shape, -1 for D; None where the array does not hold D numbers."""
    is_history: bool = False
    """A list that each step lengthens, and whose mean is meant."""

    @property
    def label(self) -> str:
        text = "".join(f".{step}" if kind == "." else f"[{step!r}]" for kind, step in self.paths[0])
        return text.removeprefix(".")

    def write(self, instance: Any, values: Array) -> None:
        shaped = values.reshape(self.pattern) if self.pattern is not None else values.copy()
        made: Any = [shaped] if self.is_history else shaped
        if not self.is_history and isinstance(self.read(instance), list):
            made = shaped.astype(float).tolist()
        for path in self.paths:
            put(instance, path, made)

    def read(self, instance: Any) -> Any:
        try:
            value = get(instance, self.paths[0])
        except NOWHERE:
            return None
        return (np.mean(value, axis=0) if value else None) if self.is_history else value


def pattern_of(value: Any, d: int) -> tuple[int, ...] | None:
    """(1, 3, 1, 1) is (1, -1, 1, 1) where D is 3.  What is not D numbers has no pattern; a scalar grows to (D,)."""
    if isinstance(value, np.ndarray) and value.size == d and value.ndim and d in value.shape:
        return tuple(-1 if n == d else 1 for n in value.shape)
    return (-1,) if is_listed(value) and len(value) == d else None


def is_listed(value: Any) -> bool:
    """A list of numbers, which stands for a row where there are no arrays."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, float) for one in value)


def find_slots(before: Any, after: Any, d: int) -> dict[str, Slot]:
    """What an instance holds, by role, after it has run once; ``before`` is the same one fresh."""
    fresh = dict(leaves(before))
    ranked: dict[str, list[tuple[tuple[bool, int, bool, int], Path, Any]]] = {}
    for path, value in leaves(after):
        found = meaning(path)
        if found and _can_be(found, path, value, fresh, d):
            # A number may share a parameter's name, as the beta of an average does.
            shapeless = pattern_of(value, d) is None and found.role in ("gamma", "beta")
            # Of two that run by their names, the one that training moves.
            idle = found.role in ("mean", "var") and np.array_equal(value, fresh.get(path, value))
            order = (shapeless, found.rank, idle, len(path))
            value = _History(value) if _is_history(path, value, fresh) else value
            ranked.setdefault(found.role, []).append((order, path, value))
    return {role: _slot(sorted(places, key=lambda place: place[0]), d) for role, places in ranked.items()}


class _History(list[Any]):
    """Statistics of all batches so far."""


def _is_history(path: Path, value: Any, fresh: dict[Path, Any]) -> bool:
    """An array in a list that was empty before the pass."""
    before = fresh.get(path)
    began = isinstance(before, list) and not before and isinstance(value, list) and len(value) == 1
    return began and isinstance(value[0], np.ndarray)


def _slot(places: list[tuple[tuple[bool, int, bool, int], Path, Any]], d: int) -> Slot:
    _, first, value = places[0]
    if isinstance(value, _History):
        return Slot((first,), pattern_of(value[0], d), is_history=True)
    others = [path for _, path, other in places[1:] if other is value and isinstance(value, np.ndarray)]
    return Slot((first, *others), pattern_of(value, d))


def _can_be(found: Meaning, path: Path, value: Any, fresh: dict[Path, Any], d: int) -> bool:
    is_array = (isinstance(value, np.ndarray) and value.dtype.kind == "f") or is_listed(value)
    # beta1 and beta2 of an optimizer are numbers.
    counted = found.rank >= COUNTED_RANK
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and not counted
    if found.role in ("mean", "var"):
        is_array = is_array or _is_history(path, value, fresh)
        # A plain ``mean`` that appears only in the forward pass is the batch's.
        return (is_array or is_number) and (found.rank < PLAIN_RANK or fresh.get(path) is not None)
    if found.role in ("gamma", "beta"):
        return (is_array and np.size(value) in (1, d)) or is_number
    if found.role in ("dgamma", "dbeta"):
        return is_array or is_number
    return is_number and found.role in ("eps", "momentum", "lr")


def index_of(instance: Any) -> int:
    """Of the first layer in it whose gamma has a number; 0 where none has."""
    for path, value in leaves(instance):
        found = meaning(path)
        if found and found.role == "gamma" and found.rank >= COUNTED_RANK and isinstance(value, np.ndarray):
            name = str(path[-1][1])
            return int(name[len(name.rstrip("0123456789")) :])
    return 0


def is_number_of(path: Path, value: Any, role: str) -> bool:
    found = meaning(path)
    return found is not None and found.role == role and isinstance(value, float)


@dataclass
class Recorder:
    """An optimizer that steps, as optimizers do, and remembers what gradients it was handed."""

    learning_rate: float = 0.01
    log: list[tuple[Any, Any]] = field(default_factory=list)

    def update(self, *arguments: Any, **named: Any) -> Any:
        given = [*arguments, *named.values()]
        if len(given) > 1 and type(given[0]) is type(given[1]) and isinstance(given[0], (dict, list)):
            return self._update_all(given[0], given[1])
        arrays = [value for value in given if isinstance(value, (np.ndarray, float, int, np.number))]
        if len(arrays) < 2:
            self.log.append((None, arrays[0] if arrays else None))
            return self.learning_rate * arrays[0] if arrays else None
        self.log.append((arrays[0], arrays[1]))
        return arrays[0] - self.learning_rate * arrays[1]

    __call__ = step = apply = optimize = get_update = use = update_weights = update_params = apply_gradients = update

    def _update_all(self, weights: Any, gradients: Any) -> Any:
        keys = weights if isinstance(weights, dict) else range(len(weights))
        for key in keys:
            weights[key] = self.update(weights[key], gradients[key])
        return weights

    @property
    def lr(self) -> float:
        return self.learning_rate

    def __copy__(self) -> Recorder:
        return Recorder(self.learning_rate, self.log)

    def __deepcopy__(self, memo: dict[int, Any]) -> Recorder:
        return self.__copy__()

    def find(self, parameter: str, value: Any) -> Any:
        """The gradient that came with this value of gamma or beta; failing that, by order: gamma first."""
        for weights, gradient in self.log:
            if np.shape(weights) == np.shape(value) and np.array_equal(weights, value):
                return gradient
        place = ("gamma", "beta").index(parameter)
        return self.log[place][1] if len(self.log) > place else None
