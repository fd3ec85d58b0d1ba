"""One kernel as all rules of the audit see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hlsgen.audit.addresses import Access, Addresses
from hlsgen.audit.flow import Loop, innermost, loops
from hlsgen.audit.ir import Function, Instruction, Module
from hlsgen.audit.rules import rules
from hlsgen.audit.source import Attributes, Source

READ, WRITE = "__read_channel", "__write_channel"
UNIT = "__unit_"


@dataclass(frozen=True)
class Array:
    """An array of a kernel, or a table of constants. `reason` says why it is kept in registers or
    in a memory."""

    base: str
    name: str
    line: int
    type: str
    bytes: int
    registers: bool
    reason: str
    attributes: Attributes
    accesses: tuple[Access, ...]


class Kernel:
    """A kernel: its instructions, loops, arrays and accesses."""

    def __init__(self, function: Function, module: Module, source: Source):
        self.function, self.module, self.source = function, module, source
        self.name = function.name
        self.addresses = Addresses(function, module)

    @cached_property
    def loops(self) -> list[Loop]:
        """All loops."""
        return loops(self.function)

    @cached_property
    def innermost(self) -> list[Loop]:
        """Loops that hold no other: what the design's pace rests on."""
        return innermost(self.loops)

    @cached_property
    def line(self) -> int:
        """The first line of the kernel that does something."""
        return min((i.line for i in self.function.instructions if i.line), default=0)

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """Arrays by base."""
        tables = {
            a.base: self.module.globals[a.base]
            for a in self.addresses.accesses
            if a.base in self.module.globals
        }
        types = {base: i.extra[0] for base, i in self.addresses.arrays.items()} | tables
        return {base: self._array(base, kind) for base, kind in types.items()}

    def _array(self, base: str, kind: str) -> Array:
        variable = self.function.variables.get(base)
        name, line = (
            (variable.name, variable.line) if variable else (base.lstrip("%@").split(".")[0], 0)
        )
        size = self.module.types.size(kind)
        attributes = self.source.attributes.get((name, line), {})
        accesses = tuple(a for a in self.addresses.accesses if a.base == base)
        registers, reason = placement(size, attributes, accesses)
        return Array(base, name, line, kind, size, registers, reason, attributes, accesses)

    def loop_of(self, block: str) -> Loop | None:
        """The smallest loop that holds a block."""
        return min(
            (o for o in self.loops if block in o.blocks), key=lambda o: len(o.blocks), default=None
        )


def placement(size: int, attributes: Attributes, accesses: tuple[Access, ...]) -> tuple[bool, str]:
    """Whether an array is kept in registers, and why."""
    if "register" in attributes:
        return True, "the register attribute"
    if "memory" in attributes:
        return False, "the memory attribute"
    if not any(a.terms for a in accesses):
        return True, "constant indices"
    if size <= rules()["register_bytes"]:
        return True, f"at most {rules()['register_bytes']} bytes"
    return False, "indices at run time"


def operation(i: Instruction) -> str:
    """The name under which the rules know an instruction; a call's by what it calls."""
    if i.op != "call":
        return i.op
    callee = i.extra[0]
    if callee.startswith(("llvm.fmuladd", "llvm.fma")):
        return "multiply_add"
    if callee.startswith(UNIT):
        return "unit"
    if callee.startswith(("llvm.smax", "llvm.smin", "llvm.umax", "llvm.umin", "llvm.abs")):
        return "icmp"
    if callee.startswith(("llvm.maxnum", "llvm.minnum", "llvm.fabs")):
        return "fcmp"
    return callee
