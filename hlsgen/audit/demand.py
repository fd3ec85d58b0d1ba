"""Which lanes of vectors are ever used, and where they come from. LLVM computes with whole vectors
where a kernel needs one lane; hardware has the lanes that are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from hlsgen.audit.addresses import NUMBER
from hlsgen.audit.ir import Function, Instruction
from hlsgen.audit.types import lanes

# Each lane of the result comes from the same lane of the operands.
LANEWISE = frozenset(
    (
        *(
            "fadd",
            "fsub",
            "fmul",
            "fdiv",
            "fneg",
            "add",
            "sub",
            "mul",
            "and",
            "or",
            "xor",
            "shl",
            "lshr",
            "ashr",
        ),
        *("select", "icmp", "fcmp", "phi", "freeze", "zext", "sext", "trunc"),
        *("fptosi", "fptoui", "sitofp", "uitofp", "fpext", "fptrunc"),
    )
)
Lane = tuple[str, int]


class Demand:
    """The lanes of every value of a kernel that something uses: `mask` has a bit for each."""

    def __init__(self, function: Function):
        self.defined = function.defined
        self.instructions = function.instructions
        self.mask = dict.fromkeys(self.defined, 0)
        # From what has an effect to all that it rests on; a dict, since order decides no more than
        # how often an instruction is met.
        waiting = {i.index: i for i in function.instructions if not i.name}
        while waiting:
            _, instruction = waiting.popitem()
            for value, lane in self.reads(instruction):
                if not self.mask[value] >> lane & 1:
                    self.mask[value] |= 1 << lane
                    waiting[self.defined[value].index] = self.defined[value]

    def reads(self, i: Instruction) -> Iterator[Lane]:
        """The lanes of its operands that an instruction uses, for what is used of itself."""
        wanted = [n for n in range(lanes(i.type)) if not i.name or self.mask[i.name] >> n & 1]
        if not wanted:
            return
        if is_move(i):
            yield from (lane for n in wanted if (lane := moved(i, n)) and lane[0] in self.mask)
            return
        same = i.op in LANEWISE or (
            i.op == "call" and i.extra[0].startswith(("llvm.fmuladd", "llvm.fma"))
        )
        for operand in i.operands:
            if operand in self.mask:
                count = lanes(self.defined[operand].type)
                aligned = wanted if same and i.name and count == lanes(i.type) else range(count)
                yield from ((operand, n) for n in aligned)

    def source(self, value: str, lane: int) -> Lane:
        """What a lane was before it was moved between vectors."""
        while (
            (i := self.defined.get(value)) is not None and is_move(i) and (before := moved(i, lane))
        ):
            value, lane = before
        return value, lane

    @cached_property
    def uses(self) -> dict[Lane, int]:
        """How often each computed lane is used, moves apart."""
        found: dict[Lane, int] = {}
        for i in self.instructions:
            if not is_move(i):
                for lane in self.reads(i):
                    origin = self.source(*lane)
                    found[origin] = found.get(origin, 0) + 1
        return found


def is_move(i: Instruction) -> bool:
    """Whether an instruction moves lanes to places that are known."""
    if i.op == "shufflevector":
        return True
    return i.op in ("insertelement", "extractelement") and bool(NUMBER.match(i.operands[-1]))


def moved(i: Instruction, lane: int) -> Lane | None:
    """Where a lane of a move comes from; None where it holds nothing."""
    if i.op == "extractelement":
        return i.operands[0], int(i.operands[1])
    if i.op == "insertelement":
        return (i.operands[1], 0) if int(i.operands[2]) == lane else (i.operands[0], lane)
    place, width = shuffle(i.operands[2], lane), lanes(i.extra[0])
    return None if place is None else (i.operands[place >= width], place % width)


def shuffle(mask: str, lane: int) -> int | None:
    """Which lane of both operands a shuffle's mask takes."""
    if mask == "zeroinitializer":
        return 0
    if same := re.match(r"splat \(i32 (\d+)\)", mask):
        return int(same[1])
    if not mask.startswith("<"):
        return None
    return listed(mask)[lane]


@lru_cache(64)
def listed(mask: str) -> tuple[int | None, ...]:
    """The lanes of a mask that lists them."""
    values = [value.split()[-1] for value in mask.strip("<>").split(",")]
    return tuple(int(value) if NUMBER.match(value) else None for value in values)
