"""Does test mode normalize by the running statistics, each row on its own, and change nothing?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import Batch
from bncheck.batchnorm import Statistics, batch_statistics
from bncheck.checks import running as averages
from bncheck.checks.probes import Outcome, Subject
from bncheck.errors import LayerRaised, NotImplementedByLayer
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.explained import worst
from bncheck.findings.normalization import ROOT_ALONE, Observed, Reading, Way, definition, nearest, read
from bncheck.layers.protocol import Call
from bncheck.report import Finding
from bncheck.vocabulary import Mode, Severity

_MANY = 300
_FEW = 6
_BATCHES = 3
_EXACT = 1e-6
# A layer that keeps 0.99 of what was, and cannot be told otherwise, is still 5% short of the batch by then.
_CONVERGED = 0.1

_OBJECTS = ("class", "torch module", "torch class", "flax module", "equinox module", "JAX class")


class Trained(NamedTuple):
    """A layer that has seen some batches, and the statistics that it says it has."""

    state: object
    running: Statistics


def check(subject: Subject, train: Reading | None) -> Outcome:
    traits = subject.layer.traits
    an_object = traits.recognised.startswith(_OBJECTS)
    if traits.keeps_none_by_choice and not traits.keeps_statistics:
        evidence = "it was told to keep no running statistics, and normalizes by the batch's in both modes"
        return Outcome((CATALOGUE["BN411"].noted("test mode", evidence),), "there is none, by choice")
    if not traits.keeps_statistics and traits.takes_statistics and traits.has_test_mode:
        return _of_given(subject, train)
    if not traits.keeps_statistics and not an_object:
        return Outcome((), "a plain function without running statistics has none")
    if not (traits.has_test_mode and (traits.keeps_statistics or not an_object)):
        lacks = "no running statistics are kept for it" if traits.has_test_mode else "nothing switches the layer to it"
        return Outcome((CATALOGUE["BN411"].found("test mode", lacks),), "none was found")
    try:
        trained = _train(subject)
        if trained is None:
            found = tuple(_convergence(subject)) if train and not train.codes else ()
            return Outcome(found, "not examined: the layer does not show its running statistics")
        # What training or the statistics themselves have shown is no second mistake here.
        held = {f.code for f in averages.check(subject, train).findings if f.severity is Severity.ERROR}
        excused = train.ways[1:] if train else ()
        excused += (ROOT_ALONE,) if "BN405" in held else ()
        findings = [*_normalization(subject, trained, train, excused), *_independence(subject, trained, train)]
        if not findings and train and not train.codes and not held:
            findings += _convergence(subject)
        if traits.by_gradients:
            evidence = "eval() by itself leaves the layer in training: it looks at torch.is_grad_enabled() instead"
            findings.append(CATALOGUE["BN401"].noted("test mode", evidence))
        return Outcome(tuple(_folded(findings)), "the running statistics, row by row, twice the same")
    except LayerRaised as raised:
        code = "BN008" if isinstance(raised, NotImplementedByLayer) else "BN001"
        return Outcome((CATALOGUE[code].found("test mode", str(raised)),), str(raised))


def _of_given(subject: Subject, train: Reading | None) -> Outcome:
    """Test mode of a function whose caller keeps the running statistics."""
    rng, d = np.random.default_rng(13), subject.probe(6).d
    given = Trained(None, Statistics(rng.normal(size=d), rng.uniform(0.5, 2, d)))
    try:
        findings = [*_normalization(subject, given, train, train.ways[1:] if train else ())]
        findings += _independence(subject, given, train)
    except LayerRaised as raised:
        code = "BN008" if isinstance(raised, NotImplementedByLayer) else "BN001"
        return Outcome((CATALOGUE[code].found("test mode", str(raised)),), str(raised))
    return Outcome(tuple(_folded(findings)), "the statistics that it is given, row by row, twice the same")


def _train(subject: Subject, eps: float | None = None) -> Trained | None:
    state: object = None
    running: Statistics | None = None
    for seed in range(6, 6 + _BATCHES):
        batch = subject.probe(seed)
        given = None
        if state is None and subject.layer.traits.starts_anywhere:
            given = Statistics(np.zeros(batch.d), np.ones(batch.d))
        made = subject.layer.forward(subject.call(batch, Mode.TRAIN, given, eps), state)
        state, running = made.state, made.running()
    if running is None or any(each.shape != batch.x.shape[1:] for each in running):
        return None
    return Trained(state, running)


def _test(subject: Subject, batch: Batch, trained: Trained, eps: float | None = None) -> tuple[Call, Array, Statistics]:
    call = _call(subject, batch, trained, eps)
    made = subject.layer.forward(call, trained.state)
    after = made.running()
    return call._replace(running=trained.running), np.array(made.out), after if after is not None else trained.running


def _call(subject: Subject, batch: Batch, trained: Trained, eps: float | None = None) -> Call:
    return subject.call(batch, Mode.TEST, trained.running if subject.layer.traits.starts_anywhere else None, eps)


def _independence(subject: Subject, trained: Trained, train: Reading | None) -> Iterator[Finding]:
    batch = subject.probe(9)
    call, out, after = _test(subject, batch, trained)
    moved = [f"running_{n}" for n, a, b in zip(after._fields, after, trained.running, strict=True) if not _same(a, b)]
    if moved:
        yield CATALOGUE["BN402"].found(moved[0], averages.moved(subject, call, trained.running, after, train))
    written = getattr(subject.layer.forward(_call(subject, batch, trained), trained.state), "written", ())
    if written:
        yield CATALOGUE["BN004"].found(written[0], f"test mode changed {', '.join(written)} in place")
    _, again, _ = _test(subject, batch, trained)
    other = batch.x.copy()
    other[1:] = 2 * other[1:] + 1
    _, changed, _ = _test(subject, batch._replace(x=other), trained)
    if out.shape == batch.x.shape and not _same(out, again):
        evidence = f"the same test pass twice gives two results, {np.nanmax(np.abs(out - again)):.3g} apart"
        yield CATALOGUE["BN409"].found("out", evidence)
    elif out.shape == batch.x.shape and not _same(out[0], changed[0]):
        moves = f"by up to {np.nanmax(np.abs(out[0] - changed[0])):.3g}"
        yield CATALOGUE["BN409"].found("out", f"row 0 of out changes {moves} when only other rows of x do")
    elif out.shape == batch.x.shape and _same(out, changed):
        yield CATALOGUE["BN409"].found("out", "out is the same for another x")
    elif out.shape == batch.x.shape and (evidence := _counts_rows(subject, batch, trained, out)):
        yield CATALOGUE["BN409"].found("out", evidence)


def _counts_rows(subject: Subject, batch: Batch, trained: Trained, out: Array) -> str:
    """Whether rows come out otherwise where fewer stand beside them; a layer may refuse to take fewer."""
    few = batch._replace(x=batch.x[:_FEW], dout=batch.dout[:_FEW])
    try:
        _, alone, _ = _test(subject, few, trained)
    except LayerRaised:
        return ""
    if alone.shape != few.x.shape or _same(alone, out[:_FEW]):
        return ""
    moves = f"by up to {np.nanmax(np.abs(alone - out[:_FEW])):.3g}"
    return f"the first {_FEW} rows of out change {moves} when the others do not come with them"


def _normalization(
    subject: Subject, trained: Trained, train: Reading | None, excused: tuple[Way, ...]
) -> Iterator[Finding]:
    seen = []
    for eps in subject.epsilons():
        # An object may take its eps once and for all, when it is made.
        is_given = trained.state is None
        held = (trained if is_given or eps == subject.settings.eps else _train(subject, eps)) or trained
        for seed in (10, 11):
            call, out, _ = _test(subject, subject.probe(seed), held, eps)
            seen.append((call, out, subject.allowed(call)))
    if any(out.shape != call.x.shape for call, out, _ in seen):
        yield CATALOGUE["BN002"].found("out", f"out has shape {seen[0][1].shape} in test mode")
        return
    if any(not np.isfinite(out).all() for _, out, _ in seen):
        yield CATALOGUE["BN003"].found("out", "out is not finite in test mode")
    reading = read(seen, True, excused)
    if reading is None and _unbiased(subject, seen, excused):
        return
    if reading is None:
        yield CATALOGUE["BN412"].found("test mode", nearest(seen, test=True))
        return
    evidence = f"test mode computes {reading.said}, {reading.explains(seen, test=True)}"
    yield from (CATALOGUE[code].found("test mode", evidence) for code in reading.codes)
    apart = train is not None and reading.denominator is not train.denominator
    if train and apart and not reading.codes and {"BN302", "BN303", "BN304"} & set(train.codes):
        yield CATALOGUE["BN404"].found("test mode", f"test mode computes {reading.said}, and training {train.said}")


def _unbiased(subject: Subject, seen: Observed, excused: tuple[Way, ...]) -> bool:
    """Whether it divides its averages by 1 - kept**steps, so that they lean no more to the zeros they began with.

    The divisor is the same for all columns and both statistics, and is 1 after many steps.
    """
    call, out, _ = seen[0]
    running = call.running
    assert running is not None
    with np.errstate(all="ignore"):
        slope = (out[1] - out[0]) / (call.x[1] - call.x[0])
        factor = float(np.median(((call.gamma / slope) ** 2 - call.settings.eps) / running.var))
    known = 1 / (1 - subject.settings.momentum**_BATCHES)
    if not 1 < factor < np.inf or (subject.layer.traits.takes_momentum and abs(factor - known) > _EXACT * known):
        return False
    grown = [(c._replace(running=Statistics(*(factor * one for one in c.running or ()))), o, a) for c, o, a in seen]
    reading = read(grown, True, excused)
    return reading is not None and not reading.codes and not list(_convergence(subject))


def _convergence(subject: Subject) -> Iterator[Finding]:
    """After many training steps on one batch, test mode must give what training gives."""
    batch = subject.probe(12)
    state: object = None
    for _ in range(_MANY):
        made = subject.layer.forward(subject.call(batch, Mode.TRAIN), state)
        state = made.state
    call = subject.call(batch, Mode.TEST)
    out = np.array(subject.layer.forward(call, state).out)
    mean, var = batch_statistics(batch.x)
    # Whichever of the two variances the layer averages.
    factors = (1, batch.n / (batch.n - 1))
    guesses = [definition(call._replace(running=Statistics(mean, var * f)), test=True) for f in factors]
    nearer = min(guesses, key=lambda guess: float(np.abs(out - guess).max()))
    if np.abs(out - nearer).max() > _CONVERGED * np.abs(out).max():
        evidence = f"after {_MANY} training steps on one batch test mode does not give what training gives"
        evidence += f", and nothing known explains it; {worst('out', out, nearer, subject.allowed(call))}"
        yield CATALOGUE["BN412"].found("test mode", evidence)


def _folded(findings: list[Finding]) -> list[Finding]:
    """That rows depend on each other is no second mistake of what normalizes by the batch, or learns from it."""
    codes = {f.code: f for f in reversed(findings)}
    drop = {"BN409"} if codes.keys() & {"BN401", "BN402"} else set()
    drop |= {"BN412"} if codes.keys() & {"BN409", "BN402"} else set()
    return [f for f in findings if f.code not in drop and codes[f.code] is f]


def _same(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-10, atol=1e-12, equal_nan=True))
