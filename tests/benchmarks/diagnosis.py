"""Every mutant of the catalogue, alone and in pairs: is it named by its own code, and by no other error?

    python -m tests.benchmarks.diagnosis

Alone in three batches and two dtypes; in pairs where the two are of different sections and replace different steps.
A pair of which one leaves no trace beside the other is counted by itself: there is nothing to be told by.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bncheck.arrays import Array
from bncheck.batch import generate
from bncheck.batchnorm import Statistics
from bncheck.checks.suite import check_layer
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.entry import Entry, Wrong
from bncheck.findings.textbook import RIGHT
from bncheck.layers.protocol import Call, Layer
from bncheck.layers.resolve import of
from bncheck.report import Report
from bncheck.settings import LayerSettings
from bncheck.vocabulary import Mode, Severity

BATCHES = ((64, 10, 0), (16, 6, 3), (9, 4, 5))
DTYPES = ("float64", "float32")
_ROUNDING = 1e-9


def codes(report: Report, *looked_for: str) -> set[str]:
    """The errors, and of the notes those that are looked for."""
    return {f.code for f in report.findings if f.severity is Severity.ERROR or f.code in looked_for}


def alone() -> Iterator[tuple[str, str, set[str]]]:
    """(code, where, what was found)."""
    for dtype, (n, d, seed) in itertools.product(DTYPES, BATCHES):
        batch = generate(n, d, seed, dtype=dtype)
        yield "", f"({n}, {d}) {dtype}", codes(check_layer(of(RIGHT.pair()), batch))
        for entry in CATALOGUE.values():
            if entry.dtype != "float64":
                continue
            layers = [entry.layer()] if entry.specimen else [RIGHT._replace(**w).pair() for w in _examined(entry)]
            for layer in layers:
                yield entry.code, f"({n}, {d}) {dtype}", codes(check_layer(of(layer), batch), entry.code)


def _examined(entry: Entry) -> Iterator[Wrong]:
    """A layer of functions is not differentiated in test mode."""
    return (wrong for wrong in entry.mutants if "dx_in_test_mode" not in wrong)


def pairs() -> Iterator[tuple[Entry, Entry]]:
    """Of different sections, replacing different steps; after a breach of contract nothing else is looked at."""
    entries = [e for e in CATALOGUE.values() if e.specimen is None and e.dtype == "float64" and e.code >= "BN1"]
    for one, other in itertools.combinations(entries, 2):
        if section(one) != section(other) and not steps(one).keys() & steps(other).keys():
            yield one, other


def steps(entry: Entry) -> dict[str, object]:
    return {**entry.wrong, **entry.along}


def section(entry: Entry) -> str:
    running = ("BN405", "BN406", "BN407", "BN408", "BN410", "BN412")
    return "running" if entry.code in running else entry.code[:3]


def together(one: Entry, other: Entry) -> set[str]:
    return codes(check_layer(_layer(one, other), generate(16, 6)), one.code, other.code)


def hidden(one: Entry, other: Entry) -> str:
    """The code of a mistake that leaves no trace beside the other: with it and without it every number is the same."""
    both = list(_traces(_layer(one, other)))
    for alone, lost in ((one, other), (other, one)):
        if all(_same(a, b) for a, b in zip(both, _traces(_layer(alone)), strict=True)):
            return lost.code
    return ""


def _pair(one: Entry, other: Entry) -> tuple[str, str, set[str], str]:
    """The codes of both, what was found, and what is hidden if not both were."""
    seen = together(one, other)
    return one.code, other.code, seen, "" if seen == {one.code, other.code} else hidden(one, other)


def _layer(*entries: Entry) -> Layer:
    wrong: dict[str, Any] = {}
    for entry in entries:
        wrong |= steps(entry)
    return of(RIGHT._replace(**wrong).pair())


def _traces(layer: Layer) -> Iterator[Array]:
    """All that the layer gives: in training, with its gradients, in test mode behind it, and the averages of both."""
    for offset, eps in itertools.product((0.0, 1e6), (1e-5, 0.05)):
        batch, other = generate(16, 6, offset=offset), generate(16, 6, 1, offset=offset)
        settings = LayerSettings(Mode.TRAIN, eps=eps)
        running = Statistics(np.zeros(batch.d), np.ones(batch.d))
        call = Call(batch.x, batch.gamma, batch.beta, running, settings)
        for mode in Mode:
            x = batch.x if mode is Mode.TRAIN else other.x
            made = layer.forward(call._replace(x=x, settings=replace(settings, mode=mode), running=running))
            after = made.running()
            assert after is not None
            running = after
            yield from (made.out, *after, *(made.backward(batch.dout) if mode is Mode.TRAIN else ()))


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True))


def main() -> None:
    found = list(alone())
    right = [seen for code, _, seen in found if not code]
    wrong = [(code, where, seen) for code, where, seen in found if code]
    print(f"right layer: {sum(map(bool, right))} of {len(right)} accused")
    print(f"one mistake: {sum(seen == {code} for code, _, seen in wrong)} of {len(wrong)} named by its code alone")
    for code, where, seen in wrong:
        if seen != {code}:
            print(f"    {code} {where}: {', '.join(sorted(seen)) or 'nothing'}")
    told = [_pair(one, other) for one, other in pairs()]
    shown = [{one, other} - {lost} for one, other, _, lost in told]
    exact = sum(seen == expected for (_, _, seen, _), expected in zip(told, shown, strict=True))
    print(f"two mistakes: {exact} of {len(told)} told as both and no more, or as the one that can be seen")
    lost_of = [(one, other, lost) for one, other, _, lost in told if lost]
    print(f"hidden: {len(lost_of)} of these, where the second leaves no trace beside the first")
    for one, other, lost in lost_of:
        print(f"    {one} and {other}: with and without {lost} the layer gives the same numbers")
    for (one, other, seen, _), expected in zip(told, shown, strict=True):
        if seen != expected:
            print(f"    {one} and {other}: {', '.join(sorted(seen)) or 'nothing'}")


if __name__ == "__main__":
    main()
