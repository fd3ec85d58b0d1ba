"""docs/results.md in parts, each of which takes some minutes of a processor: `python -m
benchmarks.results [PART ...]` makes those that are named anew, or all whose names begin so, and
puts the page together of all as they were made last. `--list` names them, `--page` makes none,
`--missing` those alone that were made by another commit's model.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.results.page import PARTS, page
from benchmarks.results.parts import ROOT, Part, kept, model_commit, renew


def chosen(names: list[str]) -> list[Part]:
    """The parts of these names, or whose names begin so. Raises SystemExit for a name of none."""
    found: dict[str, Part] = {}
    for name in names:
        mine = {key: part for key, part in PARTS.items() if key.startswith(name)}
        if not mine:
            raise SystemExit(f"no part is called {name}: see --list")
        found |= {name: PARTS[name]} if name in PARTS else mine
    return list(found.values()) if names else list(PARTS.values())


def main() -> None:
    """Make parts, and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--list", action="store_true", help="name all parts")
    parser.add_argument("--page", action="store_true", help="put the page together alone")
    parser.add_argument(
        "--missing", action="store_true", help="leave out what this commit's model has made"
    )
    options = parser.parse_args()
    parts = chosen(options.parts)
    if options.list:
        for part in parts:
            print(part.name, kept(part).commit or "never made")
        return
    for part in [] if options.page else parts:
        if options.missing and kept(part).commit == model_commit():
            continue
        started = time.process_time()
        renew(part)
        spent = time.process_time() - started
        print(f"{part.name}: {spent:.0f} s of the processor", file=sys.stderr, flush=True)
    (ROOT / "docs" / "results.md").write_text(page())


if __name__ == "__main__":
    main()
