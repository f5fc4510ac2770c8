"""No false alarm on a right layer, no silent miss of a known mistake: the grid of grid.py, counted.

    python tests/benchmarks/power.py                 # all of it: some 20 minutes
    python tests/benchmarks/power.py --rows 1,2,3,8  # 2 minutes

Run it with one thread (OMP_NUM_THREADS=1).  With PyTorch or JAX installed, or without, the other checkers that are
there are tried on a sample of the same cells (peers.py).
"""

from __future__ import annotations

import argparse
from collections import Counter

from bncheck.vocabulary import Verdict
from tests.benchmarks import grid
from tests.benchmarks.right import ACCUMULATING


def count(rows: tuple[int, ...], seeds: int) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """(implementation, verdict) and (mutant, what became of it), over all cells."""
    right: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for block in grid.blocks(rows, seeds):
        measured = grid.measured_by(block)
        for name, each in measured.items():
            over = block.overflows(each) if name != ACCUMULATING else [False] * len(block.cells)
            for (cell, outcome), overflows in zip(grid.outcomes(block, each), over, strict=True):
                right[name, "overflows" if overflows else outcome.verdict.value] += 1
                if outcome.verdict is Verdict.FAIL and not overflows:
                    print(f"false alarm: {name}, {cell}")
        for code, cell, rejected, named in grid.mutants(block, measured[ACCUMULATING]):
            became = ("rejected", "rejected, though named")[named] if rejected else ("silent", "named")[named]
            wrong[code, became] += 1
            if became == "silent":
                print(f"silent miss: {code}, {cell}")
    return right, wrong


def table(counts: Counter[tuple[str, str]], title: str, columns: tuple[str, ...]) -> None:
    print(f"\n{title:22}" + "".join(f"{c:>24}" for c in columns))
    for row in dict.fromkeys(row for row, _ in counts):
        print(f"{row:22}" + "".join(f"{counts[row, c]:24}" for c in columns))
    print(f"{'all':22}" + "".join(f"{sum(counts[r, c] for r, k in counts if k == c):24}" for c in columns))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(map(str, grid.ROWS)))
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    rows = tuple(map(int, asked.rows.split(",")))
    right, wrong = count(rows, asked.seeds)
    cells = sum(n for (name, _), n in right.items() if name == ACCUMULATING)
    print(f"{cells} cells, N = {asked.rows}, {asked.seeds} seed(s)")
    table(right, "right layer", ("pass", "blind", "fail", "overflows"))
    table(wrong, "mistake", ("rejected", "rejected, though named", "named", "silent"))


if __name__ == "__main__":
    main()
