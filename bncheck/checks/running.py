"""Are the running statistics running averages of the batch's mean and variance?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batchnorm import Statistics
from bncheck.checks.probes import Outcome, Subject
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.explained import explained, unexplained, worst
from bncheck.findings.normalization import Reading
from bncheck.findings.running import Averaged, Fit, candidates, fits
from bncheck.layers.protocol import Call
from bncheck.report import Finding
from bncheck.vocabulary import Mode

_NAMES, _OF = ("running_mean", "running_var"), ("mean", "variance")


class Average(NamedTuple):
    """One of the two running statistics over a step, and what the step was read as."""

    name: str
    old: Array
    new: Array
    fits: list[Fit]
    """The likeliest first."""

    @property
    def fit(self) -> Fit | None:
        return self.fits[0] if self.fits[0].fits else None

    @property
    def stuck(self) -> bool:
        """One of the two may stay where it started."""
        found = self.fit
        return found is not None and max(abs(found.taken), abs(found.kept - 1)) <= found.within

    def right(self, kept: float) -> Array:
        """What the step should have made of it, if it keeps so much."""
        definition = next(f.what for f in self.fits if f.what.said in ("mean", "variance"))
        return kept * self.old + (1 - kept) * definition.value

    def nearest(self, right: Array) -> str:
        """Of what is like nothing known."""
        known = {f.sentence(self.name): f.value for f in self.fits}
        return f"{unexplained(self.new, right, known)}; {worst(self.name, self.new, right)}"


def check(subject: Subject, reading: Reading | None) -> Outcome:
    """``reading`` is of the layer's forward pass, in which mean and variance may be others than the definition's."""
    if not subject.layer.traits.keeps_statistics:
        return Outcome((), "the layer keeps none")
    steps = list(_steps(subject))
    if not steps or any(new is None for _, new, _ in steps):
        return Outcome((), "the layer shows none")
    odd = [s.shape for _, new, call in steps for s in new if s.shape != call.x.shape[1:]]
    if odd:
        found = CATALOGUE["BN002"].found("running statistics", f"they have shape {odd[0]} where a row of x has another")
        return Outcome((found,), "of another shape than a row of x")
    both = _averages(subject, *steps[-1], reading)
    if all(np.array_equal(old.mean, new.mean) and np.array_equal(old.var, new.var) for old, new, _ in steps):
        return Outcome((_never_updated(subject, both),), "never updated")
    findings = tuple(_judge(subject, both))
    starts = _starts(subject, both, reading)
    said = [f"running {name}: {_said(a.fit)}{starts[k]}" for k, (name, a) in enumerate(zip(_OF, both, strict=True))]
    return Outcome(findings, "; ".join([*said, *_convention(subject)]))


def moved(subject: Subject, call: Call, old: Statistics, new: Statistics, reading: Reading | None) -> str:
    """What a test pass made of running statistics that it should have left alone."""
    changed = [a for a in _averages(subject, old, new, call, reading) if not np.array_equal(a.old, a.new)]
    names = " and ".join(a.name for a in changed)
    if all(a.fit for a in changed):
        return f"a test pass changes {names}: {_told(changed)}, {_explained(changed, [a.old for a in changed])}"
    return f"a test pass changes {names}: " + "; ".join(a.nearest(a.old) for a in changed)


def _averages(
    subject: Subject, old: Statistics, new: Statistics, call: Call, reading: Reading | None
) -> tuple[Average, Average]:
    """Averages that are kept in float32 under a wider layer are averages still."""
    eps, found = subject.settings.eps, []
    for name, of, before, after, own in zip(_NAMES, _OF, old, new, _own(reading, call), strict=True):
        known = candidates(call.x, eps, of, own)
        exact = fits(before, after, known, subject.dtype)
        found.append(Average(name, before, after, exact if exact[0].fits else fits(before, after, known, np.float32)))
    return found[0], found[1]


def _own(reading: Reading | None, call: Call) -> tuple[Array | None, Array | None]:
    """The statistics that the forward pass takes, if those are one number a column and not the definition's."""
    if reading is None or reading.of_definition:
        return None, None
    mean, var = reading.statistics(call)
    d = call.x.shape[1]
    if np.size(mean) not in (1, d):
        return None, None
    return np.ravel(mean) + np.zeros(d), np.ravel(var) + np.zeros(d)


def _never_updated(subject: Subject, both: tuple[Average, Average]) -> Finding:
    evidence = f"two training steps leave them as they were, {_kept_as_it_was(subject, both)}"
    return CATALOGUE["BN408"].found("running statistics", evidence)


def _kept_as_it_was(subject: Subject, stuck: Sequence[Average]) -> str:
    right = [a.right(subject.settings.momentum) for a in stuck]
    place = worst(stuck[0].name, stuck[0].new, right[0])
    return f"{_explained(stuck, right, [a.old for a in stuck])}; {place}"


def _convention(subject: Subject) -> Iterator[str]:
    """Named after who uses it."""
    if "share taken" in subject.layer.traits.recognised:
        yield "momentum is the share taken (PyTorch)"
    elif subject.layer.traits.takes_momentum:
        yield "momentum is the share kept (CS231n, Keras)"


def _starts(subject: Subject, both: tuple[Average, Average], reading: Reading | None) -> list[str]:
    """What the averages of a fresh layer start from, as far as its first pass tells."""
    batch = subject.probe(3, rows=8)
    call = subject.call(batch, Mode.TRAIN)
    first = subject.layer.forward(call).running()
    found = [a.fit for a in both]
    if first is None or None in found:
        return ["", ""]
    known = (
        candidates(batch.x, subject.settings.eps, of, own) for of, own in zip(_OF, _own(reading, call), strict=True)
    )
    return [_start(f, value, of) for f, value, of in zip(found, first, known, strict=True) if f]


def _start(found: Fit, value: Array, known: list[Averaged]) -> str:
    statistic = next(each.value for each in known if each.said == found.what.said)
    if np.allclose(value, statistic):
        return ", the first batch copied"
    initial = (value - found.taken * statistic) / found.kept if found.kept else np.full_like(value, np.nan)
    return f", from {round(float(initial[0]), 6) + 0.0:g}" if np.ptp(initial) <= 1e-6 else ""


def _steps(subject: Subject) -> Iterator[tuple[Statistics, Statistics, Call]]:
    """(statistics before, after, call) of two training steps in a row on different batches."""
    state: object = None
    old: Statistics | None = None
    for seed in (3, 4, 5):
        batch = subject.probe(seed, rows=8)
        given = None
        if old is None and subject.layer.traits.starts_anywhere:
            rng = np.random.default_rng(seed)
            given = Statistics(rng.normal(size=batch.d), rng.uniform(0.5, 2, batch.d))
            old = given
        call = subject.call(batch, Mode.TRAIN, given)
        made = subject.layer.forward(call, state)
        new, state = made.running(), made.state
        if old is not None:
            yield old, new, call  # type: ignore[misc]
        old = new


def _judge(subject: Subject, both: tuple[Average, Average]) -> Iterator[Finding]:
    moving, kept = [a for a in both if a.fit and not a.stuck], _kept(subject, both)
    for average in both:
        if average.stuck:
            evidence = f"two training steps leave {average.name} as it was, {_kept_as_it_was(subject, [average])}"
            yield CATALOGUE["BN408"].found(average.name, evidence)
    for average in both:
        if average.fit is None:
            yield CATALOGUE["BN412"].found(average.name, average.nearest(average.right(kept)))
    for average in both:
        for code in average.fit.what.codes if average.fit else ():
            right = average.right(average.fit.kept if code == "BN407" and average.fit else kept)
            evidence = f"a training step makes {_told([average])}, {_explained([average], [right])}"
            yield CATALOGUE[code].found(average.name, evidence)
    yield from _shares(subject, moving, kept)


def _kept(subject: Subject, both: tuple[Average, Average]) -> float:
    """The share that should be kept: what was asked for, or of the shares of a layer that nobody can ask the large."""
    shares = [f for a in both if (f := a.fit) and not a.stuck]
    if subject.layer.traits.takes_momentum or not shares:
        return subject.settings.momentum
    return max(shares[0].kept, 1 - shares[0].kept)


def _shares(subject: Subject, read: list[Average], right: float) -> Iterator[Finding]:
    traits, shares = subject.layer.traits, [f for a in read if (f := a.fit)]
    by_default = traits.kept_by_default

    def evidence(remark: str) -> str:
        explanation = _explained(read, [a.right(right) for a in read])
        return f"a training step makes {_told(read)}, {explanation}: {remark}"

    if odd := [f for f in shares if abs(f.kept + f.taken - 1) > 10 * f.within]:
        remark = f"the shares add up to {odd[0].kept + odd[0].taken:.4g} and not to 1"
        yield CATALOGUE["BN412"].found("running statistics", evidence(remark))
    elif by_default is not None and by_default < 0.5 and traits.takes_momentum:
        remark = f"left to itself the layer keeps {by_default:.3g} of what was at each step"
        yield CATALOGUE["BN406"].found("momentum", remark)
    elif not traits.takes_momentum and shares and max(f.kept for f in shares) < 0.5 and not _cumulative(shares):
        remark = f"only {shares[0].kept:.3g} of what was is kept at each step"
        yield CATALOGUE["BN406"].found("momentum", evidence(remark))
    elif traits.takes_momentum and any(abs(f.kept - right) > 10 * f.within for f in shares):
        reversed_ = any(abs(f.kept - (1 - right)) < 1e-6 for f in shares)
        remark = f"{right:.4g} of what was should have been kept"
        yield CATALOGUE["BN406" if reversed_ else "BN412"].found("momentum", evidence(remark))


def _cumulative(shares: list[Fit]) -> bool:
    """Averages over all batches so far keep 1/2, 2/3, 3/4, ..."""
    return all(any(abs(f.kept - (n - 1) / n) < 1e-6 for n in range(2, 6)) for f in shares)


def _told(read: Sequence[Average]) -> str:
    return " and ".join(f.sentence(a.name) for a in read if (f := a.fit))


def _explained(read: Sequence[Average], right: list[Array], guess: list[Array] | None = None) -> str:
    made = np.concatenate([a.new for a in read])
    values = guess or [f.value for a in read if (f := a.fit)]
    return explained(made, np.concatenate(right), np.concatenate(values))


def _said(found: Fit | None) -> str:
    return f"{found.kept:.4g} old + {found.taken:.4g} {found.what.said}" if found else "like nothing known"
