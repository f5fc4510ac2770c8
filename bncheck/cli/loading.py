"""How the library is loaded."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Import heavy modules within this.

    They are there to stay, and Python's collector would look through them for garbage time and again while they grow,
    and once more at the end: an eighth of what a small check takes.  What has been loaded it leaves alone from then on.
    """
    before = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        # Frozen only after something new: whoever runs many commands in one process wants the rest looked through.
        if len(sys.modules) > before:
            gc.freeze()
        gc.enable()
