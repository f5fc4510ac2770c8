"""A large batch that has failed, looked at entry by entry in a sample of it, and what is wrong there by name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.checks import entries
from bncheck.checks.numeric import Question
from bncheck.errors import BadInput, LayerRaised
from bncheck.findings.catalogue import CATALOGUE
from bncheck.passes import require_finite
from bncheck.report import Coverage, Finding, GradientResult
from bncheck.vocabulary import Coverage as Kind
from bncheck.vocabulary import Verdict

_ROWS, _COLUMNS = 192, 16


def diagnose_sample(asked: Question, results: tuple[GradientResult, ...], suspects: list[int]) -> Iterator[Finding]:
    """The findings of a check of every entry on some rows and columns, those that failed among them.

    A mistake of the formulas is in every batch; one that is in none of the sample is told by where it is.
    """
    failed = {r.name: r for r in results if r.verdict is Verdict.FAIL}
    for finding in _of_sample(asked, failed, suspects):
        failed.pop(finding.quantity, None)
        yield finding
    for name, result in failed.items():
        yield CATALOGUE[_code(result)].found(name, result.reason)


def _code(result: GradientResult) -> str:
    if not np.isfinite(result.worst.analytic):
        return "BN003"
    if result.name == "dx":
        return "BN109" if result.wrong else "BN110"
    return "BN205"


def _of_sample(asked: Question, failed: dict[str, GradientResult], suspects: list[int]) -> list[Finding]:
    batch = asked.batch
    wrong = [w.index[0] for r in failed.values() for w in r.wrong if batch.layout is None]
    rows = np.unique([*np.linspace(0, batch.n - 1, min(batch.n, _ROWS)).astype(int), *wrong]).astype(int)
    some = range(min(batch.d, _COLUMNS)) if asked.entangled else sorted(suspects[:_COLUMNS])
    columns = np.array(some) if asked.layer.traits.packs else np.arange(batch.d)
    part = asked._replace(batch=_sample(batch, rows, columns))
    try:
        require_finite(part.call)
        with np.errstate(all="ignore"):
            seen = entries.look(part, part.layer.forward(part.call), Coverage(Kind.FULL, ""))
    except (BadInput, LayerRaised):
        return []
    of = f"in {len(rows)} rows of " + (
        f"columns {', '.join(map(str, columns[:4]))}" if len(columns) < batch.d else "it"
    )
    of += ", ..." if 4 < len(columns) < batch.d else ""
    return [f._replace(evidence=f"{of}: {f.evidence}") for f in seen.findings if f.quantity in failed]


def _sample(batch: Batch, rows: Array, columns: Array) -> Batch:
    def table(values: Array) -> Array:
        return np.ascontiguousarray(values[rows][:, columns])

    running = batch.running.take(columns) if batch.running else None
    own = batch._replace(x=table(batch.x), dout=table(batch.dout), layout=None, columns=())
    return own._replace(gamma=batch.gamma[columns], beta=batch.beta[columns], running=running)
