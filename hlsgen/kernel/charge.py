"""What follows from the description of a kernel of a folded design: what the model charges, and the
cycles of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod

from hlsgen.activation import FUNCTIONS
from hlsgen.kernel import derive
from hlsgen.kernel.count import Count, is_narrow, products, value
from hlsgen.kernel.hardware import KERNEL_LATENCY, Arithmetic, Body, Kernel, Lsu
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.step import AUTORUN, StepKernel

# Kernels whose cost is remembered: those that designs share are described once.
REMEMBERED = 1024


@lru_cache(maxsize=REMEMBERED)
def charged(k: StepKernel) -> Kernel:
    """The kernel as the model counts it."""
    multiplied = products(counts(k))
    narrow = sum(map(is_narrow, multiplied))
    units = arithmetic(k) + Arithmetic(narrow_products=narrow)
    return Kernel(
        k.name,
        Body(units, memories(k), register_bits(k), multiplexer_bits(k)),
        k.start == AUTORUN,
        lsus(k),
        channel_bits=sum(end.bits for end in k.ends),
        channel_ends=len(k.ends),
        loops=k.depth,
        integer_bits=k.logic,
        products=len(multiplied) - narrow,
    )


def arithmetic(k: StepKernel) -> Arithmetic:
    """Units of all that the record may choose among; past the epilogue, bias and functions."""
    found = k.units
    for nest in k.nests:
        found += derive.arithmetic(nest)
    if k.feeding:
        lanes = k.nests[0].lanes
        found += Arithmetic(adds=lanes)
        for kind in k.feeding.functions:
            found += FUNCTIONS[kind].units.times(lanes)
    return found


def memories(k: StepKernel) -> tuple[Memory, ...]:
    """On chip; nests share what they have in common."""
    own = [array.memory for nest in k.nests for array in derive.arrays(nest)]
    return tuple(
        dict.fromkeys([*own, *(b.memory for b in k.buffers), *(t.memory for t in k.tables)])
    )


def register_bits(k: StepKernel) -> int:
    """The window, which nests share; their sums; arrays."""
    window = derive.window_bits(k.nests[0]) if k.nests else 0
    sums = sum(derive.sums_bits(nest) for nest in k.nests)
    return window + sums + sum(registers.bits for registers in k.registers)


def multiplexer_bits(k: StepKernel) -> int:
    """Rows above a plane read as zero; what the template chooses."""
    windows = [nest.window for nest in k.nests if nest.window]
    above = (windows[0].rows - 1) * k.nests[0].sources[0].word.bits if windows else 0
    return above + k.choices


def lsus(k: StepKernel) -> tuple[Lsu, ...]:
    """A unit for each place of the text that loads or stores; in an unrolled loop for each copy."""
    return tuple(
        Lsu(pointer.name, pointer.vector.bits, store)
        for pointer in k.pointers
        for store, count in ((False, pointer.loads), (True, pointer.stores))
        for _ in range(count)
    )


def counts(k: StepKernel) -> list[Count]:
    """All numbers that the kernel works out: trip counts and others."""
    bounds = [loop.count for nest in k.loops for loop in nest if loop.count]
    return [*bounds, *k.counts.values()]


def trip_count(loops: Sequence[Loop], record: Mapping[str, int]) -> int:
    """Of the loops of a nest, all together, in a step."""
    return prod(value(loop.count or loop.bound, record) for loop in loops)


def cycles(nests: Sequence[Sequence[Loop]], record: Mapping[str, int]) -> int:
    """Cycles of nests of loops, one after another, in a step at II 1: the innermost loops'
    iterations; a loop drains before the next one starts, or it itself anew."""
    total = 0
    for number, loops in enumerate(nests):
        times = trip_count(loops[:-1], record)
        drains = len(loops) > 1 or number < len(nests) - 1
        total += times * (trip_count(loops[-1:], record) + KERNEL_LATENCY * drains)
    return total
