"""Where a network may be cut, and what a cut costs: cheap bounds for many cuts, before the search
builds the few that matter.

At a given pace, cycles of an image, every layer has a cheapest kernel. What the layers of a board
cost together is at least about the sum of these; tensors that cross a cut take so long on the wire.
Whether boards in a row can hold the network at a pace is then answered by filling one after
another: fewer layers on a board never need more of it. The least pace is bisected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hlsgen.boards import Board, board
from hlsgen.boards.topology import Topology
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph
from hlsgen.model.links import round_trip_words, word_seconds
from hlsgen.plan import LinkPlan, Plan
from hlsgen.rewrites.parts import crossing
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import tensor_classes
from hlsgen.schedule.pipelined.options import OptionCache
from hlsgen.schedule.pipelined.problem import build_problem, full_clock
from hlsgen.words import counted

# Prices of (ALMs, memory blocks, DSPs, bytes a cycle) at which the cheapest kernels are looked for:
# a board is short of one or another.
PRICES = ((1, 1, 1, 1), (1, 8, 1, 1), (1, 1, 8, 1), (4, 1, 1, 1), (1, 8, 1, 8))
# Share of a board's resources that kernels may take, as the bounds say: FIFOs and what the bounds
# leave out need the rest.
FILLED = 0.9
# Steps in which the least share of the fullest board is bisected.
SHARES = 6
# Share of the time of an image that a link may take before it gets another channel.
BUSY = 0.8


@dataclass(frozen=True)
class Bounds:
    """What every layer costs at least on one kind of board: for each, rows of an option's cycles,
    and its (ALMs, blocks, DSPs, bytes of weights from memory); `limits` of the board, the last a
    cycle, and its `clock` in MHz."""

    cycles: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    limits: np.ndarray
    clock: float

    @staticmethod
    def of(
        graph: Graph, target: Board, plan: Plan, goal: Goal, cache: OptionCache, streams: bool
    ) -> Bounds:
        """Those of a network on a board. Without `streams` all weights are on chip."""
        problem = build_problem(graph, target, plan, goal, tensor_classes(graph), cache, streams)
        options = [problem.options[layer.name] for layer in graph.layers]
        return Bounds(
            tuple(np.array([o.cycles for o in layer]) for layer in options),
            tuple(np.array([(*o.cost, o.bytes) for o in layer], float) for layer in options),
            np.array([*np.maximum(problem.limits, 1), problem.bandwidth], float),
            full_clock(target, goal),
        )

    @cached_property
    def least(self) -> int:
        """Cycles that no design goes below: each layer's quickest kernel."""
        return int(max(cycles.min() for cycles in self.cycles))

    @cached_property
    def most(self) -> int:
        """Cycles that the slowest kernels take."""
        return int(max(cycles.max() for cycles in self.cycles))

    def shares(self, pace: int) -> np.ndarray:
        """What the layers take of the board at a pace, summed from the first on: (prices, layers +
        1, resources)."""
        limits = self.limits * FILLED * np.array([1, 1, 1, pace])
        found = np.full((len(PRICES), len(self.cycles) + 1, len(limits)), np.inf)
        found[:, 0] = 0.0
        for number, (cycles, costs) in enumerate(zip(self.cycles, self.costs, strict=True), 1):
            shares = costs[cycles <= pace] / limits
            if not len(shares):
                break
            for row, price in enumerate(PRICES):
                best = shares[(shares @ np.array(price)).argmin()]
                found[row, number] = found[row, number - 1] + best
        return found


@dataclass(frozen=True)
class Row:
    """Boards in a row: which, by the names that plans have for them (`keys`), how they are cabled,
    and the bounds of each kind. Unless weights may come from memory (`streams`), all are on
    chip."""

    graph: Graph
    keys: tuple[str, ...]
    boards: tuple[Board, ...]
    topology: Topology
    bounds: dict[str, Bounds]
    streams: bool

    def link(self, end: int, number: int, pace: int) -> tuple[LinkPlan, LinkPlan]:
        """Both ends of the link from board `number` to the next where a cut lies before layer
        `end`: with as many channels as the pace needs at the highest clock, or all that are
        there."""
        writer, reader = self.boards[number], self.boards[number + 1]
        pairs = self.topology.channels(writer, reader)
        counts = [n for n in (1, 2, 4, 8) if n <= len(pairs)]
        time = BUSY * pace / (writer.device.fmax_high * 1e6)
        used = next((n for n in counts if self.wire_seconds(end, number, n) <= time), counts[-1])
        assert writer.io_channels
        sides = tuple(zip(*pairs[:used], strict=True))
        tensors, bits = crossing(self.graph, end), writer.io_channels.bits
        return (
            LinkPlan(sides[0], bits, tensors, 16),
            LinkPlan(sides[1], bits, tensors, round_trip_words(reader)),
        )

    def wire_seconds(self, end: int, number: int, channels: int) -> float:
        """Seconds that an image takes on the link behind board `number`, at the least."""
        tensors = [self.graph.tensors[name] for name in crossing(self.graph, end)]
        writer = self.boards[number]
        assert writer.io_channels
        bits = sum(tensor.size * tensor.type.bits for tensor in tensors)
        return bits / (channels * writer.io_channels.bits) * word_seconds(writer)

    def seconds(self, pace: int, number: int) -> float:
        """Seconds of so many cycles of a board."""
        return pace / (self.bounds[self.keys[number]].clock * 1e6)

    def most(self, pace: int) -> float:
        """Images a second that no design at a pace exceeds: at the highest clock."""
        return min(board.device.fmax_high for board in self.boards) * 1e6 / pace

    def open(self, end: int, number: int, pace: int) -> bool:
        """Whether a cut before layer `end` lets the pace through."""
        pairs = self.topology.channels(self.boards[number], self.boards[number + 1])
        return self.wire_seconds(end, number, len(pairs)) <= self.seconds(pace, number)

    def filled(self, pace: int, share: float = 1.0) -> tuple[int, ...] | None:
        """Where the cuts lie if each board takes as many layers as fit a share of it at a pace;
        None where they are too many."""
        count, ends = len(self.graph.layers), [0]
        for number, key in enumerate(self.keys):
            left = len(self.boards) - 1 - number  # boards behind need a layer each
            shares = self.bounds[key].shares(pace)
            taken = (shares - shares[:, ends[-1]][:, None]).max(axis=2).min(axis=0)
            fits = [
                end
                for end in range(ends[-1] + 1, count - left + 1)
                if taken[end] <= share and (end == count or (left and self.open(end, number, pace)))
            ]
            if not fits:
                return None
            ends.append(fits[-1])
        return tuple(ends[1:]) if ends[-1] == count else None

    def best(self) -> tuple[int, tuple[int, ...]]:
        """The least pace at which the boards hold the network, and where the cuts then lie. Raises
        Infeasible."""
        low = max(bounds.least for bounds in self.bounds.values())
        high = max(bounds.most for bounds in self.bounds.values())
        found = self.filled(high)
        if found is None:
            raise Infeasible(
                "the network does not fit on them",
                where=counted(len(self.boards), "board"),
                remedy="use more boards, or 8-bit integers",
            )
        best = high
        while low < high:
            pace = (low + high) // 2
            ends = self.filled(pace)
            if ends is None:
                low = pace + 1
            else:
                best, found, high = pace, ends, pace
        return best, self.even(best) or found

    def even(self, pace: int) -> tuple[int, ...] | None:
        """The cuts at a pace that fill the fullest board least: that leaves the clock highest."""
        found, low, high = None, 0.0, 1.0
        for _ in range(SHARES):
            share = (low + high) / 2
            ends = self.filled(pace, share)
            if ends is None:
                low = share
            else:
                found, high = ends, share
        return found


def row_of(
    graph: Graph, keys: Sequence[str], topology: Topology, plan: Plan, goal: Goal,
    caches: dict[str, OptionCache], streams: bool,
) -> Row:  # fmt: skip
    """Boards in a row for a network. Raises Infeasible, BoardError."""
    bounds = {}
    for key in dict.fromkeys(keys):
        cache = caches.setdefault(key, OptionCache())
        own = replace(plan, board=key)
        bounds[key] = Bounds.of(graph, board(key), own, goal, cache, streams)
    return Row(graph, tuple(keys), tuple(map(board, keys)), topology, bounds, streams)
