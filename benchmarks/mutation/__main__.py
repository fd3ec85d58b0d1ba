"""Tests the tests: puts faults in, one at a time, in a copy of the checkout, and runs the tests
that must notice.

python -m benchmarks.mutation [NAME...]

NAME: a mutant, or the beginning of several names; all without one. Status 1 when a mutant survives,
or when its entry has rotted: the text that it changes is gone, or its tests do not pass without it.
Meant for one run a night: it takes minutes, so it is no part of `make test`; that the texts still
stand in the tree `make test` does check.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from benchmarks.mutation.mutants import MUTANTS
from benchmarks.mutation.run import try_all

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Print a row a mutant, and the sums."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.mutation", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a mutant, or how the names of several begin"
    )
    names = parser.parse_args(arguments).names
    chosen = [m for m in MUTANTS if not names or any(m.name.startswith(name) for name in names)]
    strange = [name for name in names if not any(m.name.startswith(name) for m in MUTANTS)]
    if strange:
        parser.error(
            f"no mutant is called {strange[0]}; there are {', '.join(m.name for m in MUTANTS)}"
        )
    counts: Counter[str] = Counter()
    for outcome in try_all(chosen, ROOT):
        counts[outcome.verdict] += 1
        print(f"{outcome.verdict:9} {outcome.mutant.name:45} {outcome.detail[:120]}", flush=True)
        if outcome.verdict != "killed":
            print(f"          {outcome.mutant.file}: {outcome.mutant.why}", flush=True)
    print(
        f"{len(chosen)} mutants: "
        + ", ".join(f"{counts[v]} {v}" for v in ("killed", "survived", "broken"))
    )
    return int(counts["killed"] < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
