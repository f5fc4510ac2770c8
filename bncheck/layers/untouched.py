"""An argument that had to be made up: whether the user's code has used it by the time that it fails.

What nobody has looked at cannot be to blame.
"""

from __future__ import annotations

from typing import Any


class Touched(Exception):  # noqa: N818, it names what happened
    """The value is asked for."""


class Untouched:
    """May be handed on and stored; whatever else is done with it fails, and is remembered."""

    __slots__ = ("is_touched",)

    def __init__(self) -> None:
        self.is_touched = False

    def __getattr__(self, name: str) -> Any:
        # Copying asks for these, and answers for itself where they are absent.
        if not (name.startswith("__") and name.endswith("__")):
            self._touch()
        raise AttributeError(name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Untouched:
        return self

    def _touch(self, *_: object, **__: object) -> Any:
        self.is_touched = True
        raise Touched

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _touch
    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __setitem__ = __call__ = _touch
    __int__ = __float__ = __index__ = __array__ = __str__ = __repr__ = __format__ = _touch
    __add__ = __sub__ = __mul__ = __matmul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _touch
    __radd__ = __rsub__ = __rmul__ = __rmatmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _touch
    __neg__ = __abs__ = __and__ = __or__ = __enter__ = __array_ufunc__ = __array_function__ = _touch
    __hash__ = object.__hash__
