"""What an array is to the type checker.  At run time NumPy's typing module would cost start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array: TypeAlias = NDArray[Any]
else:
    Array = np.ndarray
    DTypeLike = object

__all__ = ["Array", "DTypeLike"]
