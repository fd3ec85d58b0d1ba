"""What the audit finds in a kernel that aoc would not build as the design counts on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from hlsgen.audit.arithmetic import Arithmetic, arithmetic
from hlsgen.audit.banking import Turn, judge, turns
from hlsgen.audit.depth import depth
from hlsgen.audit.interfaces import ChannelEnd, GlobalUnit, channel_ends, global_units
from hlsgen.audit.kernel import Array, Kernel
from hlsgen.audit.nests import LoopNest, loop_nests
from hlsgen.audit.recurrences import Recurrence, recurrence
from hlsgen.audit.rules import rules

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One violation: the rule's name, kernel and line of the text, how bad it is, and what was
    seen."""

    rule: str
    kernel: str
    line: int
    severity: str
    detail: str


@dataclass(frozen=True)
class ArrayAudit:
    """An array: where it is kept and why, what each loop's turn asks of it, and all loops together
    (None of registers). `inner` says which turns are an innermost loop's."""

    name: str
    line: int
    type: str
    bytes: int
    registers: bool
    reason: str
    attributes: dict[str, tuple[int, ...]]
    turns: tuple[Turn, ...]
    inner: tuple[bool, ...]
    whole: Turn | None


@dataclass(frozen=True)
class KernelAudit:
    """All that was measured in a kernel, and what is wrong with it. `nests`: the loops around each
    of the innermost `loops`."""

    name: str
    line: int
    arithmetic: Arithmetic
    loops: tuple[Recurrence, ...]
    nests: tuple[LoopNest, ...]
    arrays: tuple[ArrayAudit, ...]
    units: tuple[GlobalUnit, ...]
    ends: tuple[ChannelEnd, ...]
    depth: tuple[float, float] | None
    findings: tuple[Finding, ...]

    @property
    def interval(self) -> tuple[int, int]:
        """The largest initiation interval of an innermost loop, as a band."""
        bands = [loop.interval for loop in self.loops] or [(1, 1)]
        return max(low for low, _ in bands), max(high for _, high in bands)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return asdict(self) | {"dsps": self.arithmetic.dsps, "interval": list(self.interval)}


def audit_kernel(kernel: Kernel, interval: int | None, soft_adders: bool = False) -> KernelAudit:
    """Measure a kernel and judge it. `interval`: what the design's model counts on in innermost
    loops; None where it counts otherwise. `soft_adders`: the device's DSPs do not add floats."""
    loops = tuple(recurrence(kernel, loop) for loop in kernel.innermost)
    arrays = tuple(audit_array(kernel, array) for array in kernel.arrays.values() if array.accesses)
    units, ends = tuple(global_units(kernel)), tuple(channel_ends(kernel))
    findings = [
        *interval_findings(kernel.name, loops, interval),
        *stage_findings(kernel.name, loops),
        *promise_findings(kernel, loops),
        *(f for array in arrays for f in array_findings(kernel.name, array)),
        *register_findings(kernel),
        *pointer_findings(kernel),
        *unit_findings(kernel.name, units),
        *end_findings(kernel.name, ends),
    ]
    ordered = tuple(sorted(findings, key=lambda f: (f.line, f.rule)))
    return KernelAudit(
        kernel.name,
        kernel.line,
        arithmetic(kernel.function, soft_adders),
        loops,
        tuple(loop_nests(kernel)),
        arrays,
        units,
        ends,
        depth(kernel),
        ordered,
    )


def audit_array(kernel: Kernel, array: Array) -> ArrayAudit:
    """What a kernel asks of an array."""
    judged = [] if array.registers else turns(kernel, array)
    whole = None if array.registers else judge(kernel, array, list(array.accesses), kernel.line)
    return ArrayAudit(
        array.name,
        array.line,
        array.type,
        array.bytes,
        array.registers,
        array.reason,
        dict(array.attributes),
        tuple(turn for turn, _ in judged),
        tuple(inner for _, inner in judged),
        whole,
    )


def interval_findings(
    kernel: str, loops: tuple[Recurrence, ...], counted: int | None
) -> Iterator[Finding]:
    """Loops whose interval exceeds what is counted on somewhere in the band of latencies."""
    for loop in loops:
        low, high = loop.interval
        if high > (counted or 1):
            chain = " -> ".join(map(str, loop.chain))
            band = str(high) if low == high else f"{low} to {high}"
            detail = f"II {band}, limited by {loop.limit}; lines {chain}"
            yield Finding("interval", kernel, loop.line, NOTE if counted is None else ERROR, detail)


def promise_findings(kernel: Kernel, loops: tuple[Recurrence, ...]) -> Iterator[Finding]:
    """Promises about arrays that aoc keeps in registers, where nothing says that it heeds them."""
    registers = {array.name for array in kernel.arrays.values() if array.registers}
    for loop in loops:
        for memory in loop.memories:
            cycles = ceil(memory.latency[1])
            if memory.promise and memory.array in registers and cycles > 1:
                detail = (
                    f"{memory.array} is kept in registers: if aoc heeds no promise there, II is "
                    f"{cycles}"
                )
                yield Finding("promise", kernel.name, memory.promise, WARNING, detail)


def stage_findings(kernel: str, loops: tuple[Recurrence, ...]) -> Iterator[Finding]:
    """Long chains of integer operations from turn to turn."""
    most = rules()["recurrence_stages"]
    for loop in loops:
        if loop.stages > most:
            lines = " -> ".join(map(str, loop.stage_lines))
            detail = (
                f"a chain of {loop.stages:g} stages from turn to turn (at most {most:g}); lines "
                f"{lines}"
            )
            yield Finding("stages", kernel, loop.line, WARNING, detail)


def array_findings(kernel: str, array: ArrayAudit) -> Iterator[Finding]:
    """Memories whose accesses wait for each other (outside innermost loops that costs little), or
    that must run at twice the clock."""
    what = f"{array.name} ({array.type}, {array.bytes} bytes)"
    broken = False
    for turn, inner in zip(array.turns, array.inner, strict=True):
        if turn.rule:
            broken = True
            yield Finding(
                turn.rule, kernel, turn.line, ERROR if inner else NOTE, f"{what}: {turn.reason}"
            )
        elif turn.double_pumped and "doublepump" not in array.attributes:
            broken = True
            detail = (
                f"{what}: {turn.load.reads} loads and {turn.load.writes} stores a turn make aoc "
                "double-pump it"
            )
            yield Finding("double-pump", kernel, turn.line, WARNING if inner else NOTE, detail)
    if array.whole and not broken and (array.whole.rule or array.whole.load.writes > 1):
        load = array.whole.load
        detail = (
            f"{what}: {load.reads} loads and {load.writes} stores of different loops meet in "
            "a bank, and each has a port"
        )
        yield Finding("ports", kernel, array.line, WARNING, detail)


def register_findings(kernel: Kernel) -> Iterator[Finding]:
    """Arrays that are promised to be registers, yet have indices at run time."""
    for array in kernel.arrays.values():
        moving = [a for a in array.accesses if a.terms]
        if "register" in array.attributes and moving and array.bytes > rules()["register_bytes"]:
            detail = (
                f"{array.name} ({array.bytes} bytes) has the register attribute and an index at "
                "run time: decode it, or shift"
            )
            yield Finding("register-index", kernel.name, moving[0].line, ERROR, detail)


def pointer_findings(kernel: Kernel) -> Iterator[Finding]:
    """Loads and stores that may go to several arrays."""
    reached: dict[int, dict[str, int]] = {}
    for base, array in kernel.arrays.items():
        for access in array.accesses:
            reached.setdefault(access.at, {})[base] = access.line
    for bases in reached.values():
        if len(bases) > 1:
            names = " and ".join(sorted(kernel.arrays[b].name for b in bases))
            line = max(bases.values())
            yield Finding(
                "chosen-pointer",
                kernel.name,
                line,
                WARNING,
                f"one access goes to {names}: load both, then select",
            )


def unit_findings(kernel: str, units: tuple[GlobalUnit, ...]) -> Iterator[Finding]:
    """Units of global memory whose width is no power of two, or whose addresses need not be
    aligned."""
    for unit in units:
        if not unit.aligned:
            kind = "store" if unit.store else "load"
            detail = f"a {kind} of {unit.bytes} bytes of {unit.argument} is not provably aligned"
            yield Finding("unaligned", kernel, unit.line, WARNING, detail)


def end_findings(kernel: str, ends: tuple[ChannelEnd, ...]) -> Iterator[Finding]:
    """Ends of channels with more than one call."""
    for end in ends:
        if len(end.lines) > 1:
            kind = "written" if end.write else "read"
            lines = ", ".join(map(str, sorted(set(end.lines))))
            detail = f"channel {end.channel} is {kind} by {len(end.lines)} calls; lines {lines}"
            yield Finding("call-sites", kernel, min(end.lines), WARNING, detail)
