"""Every mutant of the catalogue, alone and in pairs: is it named by its own code, and by no other?

    python -m tests.benchmarks.diagnosis

Alone in three batches and two dtypes; in pairs where the two are of different sections and replace different steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bncheck.batch import generate
from bncheck.checks.suite import check_layer
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.entry import Entry, Wrong
from bncheck.findings.textbook import RIGHT
from bncheck.layers.resolve import of
from bncheck.report import Report
from bncheck.vocabulary import Severity

BATCHES = ((64, 10, 0), (16, 6, 3), (9, 4, 5))
DTYPES = ("float64", "float32")


def codes(report: Report) -> set[str]:
    """The errors, and the one note that has an entry of its own."""
    return {f.code for f in report.findings if f.severity is Severity.ERROR or f.code == "BN407"}


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
                yield entry.code, f"({n}, {d}) {dtype}", codes(check_layer(of(layer), batch))


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
    layer = RIGHT._replace(**steps(one), **steps(other)).pair()  # type: ignore[arg-type]
    return codes(check_layer(of(layer), generate(16, 6)))


def main() -> None:
    found = list(alone())
    right = [seen for code, _, seen in found if not code]
    wrong = [(code, where, seen) for code, where, seen in found if code]
    print(f"right layer: {sum(map(bool, right))} of {len(right)} accused")
    print(f"one mistake: {sum(seen == {code} for code, _, seen in wrong)} of {len(wrong)} named by its code alone")
    for code, where, seen in wrong:
        if seen != {code}:
            print(f"    {code} {where}: {', '.join(sorted(seen)) or 'nothing'}")
    told = [(one.code, other.code, together(one, other)) for one, other in pairs()]
    both = [({one, other} <= seen, seen <= {one, other}) for one, other, seen in told]
    print(f"two mistakes: {sum(map(all, both))} of {len(told)} told as both and no more", end=", ")
    print(f"{sum(named for named, _ in both)} as both")
    for one, other, seen in told:
        if seen != {one, other}:
            print(f"    {one} and {other}: {', '.join(sorted(seen)) or 'nothing'}")


if __name__ == "__main__":
    main()
