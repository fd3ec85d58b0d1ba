"""The arithmetic units of a kernel after unrolling, and the DSPs that they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hlsgen.audit.addresses import NUMBER
from hlsgen.audit.demand import Demand, Lane
from hlsgen.audit.ir import Function
from hlsgen.audit.kernel import UNIT, operation
from hlsgen.audit.rules import rules
from hlsgen.audit.types import lanes


@dataclass(frozen=True)
class Arithmetic:
    """Units by operation, all lanes counted: float operations, functions by name, products of
    integers."""

    floats: dict[str, int]
    functions: dict[str, int]
    integer_products: int

    @property
    def dsps(self) -> float:
        """DSPs of all units."""
        costs = rules()["dsps"]
        return float(
            sum(costs["float"][name] * count for name, count in self.floats.items())
            + sum(costs["units"].get(name, 0) * count for name, count in self.functions.items())
            + costs["integer_multiply"] * self.integer_products
        )


def arithmetic(function: Function) -> Arithmetic:
    """Count a kernel's units, lane by lane. A product that one addition alone uses shares its
    DSP."""
    floats: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    products = 0
    demand = Demand(function)
    fused = Counter(value for value, _ in fusions(demand))
    for i in function.instructions:
        name = operation(i)
        if name == "unit":
            functions[i.extra[0].removeprefix(UNIT)] += 1
        elif name in rules()["dsps"]["float"]:
            floats[name] += demand.mask[i.name].bit_count() - fused[i.name]
        elif name == "mul" and not any(NUMBER.match(o) for o in i.operands):
            products += 1
    return Arithmetic(
        {name: count for name, count in floats.items() if count}, dict(functions), products
    )


def fusions(demand: Demand) -> set[Lane]:
    """The lanes of products that become part of an addition: one for each lane that is added."""
    fused: set[Lane] = set()
    for i in demand.instructions:
        if i.op in ("fadd", "fsub"):
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
