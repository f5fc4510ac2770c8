"""What the catalogue says, before anyone decides how it looks."""

from __future__ import annotations

from bncheck.explanation import Contents, Explanation
from bncheck.render.document import Block, Code, Document, Table


def document(result: Explanation | Contents, _verbose: bool = False) -> Document:
    return _of_one(result) if isinstance(result, Explanation) else _of_all(result)


def _of_one(result: Explanation) -> Document:
    blocks: list[Block] = [result.why, f"How it shows: {result.shows}"] if result.shows else [result.why]
    blocks += [Code("Wrong:", result.wrong)] if result.wrong else []
    blocks += [Code("Right:", result.right)] if result.right else []
    blocks.append(f"Mend: {result.mend}.")
    if result.seen:
        blocks.append(Table(("seen in", "what was wrong"), tuple(result.seen), words=(0, 1), caption="In public code"))
    blocks.append(f"bncheck explain --run {result.code} checks a layer that has it.")
    return Document(f"{result.code} {result.title} ({result.severity.value})", tuple(blocks))


def _of_all(result: Contents) -> Document:
    rows = tuple((e.code, e.severity.value, e.title) for e in result.entries)
    table = Table(("code", "severity", "finding"), rows, words=(0, 1, 2), caption="The catalogue")
    return Document("What bncheck can find", (table, "bncheck explain CODE says more of each."))
