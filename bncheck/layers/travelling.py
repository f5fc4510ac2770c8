"""A layer on its way to another process."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

from bncheck.errors import BadInput
from bncheck.layers.protocol import Layer
from bncheck.layers.reference import Reference


class Traveller(NamedTuple):
    """A layer as it travels: None for the reference, what a user names, or anything picklable."""

    layer: Any = None
    isolate: bool = False
    run: str = ""
    """Which run it is for: between two of them a file may have changed, and a worker lives on."""

    def require_sendable(self) -> None:
        """Raise BadInput where it cannot be sent."""
        try:
            pickle.dumps(self)
        except Exception as error:
            raise BadInput(
                f"the layer cannot be sent to another process ({error}): give the name of its file"
            ) from None


_last: list[tuple[Traveller, Layer, tuple[str, ...]]] = []


def arrived(traveller: Traveller) -> tuple[Layer, tuple[str, ...]]:
    """The layer, and what is to be said of it on standard error.  Raises BadInput unless there is exactly one.

    The last one is kept: a process is sent many pieces of the same work.
    """
    if not _last or _last[0][0] != traveller:
        _last[:] = [(traveller, *_found(traveller))]
    return _last[0][1:]


def _found(traveller: Traveller) -> tuple[Layer, tuple[str, ...]]:
    if traveller.layer is None:
        return Reference(), ()
    from bncheck.layers.resolve import of, resolve

    if not isinstance(traveller.layer, str):
        return of(traveller.layer), ()
    resolved = resolve(traveller.layer, traveller.isolate)
    if len(resolved.layers) > 1:
        names = ", ".join(layer.name for layer in resolved.layers)
        raise BadInput(f"{traveller.layer} holds several layers, {names}: name one of them")
    return resolved.layers[0], resolved.notes
