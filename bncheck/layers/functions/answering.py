"""Dicts of parameters whose keys are made as they are asked for: params["gamma" + str(l)], params[name]["gamma"]."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Roles = Callable[[str], str]


class Answering(dict[Any, Any]):
    """Has what it is asked for, by what the key means; the name of a layer leads to a dict of the same kind."""

    def __init__(self, held: dict[Any, Any], answers: dict[str, Any], role_of: Roles) -> None:
        super().__init__()
        self.answers, self.role_of = answers, role_of
        for key, value in held.items():
            if isinstance(value, dict):
                self[key] = Answering(value, answers, role_of)
            elif self._known(key) is None:
                self[key] = value

    def __missing__(self, key: Any) -> Any:
        made = self._known(key)
        if made is None and not _is_label(key):
            raise KeyError(key)
        self[key] = Answering({}, self.answers, self.role_of) if made is None else made
        return self[key]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or self._known(key) is not None

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def entries(self) -> Iterator[tuple[str, Any]]:
        """What it holds of what it has answers for, by role."""
        for key, value in self.items():
            if isinstance(value, Answering):
                yield from value.entries()
            elif (role := role_in(key, self.role_of)) in self.answers:
                yield role, value

    def _known(self, key: object) -> Any:
        return self.answers.get(role_in(key, self.role_of))


def role_in(key: object, role_of: Roles) -> str:
    """gamma of gamma1, bn1_gamma and layer1.gamma."""
    parts = [part for part in re.split(r"[\d_.:/\s-]+", str(key)) if part]
    return next((role for said in ("_".join(parts), *parts[::-1]) if (role := role_of(said))), "")


def _is_label(key: object) -> bool:
    return isinstance(key, int | tuple) or bool(re.fullmatch(r"(?i)|.*(bn|norm|layer|block|l)[_\d]*", str(key)))
