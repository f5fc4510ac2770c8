"""The methods of a user's class: which is the forward pass, how its mode is switched, what its arguments are for."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple

from bncheck.layers import conventions as names
from bncheck.layers.classes.instances import attributes, leaves
from bncheck.layers.classes.passes import find_method, inner_of, plain_beside
from bncheck.layers.classes.text import ClassText, literal
from bncheck.layers.conventions import Path, flat, role_of
from bncheck.layers.enumerations import modes_in, modes_of


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Without self, which a bound method or a class does not show, and without *args."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def parameters_of(instance: Any, method: str, text: ClassText) -> list[inspect.Parameter]:
    """Those that the source shows, where a decorator hides them or **options takes them."""
    bound = getattr(instance, method)
    found, function = parameters(bound), text.functions.get(method)
    if function is None:
        return found
    if not found:
        found = _written_parameters(function)
    return found + _options(function) if function.args.kwarg else found


def constructor(kind: type, text: ClassText) -> list[inspect.Parameter]:
    """As the source shows it, where a decorator hides it."""
    written = text.functions.get("__init__")
    return parameters(kind) or (_written_parameters(written, inspect.Parameter.empty) if written else [])


def _written_parameters(function: ast.FunctionDef, without: Any = None) -> list[inspect.Parameter]:
    """``without`` stands for the default of those that have none, but for the first."""
    arguments = function.args
    given = arguments.args[1:]
    defaults = [without] * (len(given) - len(arguments.defaults)) + [literal(d) for d in arguments.defaults]
    return [
        inspect.Parameter(a.arg, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=d if i >= 1 else inspect._empty)
        for i, (a, d) in enumerate(zip(given, defaults[-len(given) :] if given else [], strict=True))
    ]


def _options(function: ast.FunctionDef) -> list[inspect.Parameter]:
    """kwargs.get("training") and kwargs["training"] as parameters."""
    keys: list[ast.expr] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            keys += node.args[:1]
        elif isinstance(node, ast.Subscript):
            keys.append(node.slice)
    named = dict.fromkeys(literal(key) for key in keys)
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in named
        if isinstance(name, str) and name.isidentifier() and _two_values(name, None, _NO_TEXT)
    ]


def required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty


class Switch(NamedTuple):
    """How train and test mode are told apart."""

    kind: str
    """argument, attribute, entry, answer of a method, methods, pair of forward methods, or none."""
    name: str = ""
    train: Any = None
    test: Any = None
    path: Path = ()
    """To an entry of a dict."""

    def __str__(self) -> str:
        if self.kind == "none":
            return "no test mode"
        if self.kind in ("methods", "pair"):
            return f"test mode by {self.test}()"
        if self.kind == "answer":
            return f"test mode by {self.name}() -> {self.test!r}"
        return f"test mode by {self.kind} {self.name}={self.test!r}"


NO_SWITCH = Switch("none")


_NO_TEXT = ClassText(frozenset(), frozenset(), {})


def find_switch(instance: Any, forward: str, text: ClassText, is_handed_x: bool = True) -> Switch:
    kind = type(instance)
    for parameter in parameters_of(instance, forward, text)[is_handed_x:]:
        modes = modes_of(parameter, getattr(instance, forward))
        if found := modes or _two_values(parameter.name, parameter.default, text):
            return Switch("argument", parameter.name, *found)
    test = find_method(kind, names.TEST_FORWARD) or plain_beside(kind, forward)
    if test and test != forward and parameters(getattr(instance, test)) and not inner_of(kind, "forward"):
        return Switch("pair", forward, forward, test)
    return (
        _answer(instance, text)
        or _attribute(instance, text)
        or _entry(instance, text)
        or _two_methods(instance)
        or _attribute(instance, text, "word")
        or _attribute(instance, text, "trainable")
        or NO_SWITCH
    )


def _attribute(instance: Any, text: ClassText, sort: str = "") -> Switch | None:
    known = {n: getattr(type(instance), n, None) for n in text.attributes} | attributes(instance)
    for name, value in sorted(known.items(), key=lambda item: getattr(role_of(item[0]), "rank", 0)):
        if callable(value) or name in text.called or _sort_of_flag(name, instance, text) != sort:
            continue
        if value is None or isinstance(value, (bool, int, str, Enum)):
            found = _two_values(name, value, text)
            if found and (name in text.attributes or not text.attributes):
                return Switch("attribute", name, *found)
    return None


def _sort_of_flag(name: str, instance: Any, text: ClassText) -> str | None:
    """ "" for a name of the tables, "word" for what a condition asks for whose name has such a word in it."""
    if meant := role_of(name):
        return "trainable" if meant.role == "trainable" else ""
    # None stands for what a missing base class would have set.
    is_none = name in attributes(instance) and getattr(instance, name, None) is None
    return "word" if name in text.tested and not is_none and "valid" not in names.flat(name) else None


def _answer(instance: Any, text: ClassText) -> Switch | None:
    """self.is_training(), which a missing base class would have had."""
    for name in sorted(text.called):
        asks = name in text.tested or names.flat(name).startswith("is")
        if asks and not hasattr(instance, name) and (found := _two_values(name, None, text)):
            return Switch("answer", name, *found)
    return None


def _entry(instance: Any, text: ClassText) -> Switch | None:
    """self.settings["mode"], where there already is a word."""
    for path, value in leaves(instance):
        meant = role_of(str(path[-1][1]))
        if path[-1][0] == "[" and isinstance(value, str) and meant and meant.role == "mode":
            train, test = _two_values("mode", value, text) or ("train", "test")
            return Switch("entry", str(path[-1][1]), train, test, path)
    return None


def _two_values(name: str, value: Any, text: ClassText) -> tuple[Any, Any] | None:
    if isinstance(value, Enum):
        return modes_in(type(value))
    meant = role_of(name)
    role = meant.role if meant else _flag_in(name) if value in (None, True, False, inspect.Parameter.empty) else ""
    if role == "mode" or (role in ("flag", "inverted") and isinstance(value, str)):
        if isinstance(value, bool):
            return True, False
        if isinstance(value, int):
            return value, int(not value)
        return text.word(names.TRAIN_WORDS, "train"), text.word(names.TEST_WORDS, "test")
    return {"flag": (True, False), "trainable": (True, False), "inverted": (False, True)}.get(role)


def _flag_in(name: str) -> str:
    """phase_train and use_test_stats, by a word in them."""
    parts = set(names.words(name))
    return "flag" if parts & set(names.TRAIN_WORDS) else "inverted" if parts & set(names.TEST_WORDS) else ""


def _two_methods(instance: Any) -> Switch | None:
    pair = [_bare(instance, table) for table in (names.TRAIN_METHODS, names.TEST_METHODS)]
    return Switch("methods", "", pair[0], pair[1]) if pair[1] else None


def _bare(instance: Any, table: Iterable[str]) -> str | None:
    found = find_method(type(instance), table)
    return found if found and not any(required(p) for p in parameters(getattr(instance, found))) else None


class Arguments(NamedTuple):
    """What a method wants: parameter by parameter the name of a value, "" for None."""

    roles: tuple[tuple[str, str], ...]
    without_data: bool = False
    """Takes what it works on from the instance."""

    def call(self, method: Callable[..., Any], values: dict[str, Any], main: str) -> Any:
        """``main`` is all that a method is given whose parameters are not known, behind a decorator say."""
        if not self.roles and not self.without_data:
            return method(values[main])
        return method(**{name: values.get(role) for name, role in self.roles})

    def has(self, role: str) -> bool:
        return any(role == other for _, other in self.roles)


_OF_BACKWARD = ("x", "cache", "lr", "optimizer", "gamma", "beta", "eps", "index", "grads")
_FLAGS = ("flag", "inverted", "mode")
_OF_FORWARD = ("gamma", "beta", "eps", "momentum", "lr", "index")


def forward_arguments(found: list[inspect.Parameter], switch: Switch, is_handed_x: bool = True) -> Arguments:
    main = _main(found) if is_handed_x else None
    roles = [(main.name, "x")] if main else []
    for parameter in found:
        meant = role_of(parameter.name)
        if parameter is main:
            continue
        if switch.kind == "argument" and parameter.name == switch.name:
            roles.append((parameter.name, "switch"))
        elif meant and meant.role in _OF_FORWARD:
            roles.append((parameter.name, meant.role))
        elif required(parameter):
            roles.append((parameter.name, ""))
    return Arguments(tuple(roles), not is_handed_x)


def data_of(function: Callable[..., Any]) -> str:
    """The name of the parameter that takes x."""
    found = [p for p in parameters(function) if p.name != "self"]
    main = _main(found)
    return main.name if main else ""


def _main(found: list[inspect.Parameter]) -> inspect.Parameter | None:
    def is_data(parameter: inspect.Parameter) -> bool:
        meant = role_of(parameter.name)
        return bool(meant and meant.role == "x")

    return next((p for p in found if is_data(p)), found[0] if found else None)


def _of_step(name: str) -> names.Meaning | None:
    """alpha is a momentum in a forward pass and a learning rate in a backward pass."""
    return names.Meaning("lr") if flat(name) in names.RATES else None


def backward_arguments(given: list[inspect.Parameter], is_handed_dout: bool = True) -> Arguments:
    """backward(dout), (dout, cache), (input, gradOutput), (dout, lr), (dout, optimizer)."""
    if not is_handed_dout:
        known = [(p, meant.role) for p in given if (meant := role_of(p.name)) and (required(p) or meant.role == "lr")]
        return Arguments(tuple((p.name, "switch" if role in _FLAGS else role) for p, role in known), True)
    found = [(p, _of_step(p.name) or role_of(p.name)) for p in given]
    wanted = [(p, meant.role if meant else "") for p, meant in found if required(p) or (meant and meant.role == "lr")]
    wanted = [
        (p, "grads" if i and flat(p.name) in names.GRADIENT_HOLDERS else role) for i, (p, role) in enumerate(wanted)
    ]
    free = [p.name for p, role in wanted if role not in _OF_BACKWARD]
    upstream = free[0] if free else wanted[0][0].name if wanted else found[0][0].name if found else ""
    # What else it asks for are the further results of the forward pass, in their order.
    rest = {name: f"rest{i}" for i, name in enumerate(free[1:])}
    roles = {p.name: rest.get(p.name, role) for p, role in wanted}
    return Arguments(tuple((roles | ({upstream: "dout"} if upstream else {})).items()))
