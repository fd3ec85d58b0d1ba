"""Loops as aoc compiled them: `loops.json` says which it pipelined, and at what initiation
interval. hlsgen counts on 1 for innermost loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hlsgen.calibrate.nodes import Node, number, read_nodes


@dataclass(frozen=True)
class Loop:
    """An innermost loop of a kernel. `interval` is the least II that aoc gives ("~1" and ">=1" are
    1), None where it gives none: the loop is not pipelined, or unrolled away. `line` of the text
    where it begins, 0 where that is not told."""

    kernel: str
    name: str
    pipelined: bool
    interval: float | None
    line: int = 0

    @property
    def full_pace(self) -> bool:
        """Whether a turn can start every cycle."""
        return self.pipelined and self.interval == 1


def read_loops(folder: Path) -> tuple[Loop, ...] | None:
    """All innermost loops of single work-items below `folder`, None where it holds no loops.json.
    Loops of kernels that run many work-items have no initiation interval. Raises ReportError for
    one that cannot be read."""
    path = next(iter(sorted(folder.rglob("loops.json"))), None)
    if path is None:
        return None
    return tuple(
        loop
        for node in read_nodes(path).children
        if '"text": "ND-Range"' not in node.text
        for loop in innermost(node, kernel_name(node))
    )


def kernel_name(node: Node) -> str:
    """A kernel's own name, without "Kernel: " before it and the place in the source behind it."""
    return re.sub(r"^Kernel:\s*|\s*\(.*$", "", str(node.name))


def innermost(node: Node, kernel: str) -> Iterator[Loop]:
    """The loops of a kernel's tree that hold no others. Unrolled loops, for which aoc gives n/a,
    are none."""
    inner = [loop for child in node.children for loop in innermost(child, kernel)]
    data = [str(value) for value in node.data]
    if inner or len(data) < 2 or data[0].strip().lower() not in ("yes", "no"):
        yield from inner
        return
    found = number(data[1]) if any(c.isdigit() for c in data[1]) else None
    pipelined = data[0].strip().lower() == "yes"
    yield Loop(kernel, str(node.name), pipelined, found, node.line)


def summary(loops: tuple[Loop, ...]) -> str:
    """One sentence: how many innermost loops keep the pace that the model counts on, and which do
    not."""
    slow = [loop for loop in loops if not loop.full_pace]
    names = ", ".join(f"{loop.name} of {loop.kernel} ({interval_text(loop)})" for loop in slow[:10])
    more = f" and {len(slow) - 10} more" if len(slow) > 10 else ""
    return f"{len(loops) - len(slow)} of {len(loops)} innermost loops run at II 1" + (
        f"; not so {names}{more}" if slow else ""
    )


def interval_text(loop: Loop) -> str:
    """A loop's II for people."""
    if not loop.pipelined:
        return "not pipelined"
    return "II not given" if loop.interval is None else f"II {loop.interval:g}"
