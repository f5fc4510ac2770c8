"""x and dout, where a class reads them from itself: layer.input = x; layer.forward(); layer.output."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from bncheck.layers.classes.instances import NOWHERE, get, put
from bncheck.layers.conventions import INPUT_GRADIENTS, OUTPUTS, UPSTREAM, Path, flat, role_of
from bncheck.layers.isolation import Unrunnable

# Parameters that are no data, wherever they stand.
_SETTINGS: Final = {"flag", "inverted", "mode", "trainable", "lr", "momentum", "eps", "index", "optimizer"}


class Handed(NamedTuple):
    """Paths from an instance; empty where x, dout and dx are an argument or a result."""

    x: Path = ()
    dout: Path = ()
    dx: Path = ()


NOTHING: Final = Handed()


def x_of(functions: dict[str, ast.FunctionDef], forward: str, shown: list[inspect.Parameter]) -> Path:
    """self.input or self.previous.output, which the forward pass reads and never sets."""
    return () if _has_data(shown) else _read(functions, forward, _is_input)


def gradients_of(
    functions: dict[str, ast.FunctionDef], backward: str, shown: list[inspect.Parameter]
) -> tuple[Path, Path]:
    """self.delta, which the backward pass reads, and self.previous.delta, which it sets."""
    dout: Path = () if _has_data(shown) else _read(functions, backward, _is_upstream)
    stored = [use.chain for use in _uses(functions, backward) if use.is_set and len(use.chain) > 1]
    dx = [chain for chain in stored if flat(chain[-1]) in {*UPSTREAM, *INPUT_GRADIENTS}] if dout else []
    return dout, _path(dx[0]) if dx else ()


def hand(instance: Any, path: Path, value: Any, name: str) -> None:
    if path:
        try:
            put(instance, path, value)
        except NOWHERE as error:
            said = f"{name} takes its input from {shown(path)}, and there is nothing of that kind here"
            raise Unrunnable(said) from error


def found(instance: Any, path: Path) -> Any:
    try:
        return get(instance, path) if path else None
    except NOWHERE:
        return None


def shown(path: Path) -> str:
    return ".".join(["self", *(str(step) for _, step in path)])


def _has_data(shown: list[inspect.Parameter]) -> bool:
    roles = [role_of(p.name) for p in shown]
    return any(role is None or role.role not in _SETTINGS for role in roles)


def _is_input(chain: tuple[str, ...]) -> bool:
    meant = role_of(chain[-1])
    return bool(meant and meant.role == "x") if len(chain) == 1 else flat(chain[-1]) in OUTPUTS


def _is_upstream(chain: tuple[str, ...]) -> bool:
    return len(chain) == 1 and flat(chain[0]) in UPSTREAM


def _read(functions: dict[str, ast.FunctionDef], method: str, is_it: Callable[[tuple[str, ...]], bool]) -> Path:
    """What is read before it is set, if it is set at all."""
    uses = sorted(_uses(functions, method), key=lambda use: (use.line, not use.is_set))
    first = {use.chain: use for use in reversed(uses) if len(use.chain) < 3}
    read = [chain for chain, use in first.items() if not use.is_set and is_it(chain)]
    return _path(read[-1]) if read else ()


def _path(chain: tuple[str, ...]) -> Path:
    return tuple((".", name) for name in chain)


class _Use(NamedTuple):
    chain: tuple[str, ...]
    """("previous", "output") of self.previous.output."""
    is_set: bool
    line: int


def _uses(functions: dict[str, ast.FunctionDef], method: str) -> Iterator[_Use]:
    """What a method and its helpers do with the attributes of self."""
    own = functions.get(method)
    asked = {node.attr for node in (ast.walk(own) if own else ()) if isinstance(node, ast.Attribute)}
    for function in (own, *(functions[name] for name in sorted(asked & set(functions) - {method}))):
        for node in ast.walk(function) if function else ():
            steps: list[str] = []
            step: ast.AST = node
            while isinstance(step, ast.Attribute):
                steps.insert(0, step.attr)
                step = step.value
            if steps and isinstance(step, ast.Name) and step.id == "self":
                yield _Use(tuple(steps), isinstance(getattr(node, "ctx", None), ast.Store), step.lineno)
