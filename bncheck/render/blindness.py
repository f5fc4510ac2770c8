"""What a check could not have seen, as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from bncheck.report import GradientResult, Probe, Report
from bncheck.vocabulary import Verdict


def paragraphs(report: Report) -> Iterator[str]:
    """For each gradient what it is blind to and why; then what was done about it."""
    for g in report.gradients:
        if g.verdict is Verdict.BLIND:
            yield f"{g.name} is blind: {g.reason}."
        if g.verdict is not Verdict.FAIL:
            yield from _unseen(g)
    if any(g.power.blind_to for g in report.gradients):
        yield from (_beside(report, probe) for probe in report.probes)


def _unseen(g: GradientResult) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for blind in g.power.blind_to:
        reasons.setdefault(blind.reason, []).append(f"{blind.code} ({blind.title})")
    for reason, mistakes in reasons.items():
        if not g.reason.endswith(reason):
            yield f"{g.name} would not have shown {', '.join(mistakes)}: {reason}."
        else:
            yield f"{g.name} would not have shown {', '.join(mistakes)}, for the same reason."


def _beside(report: Report, probe: Probe) -> str:
    seen = {g.name: {blind.code for blind in g.power.blind_to} for g in probe.gradients}
    left = {b.code for g in report.gradients for b in g.power.blind_to if b.code in seen[g.name]}
    batch = probe.batch
    place = f"({batch.n}, {batch.d}) from seed {batch.seed} with eps {probe.eps:g}"
    outcome = {
        Verdict.PASS: "nothing wrong was found",
        Verdict.FAIL: "something is wrong",
        Verdict.BLIND: "nothing wrong was found, and not everything could have been",
    }[probe.verdict]
    if probe.verdict is Verdict.FAIL:
        return f"On a probe beside it, {place}, {outcome}."
    shown = f"{', '.join(sorted(left))} would not have shown there either" if left else "all of these would have shown"
    return f"On a probe beside it, {place}, {outcome}; {shown}."
