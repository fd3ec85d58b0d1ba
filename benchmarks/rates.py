"""Predicted images a second of the zoo's networks on boards, with their bands, as a table.

python -m benchmarks.rates [--networks NAME,...] [--boards NAME,...] [--images N,...] [--copies N]

The best design of `--style auto`, one image a launch, is in the first rows of a network; other
numbers of images a launch, and as many copies as make it faster, where they are asked for.
"""

from __future__ import annotations

import argparse

import hlsgen
from hlsgen.boards import board
from hlsgen.model.calibration import default_calibration
from hlsgen.model.times import rate
from hlsgen.plan import Plan
from hlsgen.schedule.goal import ANY_COPIES, Goal
from hlsgen.schedule.provenance import headline, throughput_band
from hlsgen.schedule.scheduler import schedule
from hlsgen.zoo import network

NETWORKS = "lenet5,mobilenetv1,mobilenetv2,resnet18,resnet34,resnet50"
BOARDS = "pac_d5005,pac_a10,p520_hpc,de10_nano"
HEAD = "| network | board | style | images/s | band | MHz | of roofline |\n" + "|---" * 7 + "|"


def row(graph: hlsgen.graph.Graph, name: str, plan: Plan) -> str:
    """A line of the table."""
    found = headline(graph, plan, default_calibration())
    low, high = throughput_band(graph, plan, found, default_calibration())
    return (
        f"| {name} | {plan.board} | {design(plan)} | {rate(found.throughput)} | "
        f"{rate(low)} to {rate(high)} | {found.resources.fmax:.0f} | "
        f"{found.throughput / found.roofline_fps:.0%} |"
    )


def design(plan: Plan) -> str:
    """Its style, and what stands on the board more than once."""
    several = [f"{plan.copies} copies"] * (plan.copies > 1)
    several += [f"{plan.images} images a launch"] * (plan.images > 1)
    several += [f"{plan.weight_readers} readers of weights"] * (plan.weight_readers > 0)
    return ", ".join((plan.style, *several))


def main() -> None:
    """Print the table, row by row as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--boards", default=BOARDS)
    parser.add_argument("--images", default="1")
    parser.add_argument("--copies", action="store_true", help="as many as make it faster")
    options = parser.parse_args()
    print(HEAD, flush=True)
    for name in options.networks.split(","):
        graph = hlsgen.load_graph(network(name))
        for target in options.boards.split(","):
            board(target)
            goals = [Goal(images=int(count)) for count in options.images.split(",")]
            goals += [Goal(copies=ANY_COPIES)] * options.copies
            for goal in goals:
                try:
                    text = row(graph, name, schedule(graph, target, goal=goal))
                except hlsgen.HlsgenError as error:
                    text = f"| {name} | {target} | | {error.args[0].splitlines()[0]} | | | |"
                print(text, flush=True)


if __name__ == "__main__":
    main()
