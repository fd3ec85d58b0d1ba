"""What takes too long for every change: `python -m benchmarks.nightly [--minutes N]
[--against TREE] [--only PART ...]`.

For N minutes (30) random input of all kinds, in turns, each with seeds of the day (or from
`--first` on); then the faults that tests must find, a large network at its true FIFO depths, the
audit of all networks and, with another checkout, what changed since. Prints a table, a row a part;
what a part printed lies in nightly/PART.log. Status 1 on any find.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

LOGS = Path("nightly")
# Kinds of random input, and how many of a kind make a turn.
FUZZ = {"files": 200, "records": 200, "networks": 20, "strict": 10, "quantised": 20, "ends": 11}
ONCE = {
    "soak": ("benchmarks.fuzz", "soak", "-n", "100"),
    "mutation": ("benchmarks.mutation",),
    "strict-large": ("benchmarks.strict", "mobilenetv1"),
    "audit": ("benchmarks.audit",),
}
# Seeds that a day has of each kind.
SEEDS = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """A part: the runs that it had, its seconds, the first run that failed ("" where none did)."""

    part: str
    runs: int
    seconds: float
    failed: str = ""

    @property
    def row(self) -> str:
        """A row of the table."""
        verdict = f"FOUND by python -m {self.failed}" if self.failed else "nothing found"
        return f"| {self.part} | {self.runs} | {self.seconds:.0f} | {verdict} |"


def succeeds(part: str, words: tuple[str, ...]) -> bool:
    """Whether a module ends with status 0; what it prints is added to the part's log."""
    with open(LOGS / f"{part}.log", "ab") as log:
        log.write(f"# python -m {' '.join(words)}\n".encode())
        log.flush()
        command = [sys.executable, "-m", *words]
        return not subprocess.run(command, stdout=log, stderr=log, check=False).returncode


def fuzzed(parts: list[str], seconds: float, first: int) -> Iterator[Outcome]:
    """Random input of these kinds, a turn of each after the other until the time is over."""
    began = time.monotonic()
    spent, runs, failed = (
        dict.fromkeys(parts, 0.0),
        dict.fromkeys(parts, 0),
        dict.fromkeys(parts, ""),
    )
    while parts and (not all(runs.values()) or time.monotonic() - began < seconds):
        for part in parts:
            started, count = time.monotonic(), FUZZ[part]
            seed = first + runs[part] * count
            words = ("benchmarks.fuzz", part, "-n", str(count), "--first", str(seed))
            if not succeeds(part, words):
                failed[part] = failed[part] or " ".join(words)
            runs[part] += 1
            spent[part] += time.monotonic() - started
    for part in parts:
        yield Outcome(part, runs[part], spent[part], failed[part])


def once(parts: dict[str, tuple[str, ...]]) -> Iterator[Outcome]:
    """Each of these parts."""
    for part, words in parts.items():
        started = time.monotonic()
        right = succeeds(part, words)
        yield Outcome(part, 1, time.monotonic() - started, "" if right else " ".join(words))


def main(arguments: list[str] | None = None) -> int:
    """Run all parts and print the table."""
    every = (*FUZZ, *ONCE, "regression")
    parser = argparse.ArgumentParser(prog="benchmarks.nightly", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of random input (default 30)")
    parser.add_argument("--first", type=int, help="first seed (default: one of the day)")
    parser.add_argument("--against", metavar="TREE", help="another checkout, to compare with")
    parser.add_argument("--only", nargs="+", choices=every, help="these parts")
    options = parser.parse_args(arguments)
    chosen = options.only or every
    if "regression" in (options.only or ()) and not options.against:
        parser.error("regression compares with another checkout: add --against TREE")
    first = int(time.time() // 86400) * SEEDS if options.first is None else options.first
    later = dict(ONCE)
    if options.against:
        later["regression"] = ("benchmarks.regression", "--against", options.against)
    LOGS.mkdir(exist_ok=True)
    for part in chosen:
        (LOGS / f"{part}.log").unlink(missing_ok=True)
    print("| part | runs | seconds | |", "|---" * 4 + "|", sep="\n", flush=True)
    found = False
    fuzz = [part for part in FUZZ if part in chosen]
    rest = {part: words for part, words in later.items() if part in chosen}
    for outcome in chain(fuzzed(fuzz, 60 * options.minutes, first), once(rest)):
        print(outcome.row, flush=True)
        found = found or bool(outcome.failed)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
