"""How much, as people write it."""

from __future__ import annotations

from typing import Any

import click


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: 512MiB, 2GiB, 1e9."""

    name = "size"
    _units = ("", "k", "m", "g", "t")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip().lower().removesuffix("ib").removesuffix("b")
        unit = text[-1:] if text[-1:] in self._units[1:] else ""
        try:
            size = float(text.removesuffix(unit)) * 1024 ** self._units.index(unit)
        except ValueError:
            size = 0.0
        if not 0 < size < float("inf"):
            self.fail(f"{value!r} is no size; write 512MiB or 2GiB", param, ctx)
        return int(size)
