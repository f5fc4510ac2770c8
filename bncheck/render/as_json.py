"""JSON that every parser accepts: no NaN, no Infinity."""

from __future__ import annotations

import json

from bncheck.render import Look
from bncheck.report import PassReport, Report


def render(result: Report | PassReport, look: Look) -> str:
    indent = 2 if isinstance(result, Report) else None
    return json.dumps(result.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
