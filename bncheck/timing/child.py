"""``python -m bncheck.timing.child``: times one contestant, and answers in JSON."""

from __future__ import annotations

import json
import os
import sys
import warnings

from bncheck.benchmark import Outcome
from bncheck.report import plain
from bncheck.timing.rounds import measure


def main() -> None:
    # Standard output is for the answer alone, whatever a package has to say when it is loaded.
    answer = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    try:
        found = measure(**json.loads(sys.argv[1]))
    except Exception as error:
        found = {"outcome": Outcome.FAILED, "said": " ".join(f"{type(error).__name__}: {error}".split())}
    os.write(answer, json.dumps(plain(found)).encode())


if __name__ == "__main__":
    main()
