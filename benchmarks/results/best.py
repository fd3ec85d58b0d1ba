"""The best design of a network on a board by `--style auto`, with its band and what the audit finds
in its text."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hlsgen
from benchmarks.audit import measured
from benchmarks.rates import row
from hlsgen.schedule.goal import ANY_COPIES, Goal
from hlsgen.zoo import network

HEAD = (
    "| network | board | design | images/s | band | MHz | of roofline | II > 1 | memories | "
    "other errors | warnings | DSPs: text / model | distances |\n" + "|---" * 13 + "|"
)
MANY_COPIES = "copies"


def lines(name: str, board: str, launch: str) -> Iterator[str]:
    """Its row; `launch`: images a launch, or as many copies as make it faster."""
    graph = hlsgen.load_graph(network(name))
    goal = Goal(copies=ANY_COPIES) if launch == MANY_COPIES else Goal(images=int(launch))
    try:
        plan = hlsgen.schedule(graph, board=board, goal=goal)
    except hlsgen.HlsgenError as error:
        yield f"| {name} | {board} | {error.args[0].splitlines()[0]} |" + " |" * 10
        return
    with tempfile.TemporaryDirectory() as folder:
        hlsgen.generate(graph, plan, Path(folder) / "design")
        found = hlsgen.audit(Path(folder) / "design")
    yield f"{row(graph, name, plan)} {' | '.join(measured(found))} |"
