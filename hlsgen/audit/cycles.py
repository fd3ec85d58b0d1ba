"""The cycle of a graph with the most latency a turn: maximum cycle ratio by Howard's policy
iteration."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

Node = Hashable
PRECISION = 1e-9


@dataclass(frozen=True)
class Edge:
    """A dependence: `target` starts no sooner than `latency` cycles after `source` of `distance`
    turns before."""

    source: Node
    target: Node
    latency: float
    distance: int


@dataclass(frozen=True)
class Cycle:
    """A cycle of dependences: cycles of latency for each turn that it spans, and what is on it."""

    ratio: float
    nodes: tuple[Node, ...]


def heaviest(edges: Iterable[Edge]) -> Cycle:
    """The cycle of largest ratio of latency to distance; ratio 0 and no nodes where there is no
    cycle.

    Every cycle must span a turn at least.
    """
    import networkx as nx

    graph = nx.DiGraph()
    best: dict[tuple[Node, Node], list[Edge]] = {}
    for edge in edges:
        graph.add_edge(edge.source, edge.target)
        best.setdefault((edge.source, edge.target), []).append(edge)
    found = Cycle(0.0, ())
    for component in nx.strongly_connected_components(graph):
        out = {n: [e for t in graph[n] if t in component for e in best[n, t]] for n in component}
        if all(out.values()):
            found = max(found, howard(out), key=lambda cycle: cycle.ratio)
    return found


def howard(out: Mapping[Node, list[Edge]]) -> Cycle:
    """The heaviest cycle of a strongly connected component, from each node's edges."""
    policy = {n: max(edges, key=lambda e: e.latency) for n, edges in out.items()}
    while True:
        ratio, value, cycle = evaluate(policy)
        better = False
        for node, edges in out.items():
            for e in edges:
                if ratio[e.target] > ratio[node] + PRECISION or (
                    ratio[e.target] > ratio[node] - PRECISION
                    and e.latency - ratio[node] * e.distance + value[e.target] > value[node] + 1e-6
                ):
                    policy[node] = e
                    ratio[node] = ratio[e.target]
                    value[node] = e.latency - ratio[node] * e.distance + value[e.target]
                    better = True
        if not better:
            return cycle


def evaluate(policy: Mapping[Node, Edge]) -> tuple[dict[Node, float], dict[Node, float], Cycle]:
    """Ratio and value of every node when each follows its one edge, and the heaviest cycle met."""
    ratio: dict[Node, float] = {}
    value: dict[Node, float] = {}
    heaviest_cycle = Cycle(0.0, ())
    for start in policy:
        path: list[Node] = []
        position: dict[Node, int] = {}
        node = start
        while node not in ratio and node not in position:
            position[node] = len(path)
            path.append(node)
            node = policy[node].target
        if node not in ratio:  # a new cycle
            ring = path[position[node] :]
            latency = sum(policy[n].latency for n in ring)
            own = latency / max(sum(policy[n].distance for n in ring), PRECISION)
            heaviest_cycle = max(
                heaviest_cycle, Cycle(own, tuple(ring)), key=lambda cycle: cycle.ratio
            )
            ratio[node], value[node] = own, 0.0
            path = path[: position[node]] + ring[1:]
        for n in reversed(path):
            e = policy[n]
            ratio[n] = ratio[e.target]
            value[n] = e.latency - ratio[n] * e.distance + value[e.target]
    return ratio, value, heaviest_cycle
