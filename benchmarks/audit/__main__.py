"""Audits designs of the zoo: `python -m benchmarks.audit`, side by side with another checkout's designs with `--against PATH`.

Every network is scheduled in each style on each board, its kernels are generated and audited from their text. Where another checkout is named, its designs
are made by its own code and audited by the same rules.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hlsgen.audit.design import audit
from hlsgen.audit.findings import ERROR
from hlsgen.schedule.times import rate

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("lenet5", "mobilenetv1", "mobilenetv2", "squeezenet", "resnet18", "resnet34", "resnet50")
BOARDS = ("pac_d5005", "p520_hpc", "pac_a10")
STYLES = ("pipelined", "folded", "hybrid")
# Rules about arrays that cannot be built as they are promised.
ARRAYS = ("unbankable", "arbitrated", "register-index")
BUILD = """
import json, sys
import hlsgen
from hlsgen.errors import PlanError
from hlsgen.schedule.estimate import estimate
from hlsgen.zoo import network
name, board, style, images, out = sys.argv[1:]
graph = hlsgen.load(network(name))
try:
    goal = hlsgen.Goal(images=int(images)) if style != "pipelined" else hlsgen.Goal()
    plan = hlsgen.schedule(graph, board=board, style=style, goal=goal)
except PlanError as error:
    print(json.dumps({"refused": str(error)}))
else:
    hlsgen.generate(graph, plan, out)
    print(json.dumps({"rate": estimate(graph, plan).throughput, "style": plan.style}))
"""


@dataclass(frozen=True)
class Row:
    """One design: images a second by the model, what the audit found; `refused` says why there is none."""

    throughput: float = 0.0
    intervals: int = 0
    arrays: int = 0
    others: int = 0
    refused: str = ""

    def cells(self) -> list[str]:
        """For a table."""
        if self.refused:
            return ["does not fit", "", "", ""]
        return [rate(self.throughput), str(self.intervals), str(self.arrays), str(self.others)]


def build(tree: Path, out: Path, network: str, board: str, style: str, images: int) -> dict[str, object]:
    """Build a design with a checkout's own code."""
    command = [sys.executable, "-c", BUILD, network, board, style, str(images), str(out)]
    done = subprocess.run(command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{network}, {board}, {style}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(tree: Path, network: str, board: str, style: str, images: int) -> Row:
    """Build and audit one design."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "design"
        built = build(tree, out, network, board, style, images)
        if "refused" in built:
            return Row(refused=str(built["refused"]))
        counts = Counter(f.rule for f in audit(out).findings if f.severity == ERROR)
    arrays = sum(counts[rule] for rule in ARRAYS)
    others = sum(counts.values()) - arrays - counts["interval"]
    return Row(float(str(built["rate"])), counts["interval"], arrays, others)


def main(arguments: list[str] | None = None) -> int:
    """Print a line a design as it is done. Status 1 when the audit finds an error in this checkout's designs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--against", type=Path, metavar="PATH", help="another checkout, whose designs are audited too")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME")
    parser.add_argument("--boards", nargs="+", default=BOARDS, metavar="BOARD")
    parser.add_argument("--styles", nargs="+", default=STYLES, metavar="STYLE")
    parser.add_argument("--images", type=int, default=1, help="images a launch of folded and hybrid designs")
    options = parser.parse_args(arguments)
    trees = [options.against] * bool(options.against) + [ROOT]
    titles = ["images a second", "II", "arrays", "others"]
    heads = ["network", "board", "style"] + [
        f"{when}{title}" for when in (["before: ", "after: "] if options.against else [""]) for title in titles
    ]
    print(f"| {' | '.join(heads)} |\n|{'---|' * 3}{'---:|' * (len(heads) - 3)}")
    broken = 0
    for network in options.networks:
        for board in options.boards:
            for style in options.styles:
                rows = [measured(tree, network, board, style, options.images) for tree in trees]
                cells = [cell for row in rows for cell in row.cells()]
                print(f"| {' | '.join([network, board, style, *cells])} |", flush=True)
                broken += rows[-1].intervals + rows[-1].arrays + rows[-1].others
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
