"""Memories of the text against those that the model charges: bytes, banks, width of a bank,
replicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hlsgen.audit.findings import ERROR, WARNING, ArrayAudit, Finding, KernelAudit
from hlsgen.words import counted


@dataclass(frozen=True)
class Geometry:
    """How an array lies in memory: all its bytes, banks and bytes of a bank, replicates."""

    bytes: int
    banks: int
    bank_bytes: int
    replicates: int

    def __str__(self) -> str:
        return (
            f"{self.bytes} bytes in {counted(self.banks, 'bank')} of {self.bank_bytes}, "
            f"{counted(self.replicates, 'replicate')}"
        )


def stated(array: ArrayAudit) -> Geometry | None:
    """What the attributes of an array say; None where they leave it to aoc."""
    a = array.attributes
    if not all(a.get(name) for name in ("numbanks", "bankwidth", "max_replicates")):
        return None
    return Geometry(array.bytes, a["numbanks"][0], a["bankwidth"][0], a["max_replicates"][0])


def geometry_findings(
    kernel: KernelAudit, charged: dict[str, Geometry], text: str
) -> Iterator[Finding]:
    """Memories of a kernel that the model charges otherwise, or that one of both lacks. Constant
    tables stand beside the kernel in `text`."""
    found = {array.name: array for array in kernel.arrays if not array.registers}
    for name, array in found.items():
        if name.removeprefix(f"{kernel.name}_") in charged and name not in charged:
            continue  # a table of constants has no attributes
        mine, theirs = stated(array), charged.get(name)
        if mine != theirs or mine is None:
            detail = (
                f"{name}: {mine or 'no geometry is stated'}; the model charges "
                f"{theirs or 'nothing'}"
            )
            yield Finding("geometry", kernel.name, array.line, ERROR, detail)
    for name in charged:
        if name not in found and f" {kernel.name}_{name}[" not in text:
            detail = f"{name}: the model charges {charged[name]}, the text has no such memory"
            yield Finding("geometry", kernel.name, kernel.line, WARNING, detail)
