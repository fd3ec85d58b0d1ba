"""Numbers that a step's record decides: bounds of loops and addresses in kernels of folded designs.

One expression is what the text prints, what the time is worked out from, and where the model finds
the integers that a kernel multiplies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, reduce
from math import prod
from operator import sub

# What a sum is compared with: the largest bound of a loop that nothing else bounds.
MANY = 1 << 31
# The operation of a counter that 8 bits hold, and of a number that the text gives a name.
SMALL, CONSTANT = "small counter", "constant"
OPERATIONS: Mapping[str, Callable[[list[int]], int]] = {
    "+": sum,
    "-": lambda values: reduce(sub, values),
    "*": prod,
    ">>": lambda values: values[0] >> values[1],
    "max": max,
}
# How strongly an operation binds; all others are in parentheses of their own.
STRENGTH = {"*": 3, "+": 2, "-": 2, ">>": 1}


@dataclass(frozen=True)
class Count:
    """A field of the record, a counter of the kernel, or an operation on `terms`.

    `name`: that of the field or counter; of an operation, that of the constant which holds its
    value in the text, "" where it is spelled out.
    """

    operation: str
    terms: tuple[Number, ...] = ()
    name: str = ""

    def __add__(self, other: Number) -> Count:
        return Count("+", (self, other))

    def __radd__(self, other: int) -> Count:
        return Count("+", (other, self))

    def __sub__(self, other: Number) -> Count:
        return Count("-", (self, other))

    def __mul__(self, other: Number) -> Count:
        return Count("*", (self, other))

    def __rshift__(self, bits: int) -> Count:
        return Count(">>", (self, bits))

    def named(self, name: str) -> Count:
        """The same number, which a constant of the kernel holds."""
        return replace(self, name=name) if self.terms else Count("+", (self,), name)

    @property
    def text(self) -> str:
        """In OpenCL."""
        if self.operation == "field":
            return f"s.{self.name}"
        return self.name or self.spelled

    @property
    def spelled(self) -> str:
        """The expression, not its name."""
        terms = [self.operand(term) for term in self.terms]
        if self.operation == "max":
            return f"max({', '.join(terms)})"
        if self.operation == "?":
            return "({} ? {} : {})".format(*terms)
        return f" {self.operation} ".join(terms)

    def operand(self, term: Number) -> str:
        """A term, in parentheses where it must be."""
        if isinstance(term, int):
            return str(term)
        own, other = (STRENGTH.get(x.operation, 0) for x in (self, term))
        return f"({term.text})" if 0 < other < own and not term.name else term.text

    @property
    def definition(self) -> str:
        """The line that declares its constant."""
        return f"const int {self.name} = {self.spelled};"

    def value(self, record: Mapping[str, int]) -> int:
        """In a step. Raises KeyError where it depends on a counter, or on a field that the record
        has not."""
        if not self.terms:
            return int(record[self.name])
        return OPERATIONS[self.operation]([value(term, record) for term in self.terms])


Number = Count | int


@cache
def fields(*names: str) -> tuple[Count, ...]:
    """Those of the record."""
    return tuple(Count("field", name=name) for name in names)


def counters(*names: str) -> tuple[Count, ...]:
    """Those of the kernel, and constants that it works out without a product."""
    return tuple(Count("counter", name=name) for name in names)


def small_counters(*names: str) -> tuple[Count, ...]:
    """Those of the kernel that 8 bits hold."""
    return tuple(Count(SMALL, name=name) for name in names)


def is_narrow(product: Count) -> bool:
    """Whether 8 bits hold each factor: two such products share a DSP."""
    return all(isinstance(term, Count) and term.operation == SMALL for term in product.terms)


def constant(name: str) -> Count:
    """A number that the text gives a name."""
    return Count(CONSTANT, name=name)


def is_constant(number: Number) -> bool:
    """Whether the compiler knows it: nothing is multiplied by it with a multiplier."""
    return isinstance(number, int) or number.operation == CONSTANT


def chosen(test: Count, one: Number, other: Number) -> Count:
    """One number or the other; the compiler chooses the operands, so that both share what they
    multiply with."""
    return Count("?", (test, one, other))


def value(number: Number, record: Mapping[str, int]) -> int:
    """In a step."""
    return number if isinstance(number, int) else number.value(record)


def text(number: Number) -> str:
    """In OpenCL."""
    return str(number) if isinstance(number, int) else number.text


def products(numbers: Iterable[Number]) -> frozenset[Count]:
    """What is multiplied for them, each product once. A constant factor costs no multiplier."""
    found: frozenset[Count] = frozenset()
    for number in numbers:
        if isinstance(number, int):
            continue
        if number.operation == "?":
            test, *ways = (products([term]) for term in number.terms)
            found |= test | max(ways, key=lambda way: len(way - found))
            continue
        found |= products(number.terms)
        if number.operation == "*" and not any(map(is_constant, number.terms)):
            found |= {replace(number, name="")}
    return found
