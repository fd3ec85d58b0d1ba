"""python -m benchmarks.fuzz KIND [-n COUNT] [--first SEED]"""

from __future__ import annotations

import argparse
import sys
import warnings
from functools import partial

from benchmarks.fuzz import ends, files, networks, records

KINDS = {
    "networks": (500, "random networks in all styles on the emulator"),
    "strict": (
        200,
        "random branching networks, pipelined, at true FIFO depth on the emulator and in "
        "the simulator",
    ),
    "quantised": (500, "random quantised networks, base and pipelined, equal to onnxruntime"),
    "files": (5000, "hostile ONNX files"),
    "records": (2000, "plans, manifests, boards, reports of aoc and verdicts, field by field"),
    "ends": (110, "long commands, ended at random moments by KILL, TERM, HUP and INT"),
    "soak": (200, "designs validated by one process"),
}


def main() -> int:
    """Run one kind. Status 1 when something went wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument(
        "kind",
        choices=KINDS,
        help="; ".join(f"{k}: {text} ({n})" for k, (n, text) in KINDS.items()),
    )
    parser.add_argument("-n", type=int, help="how many")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    count = options.n or KINDS[options.kind][0]
    if options.kind == "soak":
        return networks.soak(count)
    if options.kind == "files":
        wrong = files.run(count, options.first)
        print(f"{count} files: {wrong} wrong")
    elif options.kind == "records":
        wrong = records.run(count, options.first)
    elif options.kind == "ends":
        wrong = ends.run(count, options.first)
    elif options.kind == "quantised":
        wrong = networks.run(count, options.first, networks.attempt_quantised)
    else:
        one = partial(networks.attempt, strict=options.kind == "strict")
        wrong = networks.run(count, options.first, one)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
