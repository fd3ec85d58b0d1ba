"""Audits many designs: `python -m benchmarks.audit [NETWORK[:SIZE] ...] [--board BOARD ...]
[--style STYLE ...]`. Prints a table, a row a design.

Default: all networks of the zoo in the styles pipelined, folded and hybrid on PAC D5005. With
`--against PATH` another checkout makes the same designs with its own code, and they are audited by
the same rules. Status 1 where a design of this checkout is not clean.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

import hlsgen
from benchmarks.designs import Job, made
from hlsgen.audit.design import Audit
from hlsgen.audit.findings import ERROR, WARNING
from hlsgen.model.times import rate
from hlsgen.zoo import network
from hlsgen.zoo.networks import NETWORKS

ROOT = Path(__file__).resolve().parents[1]
STYLES = ("pipelined", "folded", "hybrid")
TITLES = (
    "images a second",
    "II > 1",
    "memories",
    "other errors",
    "warnings",
    "DSPs: text / model",
    "distances",
)
INTERVALS = frozenset(("interval",))
MEMORIES = frozenset(("unbankable", "arbitrated", "run-time-index", "register-index", "replicates"))
# Where a design has no figure.
NONE = ("does not fit", *[""] * (len(TITLES) - 1))


@dataclass(frozen=True)
class Design:
    """What is audited; `size` 0 is the network's own."""

    network: str
    size: int
    board: str
    style: str
    images: int

    def names(self) -> tuple[str, str, str]:
        """For a table."""
        launch = f", {self.images} images" if self.images > 1 else ""
        return (
            f"{self.network}{f' {self.size}' if self.size else ''}",
            self.board,
            self.style + launch,
        )


def build(tree: Path, design: Design, out: Path) -> float | None:
    """Build a design with a checkout's code. Images a second by its model; None where it does not
    fit."""
    model = out.with_name(f"{design.network}.onnx")
    onnx.save(network(design.network, design.size or None), model)
    job = Job(design.board, design.style, design.images, str(out))
    (found,) = made(tree, model, [job])
    if "failed" in found:
        raise SystemExit(f"{' '.join(design.names())}: {found['failed']}")
    return None if "refused" in found else float(found["estimate"]["throughput_fps"])


def figures(tree: Path, design: Design) -> tuple[str, ...]:
    """A design's figures, in the order of TITLES."""
    with tempfile.TemporaryDirectory() as folder:
        throughput = build(tree, design, Path(folder) / "design")
        if throughput is None:
            return NONE
        found = hlsgen.audit(Path(folder) / "design")
    # Another checkout's model charged other memories than this one's, which the audit holds the
    # text against.
    ignored = frozenset() if tree == ROOT else frozenset(("geometry",))
    return rate(throughput), *measured(found, ignored)


def measured(found: Audit, ignored: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """What an audit found, in the order of TITLES; `ignored`: rules of other errors that do not
    count."""
    errors = Counter(f.rule for f in found.findings if f.severity == ERROR)
    other = {rule: n for rule, n in errors.items() if rule not in INTERVALS | MEMORIES | ignored}
    return (
        str(sum(errors[rule] for rule in INTERVALS)),
        str(sum(errors[rule] for rule in MEMORIES)),
        ", ".join(f"{n} {rule}" for rule, n in sorted(other.items())) or "0",
        str(sum(f.severity == WARNING for f in found.findings)),
        f"{found.dsps:,g} / {sum(p.dsps for p in found.promises.values()):,}",
        f"{sum(d.proved for d in found.distances)} of {len(found.distances)}",
    )


def designs(options: argparse.Namespace) -> Iterator[Design]:
    """All combinations that were asked for."""
    for text in options.networks or NETWORKS:
        name, _, size = text.partition(":")
        for board in options.board or ("pac_d5005",):
            for style in options.style or STYLES:
                yield Design(
                    name,
                    int(size or 0),
                    board,
                    style,
                    options.images if style != "pipelined" else 1,
                )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK[:SIZE]")
    parser.add_argument("--board", action="append")
    parser.add_argument("--style", action="append", choices=(*STYLES, "auto"))
    parser.add_argument(
        "--images", type=int, default=1, help="images a launch of folded and hybrid designs"
    )
    parser.add_argument(
        "--against", type=Path, metavar="PATH", help="another checkout, whose designs come first"
    )
    options = parser.parse_args()
    trees = {"before: ": options.against, "after: ": ROOT} if options.against else {"": ROOT}
    titles = [
        "network",
        "board",
        "style",
        *(f"{when}{title}" for when in trees for title in TITLES),
    ]
    print(f"| {' | '.join(titles)} |\n|{'---|' * 3}{'---:|' * (len(titles) - 3)}")
    clean = True
    for design in designs(options):
        cells = [figures(tree, design) for tree in trees.values()]
        print(
            f"| {' | '.join([*design.names(), *(cell for part in cells for cell in part)])} |",
            flush=True,
        )
        clean &= cells[-1] == NONE or cells[-1][1:4] == ("0", "0", "0")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
