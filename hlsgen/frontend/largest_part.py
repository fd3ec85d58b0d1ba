"""The part of a network that is worth most on the device, where some nodes cannot be built.

The host computes a head before the part and a tail behind it, so every node has a stage, and no
node reads a value of a later stage. Which stages are best is a minimum cut: a node is two points of
a flow network, "it is past the head" and "it is in the tail".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEAD, DESIGN, TAIL = range(3)
# Ends of the flow network. Points on the side of the first one hold.
HOLDS, FAILS = "holds", "fails"


@dataclass(frozen=True)
class Step:
    """A node: the values that it reads and writes, its `work` (multiply-accumulates), and whether
    it can be built."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    work: int
    buildable: bool


def largest_part(
    steps: Sequence[Step], sizes: Mapping[str, int], outputs: Collection[str]
) -> list[int]:
    """The stage of every step: most work in the design, then fewest values over the cut, then
    fewest steps on the host.

    `sizes` holds how many numbers each value is, of values that may cross alone; what is not in it
    keeps its writer and readers in one stage. `outputs`: the network's.
    """
    import networkx as nx

    net = nx.DiGraph()
    net.add_nodes_from((HOLDS, FAILS))
    per_value = len(steps) + 1
    per_work = per_value * (2 * sum(sizes.values()) + 1)
    writers = {name: number for number, step in enumerate(steps) for name in step.writes}
    for number, step in enumerate(steps):
        past, tail = ("past", number), ("tail", number)
        price = step.work * per_work + 1
        net.add_edge(HOLDS, past, capacity=price)  # paid in the head
        net.add_edge(tail, FAILS, capacity=price)  # paid in the tail
        implies(net, tail, past)
        if not step.buildable:
            implies(net, past, tail)
        for name in step.reads:
            if name in writers:
                implies(net, ("past", writers[name]), past)
                implies(net, ("tail", writers[name]), tail)
    add_crossings(net, steps, writers, sizes, per_value)
    for name in outputs:
        if name in writers and name in sizes:
            price = sizes[name] * per_value
            net.add_edge(HOLDS, ("tail", "output", name), capacity=price)
            implies(net, ("tail", "output", name), ("tail", writers[name]))
    _, (holding, _) = nx.minimum_cut(net, HOLDS, FAILS)
    return [(("past", n) in holding) + (("tail", n) in holding) for n in range(len(steps))]


def implies(net: Any, point: Any, other: Any) -> None:
    """Where a point holds, the other does: an arc without a capacity cannot be cut."""
    net.add_edge(point, other)


def add_crossings(
    net: Any,
    steps: Sequence[Step],
    writers: Mapping[str, int],
    sizes: Mapping[str, int],
    per_value: int,
) -> None:
    """Pay for each value once where its readers begin a stage that its writer is not in. (Counted
    so, values that go from head to tail or that the tail reads of the inputs are not free.)"""
    for number, step in enumerate(steps):
        for name in step.reads:
            writer = writers.get(name)
            if writer is None and name in sizes:
                crosses = ("past", name)
                implies(net, ("past", number), crosses)
                net.add_edge(crosses, FAILS, capacity=sizes[name] * per_value)
            for side in ("past", "tail") if writer is not None else ():
                if name in sizes:
                    crosses = (side, name)
                    implies(net, (side, number), crosses)
                    net.add_edge(crosses, (side, writer), capacity=sizes[name] * per_value)
                else:
                    implies(net, (side, number), (side, writer))
