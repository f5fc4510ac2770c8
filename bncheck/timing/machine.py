"""The machine in words."""

from __future__ import annotations

import os
import platform
import re

import numpy as np

from bncheck.benchmark import Machine


def describe() -> Machine:
    return Machine(_cpu(), os.cpu_count() or 1, platform.system(), platform.python_version(), np.__version__)


def _cpu() -> str:
    """As Linux names it, or whatever the system says of its processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123, as in memory.py
            named = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    except OSError:
        named = None
    words = named[1] if named else platform.processor() or platform.machine()
    return " ".join(words.split())
