"""Audits many designs: `python -m benchmarks.audit [NETWORK[:SIZE] ...] [--board BOARD ...] [--style STYLE ...]`. Prints a table, a row a design.

Default: all networks of the zoo in the styles pipelined, folded and hybrid on PAC D5005. Status 1 where a design is not clean.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import onnx

import hlsgen
from hlsgen.audit.findings import ERROR, WARNING
from hlsgen.errors import PlanError
from hlsgen.zoo import network
from hlsgen.zoo.networks import NETWORKS

STYLES = ("pipelined", "folded", "hybrid")
TITLES = ("network", "board", "style", "II > 1", "memories", "other errors", "warnings", "DSPs: text / model", "kernels that differ", "distances")  # fmt: skip
INTERVALS = frozenset(("interval",))
MEMORIES = frozenset(("unbankable", "arbitrated", "run-time-index", "register-index", "replicates"))


@dataclass(frozen=True)
class Design:
    """What is audited."""

    network: str
    size: int | None
    board: str
    style: str


def row(design: Design) -> tuple[str, ...] | None:
    """A design's figures, in the order of TITLES; None where it cannot be built."""
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(network(design.network, design.size), f"{folder}/model.onnx")
        graph = hlsgen.load(f"{folder}/model.onnx")
        try:
            plan = hlsgen.schedule(graph, board=design.board, style=design.style)
        except PlanError:
            return None
        hlsgen.generate(graph, plan, Path(folder) / "design")
        found = hlsgen.audit(Path(folder) / "design")
    errors = Counter(f.rule for f in found.findings if f.severity == ERROR)
    other = {rule: n for rule, n in errors.items() if rule not in INTERVALS | MEMORIES}
    promised = found.promises
    differ = sum(k.name in promised and ceil(k.arithmetic.dsps * found.copies(k.name)) != promised[k.name].dsps for k in found.kernels)  # fmt: skip
    return (
        f"{design.network}{f' {design.size}' if design.size else ''}",
        design.board,
        design.style,
        str(sum(errors[rule] for rule in INTERVALS)),
        str(sum(errors[rule] for rule in MEMORIES)),
        ", ".join(f"{n} {rule}" for rule, n in sorted(other.items())) or "0",
        str(sum(f.severity == WARNING for f in found.findings)),
        f"{found.dsps:,g} / {sum(p.dsps for p in promised.values()):,}",
        f"{differ} of {len(found.kernels)}",
        f"{sum(d.proved for d in found.distances)} of {len(found.distances)}",
    )


def designs(options: argparse.Namespace) -> Iterator[Design]:
    """All combinations that were asked for."""
    for text in options.networks or NETWORKS:
        name, _, size = text.partition(":")
        for board in options.board or ("pac_d5005",):
            for style in options.style or STYLES:
                yield Design(name, int(size) if size else None, board, style)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK[:SIZE]")
    parser.add_argument("--board", action="append")
    parser.add_argument("--style", action="append", choices=STYLES)
    clean = True
    print(f"| {' | '.join(TITLES)} |\n|{'---|' * len(TITLES)}")
    for design in designs(parser.parse_args()):
        cells = row(design)
        if cells is None:
            print(f"| {design.network} | {design.board} | {design.style} | does not fit |{' |' * (len(TITLES) - 4)}")
            continue
        clean &= cells[3:6] == ("0", "0", "0")
        print(f"| {' | '.join(cells)} |", flush=True)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
