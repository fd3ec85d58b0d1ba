"""The arithmetic units of a kernel after unrolling, and the DSPs that they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hlsgen.audit.addresses import NUMBER
from hlsgen.audit.ir import Function, Instruction
from hlsgen.audit.kernel import UNIT, operation
from hlsgen.audit.rules import rules
from hlsgen.audit.types import lanes


@dataclass(frozen=True)
class Arithmetic:
    """Units by operation, all lanes counted: float operations, functions by name, products of integers."""

    floats: dict[str, int]
    functions: dict[str, int]
    integer_products: int

    @property
    def dsps(self) -> float:
        """DSPs of all units."""
        costs = rules()["dsps"]
        return (
            sum(costs["float"][name] * count for name, count in self.floats.items())
            + sum(costs["units"].get(name, 0) * count for name, count in self.functions.items())
            + costs["integer_multiply"] * self.integer_products
        )


def arithmetic(function: Function) -> Arithmetic:
    """Count a kernel's units. A product that one addition alone uses shares its DSP."""
    floats: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    products = 0
    fused = fusions(function)
    for i in function.instructions:
        name = operation(i)
        if name == "unit":
            functions[i.extra[0].removeprefix(UNIT)] += 1
        elif name in rules()["dsps"]["float"] and i.name not in fused:
            floats[name] += lanes(i.type)
        elif name == "mul" and not any(NUMBER.match(o) for o in i.operands):
            products += 1
    return Arithmetic(dict(floats), dict(functions), products)


def fusions(function: Function) -> set[str]:
    """Products that become part of an addition."""
    defined, uses = function.defined, Counter(o for i in function.instructions for o in i.operands)
    fused: set[str] = set()
    for i in function.instructions:
        if i.op in ("fadd", "fsub"):
            factor = next((o for o in i.operands if single_product(defined.get(o), uses) and o not in fused), None)
            if factor:
                fused.add(factor)
    return fused


def single_product(i: Instruction | None, uses: Counter[str]) -> bool:
    """Whether a value is a product with one user."""
    return i is not None and i.op == "fmul" and uses[i.name] == 1
