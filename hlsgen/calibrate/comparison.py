"""Three witnesses of one design, kernel by kernel: the model, the audit of its text, and aoc's own
report; and which of hlsgen's rules the report contradicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from hlsgen.audit.design import Audit
from hlsgen.audit.findings import ArrayAudit, KernelAudit
from hlsgen.audit.geometry import Geometry
from hlsgen.calibrate.aoc_report import AocMemory, AocReport
from hlsgen.calibrate.loops import Loop, interval_text
from hlsgen.words import counted

RESOURCES = ("ALUT", "FF", "RAM", "DSP", "MLAB")
# What each rule says. Where aoc does otherwise, hlsgen is wrong about aoc.
RULES = {
    "kernels": "the text's kernels are those that aoc reports",
    "dsps": "a kernel's DSPs are those that the audit counts",
    "interval": "a loop's initiation interval lies in the audit's band",
    "registers": "an array is kept in registers, or not, as the audit says",
    "stall-free": "a memory waits where the audit says so and nowhere else",
    "banks": "a memory has the banks, the width and the replicates that the model charges",
    "units": "units of global memory are those that the audit counts",
}


@dataclass(frozen=True)
class Check:
    """One thing that hlsgen says and aoc answers: by which rule, of which kernel (and `what` of
    it), both as text."""

    rule: str
    kernel: str
    what: str
    ours: str
    aoc: str

    @property
    def agrees(self) -> bool:
        """Whether aoc does as the rule says."""
        return self.ours == self.aoc


@dataclass(frozen=True)
class Area:
    """Resources of a kernel and all its copies, as the model and as aoc estimate them."""

    kernel: str
    ours: dict[str, float]
    aoc: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """All that was compared."""

    aoc: str
    areas: tuple[Area, ...]
    checks: tuple[Check, ...]

    @property
    def contradictions(self) -> tuple[Check, ...]:
        """Where aoc does otherwise."""
        return tuple(check for check in self.checks if not check.agrees)

    def by_rule(self) -> dict[str, tuple[int, int]]:
        """How often aoc agrees with each rule, and how often it was asked."""
        found = {rule: [c.agrees for c in self.checks if c.rule == rule] for rule in RULES}
        return {rule: (sum(agree), len(agree)) for rule, agree in found.items() if agree}

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {
            "aoc": self.aoc,
            "rules": {rule: list(counts) for rule, counts in self.by_rule().items()},
            "areas": [asdict(area) for area in self.areas],
            "checks": [asdict(check) | {"agrees": check.agrees} for check in self.checks],
        }


def compare(found: Audit, rows: list[dict[str, Any]], report: AocReport) -> Comparison:
    """Set a design's audit and the model's estimate (`rows`, of hlsgen.report.kernels.kernel_rows)
    beside aoc's report."""
    areas = tuple(
        Area(
            row["name"],
            {name: row[name] for name in RESOURCES},
            dict(zip(RESOURCES, report.area[row["name"]], strict=True)),
        )
        for row in rows
        if row["name"] in report.area
    )
    return Comparison(report.version, areas, tuple(checks(found, report)))


def checks(found: Audit, report: AocReport) -> Iterator[Check]:
    """Everything that both speak of."""
    ours = {k.name: k for k in found.kernels}
    for name in dict.fromkeys((*ours, *report.area)):
        yield Check("kernels", name, "", there(name in ours), there(name in report.area))
    for name, kernel in ours.items():
        if name in report.area:
            yield from kernel_checks(found, kernel, report)
    if report.units is not None and len(ours) == len(report.area):
        units = sum(len(k.units) * found.copies(name) for name, k in ours.items())
        yield Check("units", "", "", str(units), str(report.units))


def there(present: bool) -> str:
    """Whether one has a kernel, as text."""
    return "there" if present else "missing"


def kernel_checks(found: Audit, kernel: KernelAudit, report: AocReport) -> Iterator[Check]:
    """What both say of one kernel."""
    name = kernel.name
    dsps = kernel.arithmetic.dsps * found.copies(name)
    yield Check("dsps", name, "", f"{dsps:g}", f"{report.area[name][RESOURCES.index('DSP')]:g}")
    loops = {loop.line: loop for loop in report.loops or () if loop.kernel == name}
    for loop in kernel.loops:
        if loop.line in loops:
            yield loop_check(name, loop.line, loop.interval, loops[loop.line])
    memories = {memory.name: memory for memory in report.memories if memory.kernel == name}
    promise = found.promises.get(name)
    for array in kernel.arrays:
        if array.name in memories:
            charged = promise.memories.get(array.name) if promise else None
            yield from array_checks(name, array, charged, memories[array.name])


def loop_check(kernel: str, line: int, band: tuple[int, int], loop: Loop) -> Check:
    """An innermost loop's initiation interval. Within the band it is the audit's word."""
    theirs = interval_text(loop)
    inside = loop.interval is not None and loop.pipelined and band[0] <= loop.interval <= band[1]
    low, high = band
    ours = f"II {low}" if low == high else f"II {low} to {high}"
    return Check("interval", kernel, f"loop of line {line}", theirs if inside else ours, theirs)


def array_checks(
    kernel: str, array: ArrayAudit, charged: Geometry | None, memory: AocMemory
) -> Iterator[Check]:
    """Where an array is kept, and how."""
    places = ["registers" if here else "memory" for here in (array.registers, memory.registers)]
    yield Check("registers", kernel, array.name, *places)
    if array.registers or memory.registers:
        return
    waits = any(turn.rule for turn in array.turns)
    stalls = [
        "arbitrated" if waiting else "stall-free" for waiting in (waits, not memory.stall_free)
    ]
    yield Check("stall-free", kernel, array.name, *stalls)
    if charged is not None and memory.bank_bytes:
        theirs = Geometry(memory.bytes, memory.banks, memory.bank_bytes, memory.replicates)
        yield Check("banks", kernel, array.name, layout(charged), layout(theirs))


def layout(memory: Geometry) -> str:
    """Banks and replicates of a memory."""
    return f"{memory.banks} x {memory.bank_bytes} bytes, {counted(memory.replicates, 'replicate')}"
