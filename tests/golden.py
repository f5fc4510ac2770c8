"""Whole outputs kept as files, so that what a change does to them is seen.

``BNCHECK_GOLDEN=update pytest tests/test_trace.py`` writes them anew; look at the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
UPDATE = "BNCHECK_GOLDEN"


def same(name: str, text: str) -> None:
    """That ``text`` is what stands in the file of this name, to the character."""
    path = FOLDER / name
    if os.environ.get(UPDATE) == "update":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing: {UPDATE}=update writes it"
    assert text == path.read_text(encoding="utf-8"), f"{path} differs: {UPDATE}=update writes it anew"
