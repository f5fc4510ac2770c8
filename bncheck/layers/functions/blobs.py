"""Dicts that hold a layer's input or output and its gradient side by side, as input["data"] and output["diff"]."""

from __future__ import annotations

import ast
from typing import Any

from bncheck.layers.functions import naming
from bncheck.layers.functions.binding import Values
from bncheck.layers.functions.source import Source

_UPSTREAM = (
    "diff grad gradient dout dy dz delta deltas upstream outgrad outputgrad gradoutput gradout doutput error err dtop "
    "topdiff outdiff dldout dldy dloss"
)


def key_of_dout(source: Source, function: str, parameter: str) -> str:
    """The key under which a backward pass looks for its upstream gradient in an argument; "" for none."""
    node = source.functions.get(function)
    inside = [part for part in (ast.walk(node) if node else ()) if isinstance(part, ast.Subscript)]
    ours = [part for part in inside if isinstance(part.value, ast.Name) and part.value.id == parameter]
    for part in ours:
        key = part.slice.value if isinstance(part.slice, ast.Constant) else None
        if isinstance(part.ctx, ast.Load) and isinstance(key, str) and naming.plain(key) in _UPSTREAM.split():
            return key
    return ""


def holder(name: str, pool: Values, passed: Values, result: Any, cache: Any) -> dict[str, Any]:
    """What a forward pass leaves or was given under this name; the dict that it returns has every name."""
    likely = (pool.get(name), passed.get(name), result, cache)
    return dict(next((one for one in likely if isinstance(one, dict)), {}))
