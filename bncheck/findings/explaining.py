"""The catalogue as text: what `bncheck explain` shows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from textwrap import dedent
from typing import Any

from bncheck.errors import BadInput
from bncheck.explanation import Contents, Explanation
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.entry import Entry, right


def contents() -> Contents:
    """Every finding."""
    return Contents(tuple(map(_explanation, CATALOGUE.values())))


def explain(code: str) -> Explanation:
    """One finding; raises BadInput for a code that there is not."""
    return _explanation(entry(code))


def entry(code: str) -> Entry:
    """Raises BadInput for a code that there is not."""
    if (found := CATALOGUE.get(code.upper())) is None:
        raise BadInput(f"there is no finding {code}: `bncheck explain` lists them")
    return found


def _explanation(found: Entry) -> Explanation:
    wrong = _source([found.specimen] if found.specimen else found.wrong.values())
    return Explanation(
        code=found.code,
        title=found.title,
        severity=found.severity,
        why=found.why,
        shows=found.shows,
        wrong=wrong,
        right="" if found.specimen else _source(map(right, found.wrong)),
        mend=found.hint,
        seen=tuple((seen.where, seen.what) for seen in found.seen),
    )


def _source(functions: Iterable[Callable[..., Any]]) -> str:
    return "\n\n".join(dedent(inspect.getsource(function)).rstrip() for function in functions)
