"""Are the running statistics running averages of the batch's mean and variance?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Statistics
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.running import Fit, candidates, fit
from bncheck.report import Finding
from bncheck.vocabulary import Mode


def check(subject: Subject) -> Outcome:
    if not subject.layer.traits.keeps_statistics:
        return Outcome((), "the layer keeps none")
    steps = list(_steps(subject))
    if any(new is None for _, new, _ in steps):
        return Outcome((), "the layer shows none")
    odd = [s.shape for _, new, x in steps for s in new if s.shape != x.shape[1:]]
    if odd:
        found = CATALOGUE["BN002"].found("running statistics", f"they have shape {odd[0]} where a row of x has another")
        return Outcome((found,), "of another shape than a row of x")
    if all(np.array_equal(old.mean, new.mean) and np.array_equal(old.var, new.var) for old, new, _ in steps):
        found = CATALOGUE["BN408"].found("running statistics", "two training steps leave them as they were")
        return Outcome((found,), "never updated")
    (old, new, x), eps = steps[-1], subject.settings.eps
    mean = _fit(subject, old.mean, new.mean, candidates(x, eps, "mean"))
    var = _fit(subject, old.var, new.var, candidates(x, eps, "variance"))
    findings = (*_stuck(mean, var), *_judge(subject, mean, var))
    starts = _starts(subject, mean, var)
    said = [f"running {name}: {_said(f)}{starts[k]}" for k, (name, f) in enumerate((("mean", mean), ("variance", var)))]
    return Outcome(findings, "; ".join([*said, *_convention(subject)]))


def _convention(subject: Subject) -> Iterator[str]:
    """Named after who uses it."""
    if "share taken" in subject.layer.traits.recognised:
        yield "momentum is the share taken (PyTorch)"
    elif subject.layer.traits.takes_momentum:
        yield "momentum is the share kept (CS231n, Keras)"


def _starts(subject: Subject, mean: Fit | None, var: Fit | None) -> tuple[str, str]:
    """What the averages of a fresh layer start from, as far as its first pass tells."""
    batch = subject.probe(3, rows=8)
    first = subject.layer.forward(subject.call(batch, Mode.TRAIN)).running()
    if first is None or mean is None or var is None:
        return "", ""
    eps = subject.settings.eps
    return (
        _start(mean, first.mean, candidates(batch.x, eps, "mean")[mean.what]),
        _start(var, first.var, candidates(batch.x, eps, "variance")[var.what]),
    )


def _start(found: Fit, value: Array, statistic: Array) -> str:
    if np.allclose(value, statistic):
        return ", the first batch copied"
    initial = (value - found.taken * statistic) / found.kept if found.kept else np.full_like(value, np.nan)
    return f", from {round(float(initial[0]), 6) + 0.0:g}" if np.ptp(initial) <= 1e-6 else ""


def _steps(subject: Subject) -> Iterator[tuple[Statistics, Statistics, Array]]:
    """(statistics before, after, x) of two training steps in a row on different batches."""
    state: object = None
    old: Statistics | None = None
    for seed in (3, 4, 5):
        batch = subject.probe(seed, rows=8)
        given = None
        if old is None and subject.layer.traits.starts_anywhere:
            rng = np.random.default_rng(seed)
            given = Statistics(rng.normal(size=batch.d), rng.uniform(0.5, 2, batch.d))
            old = given
        made = subject.layer.forward(subject.call(batch, Mode.TRAIN, given), state)
        new, state = made.running(), made.state
        if old is not None:
            yield old, new, batch.x  # type: ignore[misc]
        old = new


def _fit(subject: Subject, old: Array, new: Array, of: dict[str, Array]) -> Fit | None:
    """Averages that are kept in float32 under a wider layer are averages still."""
    return fit(old, new, of, subject.dtype) or fit(old, new, of, np.float32)


def _stuck(mean: Fit | None, var: Fit | None) -> Iterator[Finding]:
    """One of the two may stay where it started."""
    for name, found in (("running_mean", mean), ("running_var", var)):
        if _is_stuck(found):
            yield CATALOGUE["BN408"].found(name, f"two training steps leave {name} as it was")


def _is_stuck(found: Fit | None) -> bool:
    return found is not None and max(abs(found.taken), abs(found.kept - 1)) <= found.within


def _judge(subject: Subject, mean: Fit | None, var: Fit | None) -> Iterator[Finding]:
    for name, found in (("running_mean", mean), ("running_var", var)):
        if found is None:
            yield CATALOGUE["BN412"].found(name, f"{name} is no average of what was and of the batch's own")
    for name, found in (("running_mean", mean), ("running_var", var)):
        if found is not None and "all entries" in found.what:
            yield CATALOGUE["BN306"].found(name, f"{name} averages the {found.what}")
    if var is not None and "deviation" in var.what:
        yield CATALOGUE["BN410"].found("running_var", f"running_var averages the {var.what}")
    elif var is not None and "eps" in var.what:
        yield CATALOGUE["BN405"].found("running_var", f"running_var averages the {var.what}")
    if var is not None and var.what.startswith("unbiased variance") and "eps" not in var.what:
        yield CATALOGUE["BN407"].found("running_var", "running_var averages the variance divided by N - 1")
    yield from _shares(subject, [f for f in (mean, var) if f and not _is_stuck(f)])


def _shares(subject: Subject, fits: list[Fit]) -> Iterator[Finding]:
    traits, asked = subject.layer.traits, subject.settings.momentum
    for f in fits:
        if abs(f.kept + f.taken - 1) > 10 * f.within:
            evidence = f"shares {f.kept:.4g} and {f.taken:.4g} do not add up to 1"
            yield CATALOGUE["BN412"].found("running statistics", evidence)
            return
    kept = [f.kept for f in fits]
    by_default = traits.kept_by_default
    if by_default is not None and by_default < 0.5 and traits.takes_momentum:
        yield CATALOGUE["BN406"].found("momentum", f"left to itself the layer keeps {by_default:.3g} at each step")
    elif not traits.takes_momentum and kept and max(kept) < 0.5 and not _cumulative(kept):
        yield CATALOGUE["BN406"].found("momentum", f"the layer keeps {kept[0]:.3g} of what was at each step")
    elif traits.takes_momentum and any(abs(f.kept - asked) > 10 * f.within for f in fits):
        evidence = f"{' and '.join(f'{k:.4g}' for k in kept)} is kept at each step where {asked:.4g} was asked for"
        reversed_ = any(abs(k - (1 - asked)) < 1e-6 for k in kept)
        yield CATALOGUE["BN406" if reversed_ else "BN412"].found("momentum", evidence)


def _cumulative(kept: list[float]) -> bool:
    """Averages over all batches so far keep 1/2, 2/3, 3/4, ..."""
    return all(any(abs(k - (n - 1) / n) < 1e-6 for n in range(2, 6)) for k in kept)


def _said(found: Fit | None) -> str:
    return f"{found.kept:.4g} old + {found.taken:.4g} {found.what}" if found else "like nothing known"
