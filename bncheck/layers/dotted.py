"""Settings, as people hand them on: by key or by attribute."""

from __future__ import annotations

from typing import Any


class Settings(dict[str, Any]):
    """A dict whose keys are attributes too."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]

    def save_for_backward(self, *values: Any) -> None:
        """As a context of PyTorch's keeps them."""
        self["saved_tensors"] = self["saved_values"] = values

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value
