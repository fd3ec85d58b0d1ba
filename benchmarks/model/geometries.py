"""The law of memory blocks (hlsgen/kernel/memory.py), held against memories that aoc built.

aoc_memories.csv: geometries of on-chip memories of public designs (pc2/hpcc_fpga_eval,
pc2/hpcc_fpga_eval_21, IntelLabs/t2sp) with the blocks or MLABs that aoc's reports charge for them;
`replicates` includes the private copies of a memory that loops run side by side; `banks_in_use`
are those that the source ever addresses (aoc_memory_verdicts.csv has the same memories).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from rich.console import Console
from rich.table import Table

from hlsgen.kernel.memory import MLAB_DEPTH, bank_blocks

FILE = Path(__file__).parent / "aoc_memories.csv"
GOAL = 0.10


@dataclass(frozen=True)
class Built:
    """A geometry: banks in use of `words` of `bits`, replicates, blocks that aoc charges and that
    the law says; `in_mlabs`: aoc took MLABs."""

    design: str
    name: str
    banks: int
    bits: int
    words: int
    replicates: int
    charged: float
    law: int
    in_mlabs: bool

    @property
    def error(self) -> float:
        """Relative error of the law."""
        return self.law / self.charged - 1


def geometries() -> list[Built]:
    """All memories, each geometry once."""
    with open(FILE, newline="") as file:
        return [built(row) for row in csv.DictReader(file)]


def built(row: dict[str, str]) -> Built:
    """A row of the file. Private copies stand behind each other in a bank, replicates beside each
    other; the file counts both as one, so the law takes whichever is less."""
    banks, bits, words = (int(row[name]) for name in ("banks_in_use", "bank_bits", "bank_words"))
    replicates, blocks = int(row["replicates"]), float(row["aoc_RAM"])
    behind = bank_blocks(words * replicates, bits)
    law = banks * min(replicates * bank_blocks(words, bits), behind)
    return Built(
        row["design"], row["memory"], banks, bits, words, replicates, blocks, law, not blocks
    )


def blocks_of(found: list[Built]) -> list[Built]:
    """Those in memory blocks of more words than MLABs take."""
    return [m for m in found if not m.in_mlabs and m.words > MLAB_DEPTH]


def mean_error(found: list[Built]) -> float:
    """Mean relative error of the law."""
    return mean(abs(m.error) for m in found)


def table(console: Console) -> None:
    """Print the memories that the law misses, and how good it is."""
    found = geometries()
    deep = blocks_of(found)
    rows = Table("design", "memory", "banks x bits x words", "aoc", "law", title="Memories missed")
    for m in deep:
        if abs(m.error) > GOAL:
            shape = f"{m.banks} x {m.bits} x {m.words}, {m.replicates} replicate(s)"
            rows.add_row(m.design, m.name, shape, f"{m.charged:g}", str(m.law))
    console.print(rows)
    exact = sum(not m.error for m in deep)
    shallow = [m for m in found if m.words <= MLAB_DEPTH]
    console.print(
        f"memory geometries: mean error {mean_error(deep):.1%}, median "
        f"{median(abs(m.error) for m in deep):.1%}, exact {exact} of {len(deep)}, goal {GOAL:.0%}; "
        f"of {len(shallow)} with at most {MLAB_DEPTH} words aoc put "
        f"{sum(m.in_mlabs for m in shallow)} in MLABs"
    )
