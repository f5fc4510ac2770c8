"""JSON that every parser accepts: no NaN, no Infinity."""

from __future__ import annotations

import json

from bncheck.render import Look, Result
from bncheck.report import PassReport


def render(result: Result, look: Look) -> str:
    # Arrays and maps are for programs to read.
    indent = None if isinstance(result, PassReport) or hasattr(result, "cells") else 2
    return json.dumps(result.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
