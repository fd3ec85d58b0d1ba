"""Networks over several boards with links: predicted images a second, and what limits them.

`python -m benchmarks.boards [--networks NAME,...] [--types TYPE,...] [--counts N,...] [--rows
FILE] [--write docs/several-boards.md]` plans networks of the zoo (random weights) for rows of
boards in a chain, keeps a line a plan in a file, which a later call goes on with, and puts the
table of all of them into a page in the place of the one there. One board is planned in all styles.
`--emulate` builds a small MobileNet for four boards and runs it on the emulator instead.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import hlsgen
from benchmarks.kept import Finished, put_into
from hlsgen.accelerator.accelerator import Accelerator
from hlsgen.boards.topology import topology
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph
from hlsgen.model.times import rate
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.provenance import headline
from hlsgen.system.build import generate_system
from hlsgen.system.search import plan_row
from hlsgen.zoo import network
from tests.support.quantised import quantised_statically

BOARD = "p520_max"
# Pictures of 224x224.
NETWORKS, SIZE = ("resnet50", "vgg16", "mobilenetv1", "resnet34"), 224
TYPES = ("float32", "int8")
COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Row:
    """A network over so many boards: images a second, milliseconds an image, what sets the rate,
    whether all weights are on chip; processor seconds of planning. `refusal`: why it cannot be."""

    network: str
    type: str
    boards: int
    style: str = ""
    throughput: float = 0.0
    milliseconds: float = 0.0
    limit: str = ""
    on_chip: bool = False
    seconds: float = 0.0
    refusal: str = ""


def main() -> None:
    """Plan what is not yet planned, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--rows", type=Path, default=Path("boards.jsonl"))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--emulate", action="store_true", help="run a small MobileNet instead")
    options = parser.parse_args()
    if options.emulate:
        emulate()
        return
    finished = Finished(options.rows)
    counts = [int(n) for n in options.counts.split(",") if n]
    for name, kind, count in product(options.networks.split(","), options.types.split(","), counts):
        key = {"network": name, "type": kind, "boards": count}
        finished.make(key, partial(result, **key))
    text = table([Row(**found) for found in finished.results()])
    print(text)
    if options.write:
        put_into(options.write, "table", text)


def emulate(boards: int = 4) -> None:
    """A small MobileNet over boards that are emulated all at once, every layer checked."""
    graph = hlsgen.load_graph(network("mobilenetv1", size=32, width=0.25))
    plan = plan_row(graph, [BOARD] * boards, topology("chain"), Goal(), {})
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "mobilenet"
        generate_system(graph, plan, place)
        with Accelerator(place) as accelerator:
            found = accelerator.validate(samples=2, strict=True)
    print(f"{boards} boards, cut after layers {plan.ends}: {found.verdict}")


def result(network: str, type: str, boards: int) -> dict[str, Any]:
    """A row for JSON."""
    return asdict(planned(load(network, type), network, type, boards))


@lru_cache(maxsize=1)
def load(name: str, kind: str) -> Graph:
    """A network of the zoo, quantised if that is wanted."""
    model = network(name, SIZE)
    if kind == "float32":
        return hlsgen.load_graph(model)
    last = tuple(node.name for node in model.graph.node if node.op_type == "Softmax")
    with tempfile.TemporaryDirectory() as folder:
        return hlsgen.load_graph(quantised_statically(model, Path(folder), np.uint8, last))


def planned(graph: Graph, name: str, kind: str, count: int) -> Row:
    """The plan of a network over so many boards."""
    started = time.process_time()
    goal = Goal()
    try:
        if count == 1:
            plan = hlsgen.schedule(graph, BOARD, goal=goal)
            found = headline(graph, plan, goal.calibration)
            on_chip = not plan.steps and not any(kernel.row_tiles for kernel in plan.kernels)
            row = Row(
                name, kind, 1, plan.style, found.throughput, found.latency * 1e3,
                found.timing.bottleneck, on_chip,
            )  # fmt: skip
            return timed(row, started)
        system = plan_row(graph, [BOARD] * count, topology("chain"), goal, {})
    except Infeasible as error:
        return Row(name, kind, count, refusal=error.reason)
    on_chip = not any(kernel.row_tiles for plan in system.plans for kernel in plan.kernels)
    row = Row(
        name, kind, count, "pipelined", system.throughput, system.latency * 1e3, system.limit,
        on_chip,
    )  # fmt: skip
    return timed(row, started)


def timed(row: Row, started: float) -> Row:
    """A row with the processor seconds since then."""
    return Row(**asdict(row) | {"seconds": time.process_time() - started})


def table(rows: list[Row]) -> str:
    """The rows in Markdown: of so many boards the best chain, or chains side by side; efficiency is
    the rate over that of so many times one board."""
    head = (
        "| network | type | boards | chains | images/s | times one board | efficiency | ms | "
        "weights | what limits | planning, s |\n"
        "|---|---|---:|---|---:|---:|---:|---:|---|---|---:|"
    )
    known = {(row.network, row.type, row.boards): row for row in rows}
    order = {name: n for n, name in enumerate(NETWORKS)}
    ordered = sorted(rows, key=lambda r: (order.get(r.network, 99), r.type, r.boards))
    return "\n".join([head, *(line(row, known) for row in ordered)])


def line(row: Row, known: dict[tuple[str, str, int], Row]) -> str:
    """The line of so many boards."""
    count, name = row.boards, (row.network, row.type)
    shorter = (known.get((*name, n)) for n in range(1, count) if count % n == 0)
    # A system is of pipelined designs alone, also where each board has the whole network.
    chains = [row, *(chain for chain in shorter if chain and chain.style == "pipelined")]
    best = max(chains, key=lambda chain: count // chain.boards * chain.throughput)
    start = f"| {row.network} | {row.type} | {count} |"
    if not best.throughput:
        return f"{start} {row.refusal} | | | | | | | |"
    total = count // best.boards * best.throughput
    one = known.get((*name, 1), Row(*name, 1)).throughput
    share = f"{total / one:.2f} | {total / one / count:.2f}" if one else " | "
    shape = best.style if count == 1 else f"{count // best.boards} of {best.boards}"
    weights = "on chip" if best.on_chip else "some from memory"
    return (
        f"{start} {shape} | {rate(total)} | {share} | {best.milliseconds:.3g} | {weights} | "
        f"{best.limit} | {row.seconds:.0f} |"
    )


if __name__ == "__main__":
    main()
