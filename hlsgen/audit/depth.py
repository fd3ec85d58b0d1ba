"""How long a value takes through a turn of an innermost loop: the pipeline depth, as a band over
aoc's latencies.

A chain of additions whose partial sums nothing else uses is a balanced tree where the flags of the
build allow aoc to reassociate; so is a chain of maxima, and one of integers, whose order never
matters.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable

from hlsgen.audit.ir import Instruction
from hlsgen.audit.kernel import READ, WRITE, Kernel, operation
from hlsgen.audit.recurrences import HIGH, LOW, Turn, apart
from hlsgen.audit.rules import latency

# Operations that may be done in any order with others of their kind, and the kind.
REORDERED = {"fadd": "fadd", "multiply_add": "fadd", "fcmp": "fcmp", "add": "add"}

# The flags of an addition that may be done in another order.
REASSOCIATES = re.compile(r"\b(fast|reassoc)\b")


def depth(kernel: Kernel) -> tuple[float, float] | None:
    """Cycles from the reads of a kernel's turn to the last of its writes to channels, fewest and
    most; None where no loop, or more than one, has both, and where what is read leaves in a later
    turn alone."""
    turns = [Turn(kernel, loop) for loop in kernel.innermost]
    through = [turn for turn in turns if reads_channel(turn) and channel_writes(turn)]
    if len(through) != 1:
        return None
    turn, ends = through[0], 2 * latency("channel")[LOW]
    sinks = channel_writes(turn)
    found = [Arrivals(turn, mode) for mode in (LOW, HIGH)]
    if not found[LOW].reaches(sinks):
        return None
    low, high = (max(arrivals.at(i) for i in sinks) for arrivals in found)
    return low + ends, high + ends


def reads_channel(turn: Turn) -> bool:
    """Whether a turn reads a channel."""
    return any(map(reads, turn.body))


def reads(i: Instruction) -> bool:
    """Whether an instruction reads a channel."""
    return i.op == "call" and i.extra[0] == READ


def channel_writes(turn: Turn) -> list[Instruction]:
    """The stores of a turn that write channels."""
    return [i for i in turn.body if i.op == "store" and writes_channel(turn, i)]


def writes_channel(turn: Turn, store: Instruction) -> bool:
    """Whether a store goes where a channel's write said."""
    i = turn.by_name.get(store.operands[1])
    while i is not None and i.op == "bitcast":
        i = turn.by_name.get(i.operands[0])
    return i is not None and i.op == "call" and i.extra[0] == WRITE


def forwarded(turn: Turn) -> list[tuple[int, int]]:
    """Stores of a turn, and later loads of maybe the same word in it."""
    found = []
    for array in turn.kernel.arrays.values():
        here = [a for a in array.accesses if a.at in turn.by_index]
        stores, loads = ([a for a in here if a.store is kind] for kind in (True, False))
        found += [(s.at, a.at) for s in stores for a in loads if s.at < a.at and not apart(s, a)]
    return found


class Arrivals:
    """When the operands of a turn's instructions are there, with latencies of one end of the
    band."""

    def __init__(self, turn: Turn, mode: int):
        import networkx as nx

        self.turn, self.mode = turn, mode
        self.before: dict[int, list[int]] = {i.index: [] for i in turn.body}
        pairs = [(p, c) for p, followers in turn.after.items() for c in followers]
        pairs += forwarded(turn)
        for producer, consumer in pairs:
            self.before[consumer].append(producer)
        self.done: dict[int, float] = {}
        for index in nx.topological_sort(nx.DiGraph(pairs)):
            i = turn.by_index[index]
            self.done[index] = self.tree(i) if self.kind(i) else self.at(i) + turn.cost(i, mode)

    def reaches(self, sinks: list[Instruction]) -> bool:
        """Whether anything that is read from a channel is needed for one of the instructions."""
        waiting, seen = [i.index for i in sinks], set[int]()
        while waiting:
            index = waiting.pop()
            if reads(self.turn.by_index[index]):
                return True
            later = set(self.before[index]) - seen
            seen |= later
            waiting += later
        return False

    def at(self, i: Instruction) -> float:
        """The start of an instruction."""
        return max((self.done[p] for p in self.before[i.index]), default=0.0)

    def kind(self, i: Instruction) -> str:
        """What a tree of such instructions is made of; "" where they make none."""
        found = REORDERED.get(operation(i), "")
        return "" if found == "fadd" and not REASSOCIATES.search(i.code) else found

    def tree(self, root: Instruction) -> float:
        """When a tree is done whose leaves are joined two by two, the earliest first."""
        step = latency(self.kind(root))[self.mode]
        times = list(self.leaves(root, self.kind(root)))
        heapq.heapify(times)
        while len(times) > 1:
            heapq.heappush(times, max(heapq.heappop(times), heapq.heappop(times)) + step)
        return times[0] if times else 0.0

    def part(self, i: Instruction, kind: str) -> bool:
        """Whether a value is one of this turn that only a tree of `kind` uses."""
        known = i.index in self.done
        return known and self.kind(i) == kind and len(self.turn.after[i.index]) == 1

    def leaves(self, root: Instruction, kind: str) -> Iterable[float]:
        """When the values are there that a tree joins: operands that are no parts of it, products
        of multiply-adds."""
        waiting = [root]
        while waiting:
            i = waiting.pop()
            product = 0.0
            for position, operand in enumerate(i.operands):
                producer = self.turn.by_name.get(operand)
                # Constants and what the loop leaves alone are there from the start.
                time = self.done.get(producer.index, 0.0) if producer else 0.0
                if operation(i) == "multiply_add" and position < 2:
                    product = max(product, time)
                elif producer and self.part(producer, kind):
                    waiting.append(producer)
                else:
                    yield time
            if operation(i) == "multiply_add":
                yield product + latency("fmul")[self.mode]
