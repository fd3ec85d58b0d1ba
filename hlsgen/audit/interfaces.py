"""What a kernel has to do with the world: units of global memory, and its ends of channels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from hlsgen.audit.addresses import Access
from hlsgen.audit.kernel import READ, WRITE, Kernel


@dataclass(frozen=True)
class GlobalUnit:
    """A load or store unit of global memory: the argument, bytes a turn, whether these are provably
    aligned to their width."""

    argument: str
    store: bool
    bytes: int
    aligned: bool
    line: int


@dataclass(frozen=True)
class ChannelEnd:
    """A kernel's end of a channel and the lines that call it."""

    channel: str
    write: bool
    lines: tuple[int, ...]


def global_units(kernel: Kernel) -> list[GlobalUnit]:
    """Units of global memory. Accesses side by side in one turn make one unit."""
    groups: dict[tuple[object, ...], list[Access]] = defaultdict(list)
    for a in kernel.addresses.accesses:
        if a.base in kernel.function.parameters:
            groups[a.base, a.store, a.block, a.terms].append(a)
    units = []
    for group in groups.values():
        group.sort(key=lambda a: a.constant)
        run = [group[0]]
        for a in group[1:]:
            if a.constant > run[-1].constant + run[-1].bytes:
                units.append(unit(kernel, run))
                run = []
            run.append(a)
        units.append(unit(kernel, run))
    return units


def unit(kernel: Kernel, run: list[Access]) -> GlobalUnit:
    """One unit for accesses side by side."""
    first, width = run[0], run[-1].constant + run[-1].bytes - run[0].constant
    low = kernel.addresses.low_zeros
    zeros = min((low(name) + low(str(factor)) for name, factor in first.terms), default=40)
    aligned = width & (width - 1) == 0 and width <= 1 << zeros and first.constant % width == 0
    return GlobalUnit(first.base.lstrip("%"), first.store, width, aligned, first.line)


def channel_ends(kernel: Kernel) -> list[ChannelEnd]:
    """Ends of channels, with every call of each."""
    found: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for i in kernel.function.instructions:
        if i.op == "call" and i.extra[0] in (READ, WRITE):
            for base, indices in dict.fromkeys(kernel.addresses.targets(i.operands[0])):
                offset = sum(x.constant * x.stride for x in indices)
                name = base.lstrip("@") + (f"+{offset}" if offset else "")
                found[name, i.extra[0] == WRITE].append(i.line)
    return [ChannelEnd(name, write, tuple(lines)) for (name, write), lines in found.items()]
