"""What a loop's turn waits for of earlier turns, and the initiation interval that follows, as a
band over aoc's latencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from hlsgen.audit.addresses import Access, Terms
from hlsgen.audit.cycles import Cycle, Edge, heaviest
from hlsgen.audit.flow import Loop, deciding
from hlsgen.audit.ir import Instruction
from hlsgen.audit.kernel import Array, Kernel, operation
from hlsgen.audit.rules import latency, rules

ENDLESS = 1 << 30
LOW, HIGH = 0, 1


@dataclass(frozen=True)
class MemoryRecurrence:
    """A load that may need what a store of an earlier turn wrote. `latency`: cycles from the load
    by way of the store's value, address or condition to the store's end; `distance`: turns between
    them, `promise` the line of the pragma that says so."""

    array: str
    load_line: int
    store_line: int
    latency: tuple[float, float]
    distance: int
    promise: int
    lines: tuple[int, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """Cycles that a turn must leave to the next."""
        return self.latency[LOW] / self.distance, self.latency[HIGH] / self.distance


@dataclass(frozen=True)
class Recurrence:
    """An innermost loop's initiation interval (fewest and most), the lines of the chain that limits
    it, what that chain goes through, and the stages of the longest chain of integer operations from
    turn to turn."""

    line: int
    end: int
    interval: tuple[int, int]
    limit: str
    chain: tuple[int, ...]
    stages: float
    stage_lines: tuple[int, ...]
    memories: tuple[MemoryRecurrence, ...]


class Turn:
    """The dependences of one innermost loop's turn."""

    def __init__(self, kernel: Kernel, loop: Loop):
        self.kernel, self.loop = kernel, loop
        self.body = [i for i in kernel.function.instructions if i.block in loop.blocks]
        self.by_name = {i.name: i for i in self.body if i.name}
        self.by_index = {i.index: i for i in self.body}
        self.registers = {
            a.at for array in kernel.arrays.values() if array.registers for a in array.accesses
        }
        self.lines = [i.line for i in self.body if i.line]

    def cost(self, i: Instruction, mode: int) -> float:
        """Cycles from an instruction's operands to its value."""
        if i.op in ("load", "store"):
            if i.index in self.registers:
                return latency(f"register_{i.op}")[mode]
            return latency(i.op)[mode] if i.index in self.memory else 0.0
        if i.op == "phi" and i.block == self.loop.header and len(self.loop.latches) == 1:
            return 0.0  # a register; with several ways back it chooses, too
        return latency(operation(i))[mode]

    @cached_property
    def memory(self) -> set[int]:
        """Loads and stores of memories on chip."""
        return {
            a.at
            for array in self.kernel.arrays.values()
            if not array.registers
            for a in array.accesses
        }

    @cached_property
    def edges(self) -> list[tuple[Instruction, Instruction, int]]:
        """Producer, consumer, and turns between them."""
        return list(self._edges())

    def _edges(self) -> Iterator[tuple[Instruction, Instruction, int]]:
        last = {i.block: i for i in self.body if i.op in ("br", "switch")}
        decides = deciding(self.loop, self.kernel.function.successors)

        def conditions(blocks: set[str]) -> Iterator[Instruction]:
            for block in blocks:
                for operand in last[block].operands:
                    if operand in self.by_name:
                        yield self.by_name[operand]

        for i in self.body:
            header = i.op == "phi" and i.block == self.loop.header
            for position, operand in enumerate(i.operands):
                producer = self.by_name.get(operand)
                if producer is not None and i.op not in ("br", "switch"):
                    back = header and i.extra[position] in self.loop.latches
                    yield producer, i, int(back)
            if i.op == "phi":
                yield from ((c, i, int(header)) for c in conditions(self.choosing(i, decides)))
            elif i.op == "store" or (i.op == "call" and i.type in ("ptr", "void")):
                yield from ((c, i, 0) for c in conditions(decides[i.block]))

    @cached_property
    def cyclic(self) -> list[tuple[Instruction, Instruction, int]]:
        """The edges that lie on cycles."""
        import networkx as nx

        pairs = [(p.index, c.index) for p, c, _ in self.edges] + [
            (s.at, load.at) for _, s, load, _, _ in self.memories
        ]
        component: dict[int, int] = {}
        for number, members in enumerate(nx.strongly_connected_components(nx.DiGraph(pairs))):
            component.update(dict.fromkeys(members, number))
        return [edge for edge in self.edges if component[edge[0].index] == component[edge[1].index]]

    def choosing(self, phi: Instruction, decides: dict[str, set[str]]) -> set[str]:
        """The blocks of this loop whose branches choose among a phi's values. What enters a loop
        from outside is no choice."""
        header = phi.block == self.loop.header
        mine = set() if header else decides[phi.block]
        found = set()
        for block in phi.extra:
            if block in self.loop.blocks:
                found |= decides[block] - mine
                if not header and len(set(self.kernel.function.successors[block])) > 1:
                    found.add(block)
        return found if not header or len(self.loop.latches) > 1 else set()

    @cached_property
    def after(self) -> dict[int, list[int]]:
        """Consumers of the same turn."""
        found: dict[int, list[int]] = {i.index: [] for i in self.body}
        for producer, consumer, distance in self.edges:
            if not distance:
                found[producer.index].append(consumer.index)
        return found

    @cached_property
    def order(self) -> list[int]:
        """All instructions, each after what it needs of its turn."""
        import networkx as nx

        return list(nx.topological_sort(nx.DiGraph(self.after)))

    @cached_property
    def memories(self) -> list[tuple[Array, Access, Access, int, int]]:
        """Array, store, later load of maybe the same word, turns between them, line of the
        promise."""
        found = []
        for array in self.kernel.arrays.values():
            here = [a for a in array.accesses if a.at in self.by_index]
            stores = [a for a in here if a.store]
            for load in here:
                if load.store:
                    continue
                for store in stores:
                    distance, promise = self.distance(array, store, load)
                    if distance < ENDLESS:
                        found.append((array, store, load, distance, promise))
        return found

    def distance(self, array: Array, store: Access, load: Access) -> tuple[int, int]:
        """Turns from a store to the next load of the same word that aoc must think of, and the
        pragma's line that says so (0: none)."""
        if apart(store, load):
            return ENDLESS, 0
        for promise in self.kernel.source.promises(self.loop.line):
            if promise.covers(array.name):
                return promise.distance or ENDLESS, promise.line
        return self.counted(store.terms, store.constant, load.terms, load.constant), 0

    def counted(self, stored: Terms, at: int, loaded: Terms, of: int) -> int:
        """The distance where both addresses follow counters of the loop; 1 where they do not."""
        if not stored or stored != loaded:
            return 1
        step = 0
        for name, factor in stored:
            move = self.step(name)
            if move is None:
                return 1
            step += move * factor
        if step == 0:
            return 1
        turns, rest = divmod(at - of, step)
        return turns if rest == 0 and turns > 0 else ENDLESS

    def step(self, name: str) -> int | None:
        """What a value grows by from turn to turn: 0 where the loop leaves it alone, None where
        that is not constant."""
        i = self.by_name.get(name)
        if i is None:
            return 0
        if i.op != "phi" or i.block != self.loop.header:
            return None
        for operand, block in zip(i.operands, i.extra, strict=True):
            if block in self.loop.latches:
                terms, constant = self.kernel.addresses.linear(operand)
                if terms != ((name, 1),):
                    return None
                return constant
        return None


def apart(store: Access, load: Access) -> bool:
    """Whether two accesses of an array can never meet. Rows are not told apart by their constant
    index: no bound of the other index is known, so aoc needs a promise for that."""
    if store.terms or load.terms:
        return False
    return (
        store.constant + store.bytes <= load.constant
        or load.constant + load.bytes <= store.constant
    )


def recurrence(kernel: Kernel, loop: Loop) -> Recurrence:
    """The initiation interval of an innermost loop and what limits it."""
    turn = Turn(kernel, loop)
    found = memory_recurrences(turn)
    worst = max(found, key=lambda m: m.interval[HIGH], default=None)
    cycles = [registers(turn, mode) for mode in (LOW, HIGH)]
    intervals = [
        max(1.0, cycles[m].ratio, worst.interval[m] if worst else 0.0) for m in (LOW, HIGH)
    ]
    depth = heaviest(Edge(p.index, c.index, stage(turn, p), d) for p, c, d in turn.cyclic)
    limit, chain = "nothing", tuple[int, ...]()
    if worst and worst.interval[HIGH] >= cycles[HIGH].ratio and worst.interval[HIGH] > 0:
        limit, chain = f"array {worst.array}", worst.lines
    elif cycles[HIGH].ratio > 0:
        limit, chain = "registers", lines_of(turn, cycles[HIGH])
    return Recurrence(
        loop.line or min(turn.lines, default=0),
        max(turn.lines, default=0),
        (ceil(intervals[LOW] - 1e-9), ceil(intervals[HIGH] - 1e-9)),
        limit,
        chain,
        depth.ratio,
        lines_of(turn, depth),
        tuple(found),
    )


def registers(turn: Turn, mode: int) -> Cycle:
    """The heaviest cycle of floating-point operations, with the memories that it passes through."""
    floats = frozenset(rules()["float_operations"])

    def cost(i: Instruction) -> float:
        return turn.cost(i, mode) if operation(i) in floats or i.op in ("load", "store") else 0.0

    edges = [Edge(p.index, c.index, cost(p), d) for p, c, d in turn.cyclic]
    edges += [
        Edge(store.at, load.at, cost(turn.by_index[store.at]), d)
        for _, store, load, d, _ in turn.memories
    ]
    return heaviest(edges)


def stage(turn: Turn, i: Instruction) -> float:
    """What an operation adds to a chain between two registers: nothing where it is pipelined
    anyway."""
    if i.op in ("load", "store") or operation(i) in rules()["float_operations"]:
        return 0.0
    return turn.cost(i, HIGH)


def lines_of(turn: Turn, cycle: Cycle) -> tuple[int, ...]:
    """The lines of a cycle in its order, each once."""
    return tuple(dict.fromkeys(turn.by_index[n].line for n in cycle.nodes if turn.by_index[n].line))  # type: ignore[index]


def memory_recurrences(turn: Turn) -> list[MemoryRecurrence]:
    """For each array the recurrence through it that asks for most, both ends included."""
    by_load: dict[int, list[tuple[Array, Access, Access, int, int]]] = defaultdict(list)
    for entry in turn.memories:
        by_load[entry[2].at].append(entry)
    longest = {at: (paths(turn, at, LOW), paths(turn, at, HIGH)) for at in by_load}
    worst: dict[str, MemoryRecurrence] = {}
    for at, entries in by_load.items():
        for array, store, load, distance, promise in entries:
            cycles = tuple(reached[0].get(store.at, 0.0) for reached in longest[at])
            ends = [turn.cost(turn.by_index[store.at], mode) for mode in (LOW, HIGH)]
            total = (cycles[LOW] + ends[LOW], cycles[HIGH] + ends[HIGH])
            lines = chain(turn, longest[at][HIGH][1], store.at)
            made = MemoryRecurrence(
                array.name, load.line, store.line, total, distance, promise, lines
            )
            if array.base not in worst or made.interval[HIGH] > worst[array.base].interval[HIGH]:
                worst[array.base] = made
    return list(worst.values())


def paths(turn: Turn, start: int, mode: int) -> tuple[dict[int, float], dict[int, int]]:
    """Most cycles from an instruction's operands to every later one's of the same turn, and which
    it came by."""
    reached, by = {start: 0.0}, dict[int, int]()
    order = turn.order
    for index in order[order.index(start) :]:
        if index in reached:
            done = reached[index] + turn.cost(turn.by_index[index], mode)
            for later in turn.after[index]:
                if done > reached.get(later, -1.0):
                    reached[later], by[later] = done, index
    return reached, by


def chain(turn: Turn, by: dict[int, int], end: int) -> tuple[int, ...]:
    """The lines on the way to an instruction."""
    found = [end]
    while found[-1] in by:
        found.append(by[found[-1]])
    return tuple(
        dict.fromkeys(turn.by_index[i].line for i in reversed(found) if turn.by_index[i].line)
    )
