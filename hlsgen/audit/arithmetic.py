"""The arithmetic units of a kernel after unrolling, and the DSPs that they take."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hlsgen.audit.addresses import NUMBER
from hlsgen.audit.demand import Demand, Lane
from hlsgen.audit.ir import Function, Instruction
from hlsgen.audit.kernel import UNIT, operation
from hlsgen.audit.rules import rules
from hlsgen.audit.types import lanes

# The flags of an addition that a product may become part of.
CONTRACTS = re.compile(r"\b(fast|contract|reassoc)\b")
# Of an integer type, or a vector of them.
BITS = re.compile(r"\bi(\d+)\b")
# Bits of a factor of which a DSP takes two pairs, and of one that was not widened.
NARROW, WHOLE = 9, 32
# Bits that a mask or a shift by a constant leaves of a word of so many.
CUTS: Mapping[str, Callable[[int, int], int]] = {
    "and": lambda mask, bits: mask.bit_length() if mask >= 0 else bits,
    "lshr": lambda places, bits: bits - places,
    "ashr": lambda places, bits: bits - places,
}


@dataclass(frozen=True)
class Arithmetic:
    """Units by operation, all lanes counted: float operations, functions by name, products of
    integers, and those of them whose factors have 8 bits, or one of them 16; float products that
    became part of an addition (`joined`). `soft_adders`: additions take logic in place of DSPs."""

    floats: dict[str, int]
    functions: dict[str, int]
    integer_products: int
    narrow_products: int = 0
    joined: int = 0
    soft_adders: bool = False

    @property
    def dsps(self) -> float:
        """DSPs of all units."""
        costs = rules()["dsps"]
        additions = sum(self.floats.get(name, 0) for name in ("fadd", "fsub"))
        return float(
            sum(costs["float"][name] * count for name, count in self.floats.items())
            - (additions - self.joined if self.soft_adders else 0)
            + sum(costs["units"].get(name, 0) * count for name, count in self.functions.items())
            + costs["integer_multiply"] * self.integer_products
            + costs["narrow_multiply"] * self.narrow_products
        )


def arithmetic(function: Function, soft_adders: bool = False) -> Arithmetic:
    """Count a kernel's units, lane by lane. A product that one addition alone uses shares its
    DSP."""
    floats: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    products = narrow = 0
    demand = Demand(function)
    fused = Counter(value for value, _ in fusions(demand))
    for i in function.instructions:
        name = operation(i)
        if name == "unit":
            functions[i.extra[0].removeprefix(UNIT)] += 1
        elif name in rules()["dsps"]["float"]:
            floats[name] += demand.mask[i.name].bit_count() - fused[i.name]
        elif name == "mul" and not any(NUMBER.match(o) for o in i.operands):
            wanted = [n for n in range(lanes(i.type)) if demand.mask[i.name] >> n & 1]
            few = sum(is_narrow(demand, i, lane) for lane in wanted)
            narrow += few
            products += max(len(wanted), 1) - few
    used = {name: count for name, count in floats.items() if count}
    joined = fused.total()
    return Arithmetic(used, dict(functions), products, narrow, joined, soft_adders)


def is_narrow(demand: Demand, product: Instruction, lane: int) -> bool:
    """Whether both factors of a lane have few bits, one of them no more than a byte and a sign."""
    found = [factor_bits(demand, operand, lane) for operand in product.operands]
    return min(found) <= NARROW and max(found) <= 2 * NARROW


def factor_bits(demand: Demand, operand: str, lane: int) -> int:
    """Bits that a factor had before it was widened, or cut out of a word, and one more where a zero
    point is taken from it."""
    i = demand.defined.get(demand.source(operand, lane)[0])
    if i is None:
        return WHOLE
    if i.op in ("add", "sub") and i.operands[0] in demand.defined:
        return factor_bits(demand, i.operands[0], lane) + 1
    if i.op in CUTS and (constant := NUMBER.match(i.operands[1])):
        return CUTS[i.op](int(constant[0]), width(i))
    return width(demand.defined.get(i.operands[0])) if i.op in ("sext", "zext") else WHOLE


def width(i: Instruction | None) -> int:
    """Bits of the integers that an instruction gives."""
    found = BITS.search(i.type) if i is not None else None
    return int(found[1]) if found else WHOLE


def fusions(demand: Demand) -> set[Lane]:
    """The lanes of products that become part of an addition: one for each lane that is added."""
    fused: set[Lane] = set()
    for i in demand.instructions:
        if i.op in ("fadd", "fsub") and CONTRACTS.search(i.code):
            for lane in range(lanes(i.type)):
                if demand.mask[i.name] >> lane & 1:
                    origins = (demand.source(operand, lane) for operand in i.operands)
                    fused |= set(
                        next(([o] for o in origins if is_free(demand, o) and o not in fused), [])
                    )
    return fused


def is_free(demand: Demand, lane: Lane) -> bool:
    """Whether a lane is a product that is used once."""
    i = demand.defined.get(lane[0])
    return i is not None and i.op == "fmul" and demand.uses.get(lane) == 1
