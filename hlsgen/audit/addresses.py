"""Where loads and stores of a kernel go: the array, a sum of run-time values times bytes, and what
is known of the bits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from hlsgen.audit.ir import Function, Instruction, Module
from hlsgen.audit.types import split

NUMBER = re.compile(r"-?\d+$")
CONSTANT_ADDRESS = re.compile(r"getelementptr (?:inbounds |nuw |nusw )*\((.*)\)$")
BULK = ("llvm.memcpy", "llvm.memset", "llvm.memmove")
# What is copied in one call up to here is a structure; beyond, LLVM made a call of a whole loop,
# which does a word a turn.
LARGEST_STRUCTURE = 2048
# Addresses are reasoned about as numbers of so many bits.
BITS = 40
ALL = (1 << BITS) - 1
Terms = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Index:
    """One index of an access: run-time values with their factors, a constant, bytes from one to the
    next, how many there are (None where no array bounds it)."""

    terms: Terms
    constant: int
    stride: int
    extent: int | None


@dataclass(frozen=True)
class Access:
    """A load or store of `bytes` in the array or memory `base`, at instruction `at`."""

    at: int
    base: str
    store: bool
    bytes: int
    indices: tuple[Index, ...]
    line: int
    block: str

    @cached_property
    def constant(self) -> int:
        """The part of its address, in bytes, that is known."""
        return sum(i.constant * i.stride for i in self.indices)

    @cached_property
    def terms(self) -> Terms:
        """The part of its address that is known at run time alone: values and the bytes that each
        is multiplied by."""
        found: dict[str, int] = {}
        for index in self.indices:
            for name, factor in index.terms:
                found[name] = found.get(name, 0) + factor * index.stride
        return tuple(sorted((name, factor) for name, factor in found.items() if factor))


@dataclass(frozen=True)
class Known:
    """A number of which some bits are known: those of `mask`, whose values are in `value`."""

    mask: int
    value: int

    def __add__(self, other: Known) -> Known:
        most = ((self.value | ~self.mask) & ALL) + ((other.value | ~other.mask) & ALL)
        least = self.value + other.value
        zeros = [known.mask & ~known.value for known in (self, other)]
        carry_zero = ~(most ^ zeros[0] ^ zeros[1])
        carry_one = least ^ self.value ^ other.value
        mask = self.mask & other.mask & (carry_zero | carry_one) & ALL
        return Known(mask, least & mask)


class Addresses:
    """The accesses of one kernel."""

    def __init__(self, function: Function, module: Module):
        self.types = module.types
        self.defined = function.defined
        self._linear: dict[str, tuple[Terms, int]] = {}
        self.zeros = self._low_zeros(function)
        self.arrays = {i.name: i for i in function.instructions if i.op == "alloca"}
        self.accesses = [a for i in function.instructions for a in self._of(i)]

    def _of(self, i: Instruction) -> Iterator[Access]:
        if i.op in ("load", "store"):
            pointer = i.operands[-1]
            yield from self._at(i, pointer, self.types.size(i.type), i.op == "store")
        elif i.op == "call" and i.extra[0].startswith(BULK):
            length = int(i.operands[2]) if NUMBER.match(i.operands[2]) else LARGEST_STRUCTURE + 1
            count = length if length <= LARGEST_STRUCTURE else 1
            yield from self._at(i, i.operands[0], count, True)
            if not i.extra[0].startswith("llvm.memset"):
                yield from self._at(i, i.operands[1], count, False)

    def _at(self, i: Instruction, pointer: str, count: int, store: bool) -> Iterator[Access]:
        line = i.line or self._line(pointer)
        for base, indices in dict.fromkeys(self.targets(pointer)):
            yield Access(i.index, base, store, count, indices, line, i.block)

    def _line(self, pointer: str, depth: int = 4) -> int:
        """The line that computes a pointer, where the access itself has lost its own."""
        i = self.defined.get(pointer)
        if i is None or i.line or not depth:
            return i.line if i else 0
        return max((self._line(o, depth - 1) for o in i.operands), default=0)

    def targets(
        self, pointer: str, seen: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, tuple[Index, ...]]]:
        """Where a pointer may lead: bases and indices. More than one where the kernel chooses
        between arrays."""
        i = self.defined.get(pointer)
        if i is None:
            yield from self._constant(pointer)
        elif i.op in ("bitcast", "addrspacecast"):
            yield from self.targets(i.operands[0], seen)
        elif i.op == "getelementptr":
            indices = tuple(self._indices(i.extra[0], i.operands[1:]))
            yield from (
                (base, (*outer, *indices)) for base, outer in self.targets(i.operands[0], seen)
            )
        elif i.op in ("phi", "select"):
            if pointer not in seen:
                for operand in i.operands[i.op == "select" :]:
                    yield from self.targets(operand, seen | {pointer})
        else:
            yield pointer, ()

    def _constant(self, pointer: str) -> Iterator[tuple[str, tuple[Index, ...]]]:
        """A parameter, a global, or an address in one."""
        found = CONSTANT_ADDRESS.match(pointer)
        if found is None:
            yield pointer, ()
            return
        source, base, *values = split(found[1])
        indices = tuple(self._indices(source, tuple(v.split()[-1] for v in values)))
        yield from ((b, (*outer, *indices)) for b, outer in self._constant(base.split(" ", 1)[1]))

    def _indices(self, source: str, values: tuple[str, ...]) -> Iterator[Index]:
        """The indices of one address computation. The first counts elements of the whole type."""
        terms, constant = self.linear(values[0])
        if terms or constant:
            yield Index(terms, constant, self.types.size(source), None)
        kind = source
        for value in values[1:]:
            number = int(value) if NUMBER.match(value) else None
            kind, stride, extent = self.types.step(kind, number)
            if extent is None:
                yield Index((), 1, stride, None)
            else:
                yield Index(*self.linear(value), stride, extent)

    def linear(self, value: str) -> tuple[Terms, int]:
        """An integer as a sum of run-time values times factors, and a constant."""
        if NUMBER.match(value):
            return (), int(value)
        if value not in self._linear:
            self._linear[value] = ((value, 1),), 0  # what a loop's own value leads back to
            terms, constant = self._linear_of(value)
            self._linear[value] = tuple(sorted((n, f) for n, f in terms.items() if f)), constant
        return self._linear[value]

    def _linear_of(self, value: str) -> tuple[dict[str, int], int]:
        i = self.defined.get(value)
        if i is not None and i.op in ("sext", "zext", "trunc"):
            known, constant = self.linear(i.operands[0])
            return dict(known), constant
        if i is not None and (i.op in ("add", "sub") or (i.op == "or" and self._disjoint(i))):
            (left, a), (right, b) = (self.linear(o) for o in i.operands)
            sign = -1 if i.op == "sub" else 1
            terms = dict(left)
            for name, factor in right:
                terms[name] = terms.get(name, 0) + sign * factor
            return terms, a + sign * b
        if i is not None and i.op in ("mul", "shl") and NUMBER.match(i.operands[1]):
            by = int(i.operands[1]) if i.op == "mul" else 1 << int(i.operands[1])
            left, a = self.linear(i.operands[0])
            return {name: factor * by for name, factor in left}, a * by
        return {value: 1}, 0

    def _disjoint(self, i: Instruction) -> bool:
        """Whether an "or" sets bits that are 0 before, so that it adds: below the number's lowest
        bit that may be 1, or above its highest."""
        if not NUMBER.match(i.operands[1]):
            return False
        bits, most = int(i.operands[1]), self._largest(i.operands[0])
        above = most is not None and bits > 0 and most < bits & -bits
        return above or bits < 1 << self.zeros.get(i.operands[0], 0)

    def _low_zeros(self, function: Function) -> dict[str, int]:
        """How many low bits of each integer are always 0: the largest solution, lowered until it
        holds everywhere."""
        integers = [i for i in function.instructions if i.name and i.type.startswith("i")]
        self.zeros = {i.name: BITS for i in integers}
        changed = True
        while changed:
            changed = False
            for i in integers:
                new = self._zeros_of(i)
                if new < self.zeros[i.name]:
                    self.zeros[i.name] = new
                    changed = True
        return self.zeros

    def _zeros_of(self, i: Instruction) -> int:
        many = [self.low_zeros(o) for o in i.operands]
        if i.op in ("phi", "add", "sub", "or", "xor"):
            return min(many)
        if i.op == "select":
            return min(many[1:])
        if i.op == "and":
            return max(many)
        if i.op == "mul":
            return min(BITS, sum(many))
        if i.op == "shl" and NUMBER.match(i.operands[1]):
            return min(BITS, many[0] + int(i.operands[1]))
        if i.op in ("sext", "zext", "trunc"):
            return many[0]
        return 0

    def low_zeros(self, value: str) -> int:
        """How many low bits of an integer are always 0; BITS of 0 itself."""
        if NUMBER.match(value):
            number = int(value)
            return (number & -number).bit_length() - 1 if number else BITS
        return self.zeros.get(value, 0)

    def bits(self, access: Access) -> Known:
        """What is known of the bits of an access's address in its array.

        That an index stays within its array's extent is not taken for known: only a mask in the
        text shows it.
        """
        total = Known(ALL, 0)
        for index in access.indices:
            total += self._index_bits(index)
        return total

    def _index_bits(self, index: Index) -> Known:
        offset = Known(ALL, index.constant * index.stride & ALL)
        if not index.terms:
            return offset
        low = min(
            self.low_zeros(name) + self.low_zeros(str(factor)) for name, factor in index.terms
        )
        low = min(BITS, low + self.low_zeros(str(index.stride)))
        mask = (1 << low) - 1
        if (most := self._most(index)) is not None:
            mask |= ALL & ~((1 << (most * index.stride).bit_length()) - 1)  # what lies above is 0
        return Known(mask, 0) + offset

    def _most(self, index: Index) -> int | None:
        """The largest sum of an index's terms, where it can be seen."""
        total = 0
        for name, factor in index.terms:
            most = self._largest(name)
            if most is None or factor < 0:
                return None
            total += most * factor
        return total

    def _largest(self, value: str) -> int | None:
        """The largest number that a mask leaves of a value."""
        i = self.defined.get(value)
        if i is None or i.op != "and" or not NUMBER.match(i.operands[1]) or int(i.operands[1]) < 0:
            return None
        return int(i.operands[1])
