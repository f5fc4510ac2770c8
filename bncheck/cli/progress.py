"""How far long work has come, on standard error."""

from __future__ import annotations

import sys
import time
from typing import Any

_PATIENCE = 1.0  # seconds before a bar appears


class ProgressBar:
    """A bar on standard error, if that is a terminal and the work takes more than a second."""

    def __init__(self, what: str, quiet: bool) -> None:
        self._what = what
        self._wanted = sys.stderr.isatty() and not quiet
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: float, expected: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=max(done, expected))
        elif self._wanted and time.monotonic() - self._started > _PATIENCE:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=expected, completed=done)
            self._bar.start()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
