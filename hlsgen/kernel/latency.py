"""How long a value takes through a kernel: the pipeline depth, from the chain of units that it
passes.

Latencies are those of aoc's reports for Stratix 10 at its usual clock targets; `hlsgen audit` finds
the same chains in the kernels' text.
"""

from __future__ import annotations

from math import ceil, log2

from hlsgen.kernel.hardware import Body
from hlsgen.kernel.memory import Memory

# Cycles of a unit: read off public aoc reports (docs/aoc-rules.md), but for the exponential and the
# power, which are assumed.
ADD, MULTIPLY, MULTIPLY_ADD, COMPARE, DIVIDE = 3, 3, 4, 3, 26
EXPONENTIAL, POWER = 21, 44
# Between integers and float32, and a product of integers: assumed.
CONVERT, INTEGER_PRODUCT = 3, 3
LOAD, CHANNEL, SELECT, INTEGER = 5, 1, 1, 1
# A kernel that puts vectors together: a channel, the choice of the place in the word, a channel.
COLLECT_DEPTH = 2 * CHANNEL + SELECT


def tree(values: float) -> int:
    """Levels of a balanced tree of units that each join two of `values`."""
    return ceil(log2(max(values, 1)))


def load(memory: Memory) -> int:
    """A load of a memory, or a choice among registers: one after another, two a cycle."""
    return max(SELECT, memory.parts * SELECT // 2) if memory.registers else LOAD


def pipeline_depth(
    body: Body, lanes: int, operands: int | None = None, in_order: bool = False
) -> int:
    """Cycles from a turn's reads to its writes, for a body that computes `lanes` values a turn:
    channel, memory, the products of a lane and their sum as a balanced tree (the flags allow it),
    what is added to that, comparisons, functions, channel. `operands`: cycles until they are there,
    where that is more than one load; `in_order`: floats are added one after another."""
    a = body.arithmetic
    if operands is None:
        operands = LOAD * any(not memory.registers for memory in body.memories)
    cycles = 2 * CHANNEL + SELECT + operands
    products = a.multiply_adds / lanes
    if products:
        cycles += MULTIPLY_ADD if products <= 1 else MULTIPLY + ADD * tree(products)
    elif a.multiplies:
        cycles += MULTIPLY
    additions = ceil(a.adds / lanes) if in_order else tree(1 + a.adds / lanes)
    cycles += ADD * additions + COMPARE * tree(1 + a.compares / lanes)
    cycles += INTEGER_PRODUCT * (a.narrow_products > 0) + CONVERT * min(a.conversions // lanes, 2)
    cycles += INTEGER * tree(1 + a.integer_adds / lanes)
    divisions = max(a.divides // lanes, 1) if a.conversions else 1  # one after another
    return (
        cycles
        + DIVIDE * divisions * (a.divides > 0)
        + EXPONENTIAL * (a.exponentials > 0)
        + POWER * (a.powers > 0)
    )
