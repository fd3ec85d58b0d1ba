"""Loop nests of a kernel: how often each loop runs, and through which loops a sum passes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hlsgen.audit.addresses import NUMBER, Addresses
from hlsgen.audit.flow import Loop
from hlsgen.audit.ir import Function, Instruction
from hlsgen.audit.kernel import Kernel
from hlsgen.kernel.plain import PlainNest


@dataclass(frozen=True)
class LoopNest:
    """An innermost loop and those around it, outermost first: trip counts (None where the text does
    not tell), and whether a floating-point value passes from iteration to iteration in a
    register."""

    line: int
    trips: tuple[int | None, ...]
    carried: tuple[bool, ...]

    @property
    def plain(self) -> PlainNest | None:
        """The nest with its sum; None where a trip count is not known."""
        if None in self.trips:
            return None
        pairs = [
            (trips or 0, carried) for trips, carried in zip(self.trips, self.carried, strict=True)
        ]
        entries = prod(trips for trips, carried in pairs if not carried)
        sums = tuple(trips for trips, carried in pairs if carried)
        return PlainNest(entries, sums, 1 if sums else prod(trips for trips, _ in pairs[:-1]))


def loop_nests(kernel: Kernel) -> list[LoopNest]:
    """The nests of all innermost loops, in the order of the text."""
    found = []
    for loop in kernel.innermost:
        around = sorted(
            (outer for outer in kernel.loops if loop.header in outer.blocks),
            key=lambda outer: -len(outer.blocks),
        )
        trips = tuple(trip_count(kernel.function, kernel.addresses, outer) for outer in around)
        carried = tuple(carries(kernel.function, outer) for outer in around)
        found.append(LoopNest(loop.line, trips, carried))
    return found


def carries(function: Function, loop: Loop) -> bool:
    """Whether a floating-point value passes from iteration to iteration."""
    return any(
        i.op == "phi" and i.block == loop.header and "float" in i.type
        for i in function.instructions
    )


def trip_count(function: Function, addresses: Addresses, loop: Loop) -> int | None:
    """How often a loop runs whose counter is compared with a constant at its end."""
    for i in function.instructions:
        if (
            i.op == "br"
            and i.block in loop.blocks
            and i.operands
            and leaves(function, loop, i.block)
        ):
            condition = addresses.defined.get(i.operands[0])
            if condition is None:
                return None
            return twice(condition, loop) or counted(condition, addresses, loop)
    return None


def leaves(function: Function, loop: Loop, block: str) -> bool:
    """Whether a way from a block leads out of the loop."""
    return any(target not in loop.blocks for target in function.successors[block])


def twice(condition: Instruction, loop: Loop) -> int:
    """2 where the condition is true in the first iteration and false in the next, as LLVM writes
    loops of two; else 0."""
    if condition.op != "phi" or condition.block != loop.header:
        return 0
    return 2 if set(condition.operands) == {"true", "false"} else 0


def counted(condition: Instruction, addresses: Addresses, loop: Loop) -> int | None:
    """Iterations until a counter, or what it will be in the next, equals or reaches a constant."""
    if condition.op != "icmp" or not NUMBER.match(condition.operands[1]):
        return None
    terms, ahead = addresses.linear(condition.operands[0])
    counter = addresses.defined.get(terms[0][0]) if len(terms) == 1 else None
    if counter is None or counter.op != "phi" or counter.block != loop.header:
        return None
    start, step = None, 0
    for operand, block in zip(counter.operands, counter.extra, strict=True):
        if block in loop.latches:
            moved, by = addresses.linear(operand)
            step = by if moved == ((counter.name, 1),) else 0
        elif NUMBER.match(operand):
            start = int(operand)
    if start is None or not step:
        return None
    # The comparison holds or fails for the last time in the iteration that it is made in.
    last = int(condition.operands[1]) - ahead - start
    return last // step + 1 if condition.extra[0] in ("eq", "ne") else None
