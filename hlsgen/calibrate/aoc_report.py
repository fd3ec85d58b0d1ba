"""One design as aoc reports it, compiled in full or to its report alone (`aoc -rtl`, `-report`):
estimates, loops, memories, units of global memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hlsgen.calibrate.loops import Loop, read_loops
from hlsgen.calibrate.nodes import Node, ReportError, number, read_nodes
from hlsgen.calibrate.samples import area_kernels
from hlsgen.words import counted

IN_MEMORY = re.compile(r"\((\w+)\)$")
IN_REGISTERS = re.compile(r"'(\w+)' \([^()]*:\d+\)")
INTERCONNECT = re.compile(r"Global interconnect for ([^.]*)\.")
# Three spellings: rows with the data last or first, and nodes.
VERSION = re.compile(
    r'"AOC Version", *"data": *\["(\d+\.\d+)'
    r'|"data": *\["(\d+\.\d+)[^\]]*\], *"name": *"AOC Version"'
    r'|"version": *"(\d+\.\d+)'
)


@dataclass(frozen=True)
class AocMemory:
    """Where aoc keeps an array of a kernel. Of registers only the name is known; bytes of a bank
    are 0 where the version does not say."""

    kernel: str
    name: str
    registers: bool
    stall_free: bool = True
    bytes: int = 0
    banks: int = 1
    bank_bytes: int = 0
    replicates: int = 1

    def __str__(self) -> str:
        if self.registers:
            return "registers"
        stalls = "" if self.stall_free else ", arbitrated"
        return (
            f"{self.bytes} bytes in {counted(self.banks, 'bank')} of {self.bank_bytes}, "
            f"{counted(self.replicates, 'replicate')}{stalls}"
        )


@dataclass(frozen=True)
class AocReport:
    """A report: the compiler's version ("" where it is not told), (ALUT, FF, RAM, DSP, MLAB) of
    each kernel, innermost loops (None without loops.json), arrays, units of global memory of all
    kernels together (None where it does not say)."""

    version: str
    area: dict[str, tuple[float, ...]]
    loops: tuple[Loop, ...] | None
    memories: tuple[AocMemory, ...]
    units: int | None


def read_report(folder: Path) -> AocReport:
    """The report below a folder. Raises ReportError without an area.json."""
    found = {
        name: next(iter(sorted(folder.rglob(name))), None) for name in ("area.json", "info.json")
    }
    area = found["area.json"]
    if area is None:
        raise ReportError(
            "holds no area.json",
            where=str(folder),
            remedy="give the folder that aoc made of this design; `aoc -rtl` is enough",
        )
    tree = read_nodes(area)
    return AocReport(
        version(found["info.json"]),
        area_kernels(tree),
        read_loops(folder),
        tuple(memories(tree)),
        global_units(tree),
    )


def version(info: Path | None) -> str:
    """The version of aoc that info.json tells."""
    if info is None:
        return ""
    match = VERSION.search(info.read_text(errors="replace"))
    return next(filter(None, match.groups())) if match else ""


def memories(tree: Node) -> Iterator[AocMemory]:
    """All arrays of all kernels."""
    for node in tree.children:
        if node.type == "function":
            for resource in node.children:
                yield from arrays(str(node.name), resource)
        else:
            yield from memories(node)


def arrays(kernel: str, node: Node) -> Iterator[AocMemory]:
    """The arrays that a resource of a kernel speaks of: a memory, or variables in registers."""
    name, text = str(node.name).strip(), node.text
    if "Type: Register" in text:
        yield from (AocMemory(kernel, variable, True) for variable in IN_REGISTERS.findall(name))
    elif (array := IN_MEMORY.search(name)) and "Requested size" in text:
        banks = first(text, r'Number of banks": "(\d+)') or first(
            text, r"into (\d+) separate banks"
        )
        replicates = first(text, r'Total replication": "(\d+)') or first(
            text, r"replicated (\d+) times"
        )
        yield AocMemory(
            kernel,
            array[1],
            registers=False,
            stall_free="stall-free" in text.lower(),
            bytes=first(text, r'Requested size(?:": ")? ?(\d+)'),
            banks=max(1, banks),
            bank_bytes=first(text, r'Bank width": "(\d+)') // 8,
            replicates=max(1, replicates),
        )


def first(text: str, pattern: str) -> int:
    """The first figure of a pattern, 0 where there is none."""
    match = re.search(pattern, text)
    return int(number(match[1])) if match else 0


def global_units(tree: Node) -> int | None:
    """Loads and stores of global memory, which the interconnect's text counts."""
    texts = (INTERCONNECT.search(node.text) for node in tree.walk())
    match = next(filter(None, texts), None)
    counts = re.findall(r"(\d+) global (?:load|store)", match[1]) if match else []
    return sum(map(int, counts)) if counts else None
