"""The rules about on-chip memories and loops that the model and the audit rest on, held against
aoc's own reports.

aoc_memory_verdicts.csv, aoc_loop_verdicts.csv and aoc_latencies.csv hold facts read off reports
that lie beside their sources in public repositories; the index forms (`u` unrolled, other letters
known at run time, `w` a store, `r` a load) were read in these sources. Prints how many rows agree
with each rule; `--write` puts the table into docs/aoc-rules.md.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import ceil, inf, prod
from pathlib import Path

from hlsgen.audit.addresses import ALL, Access, Known
from hlsgen.audit.banking import Geometry, Load, Word, busiest, defaults, readers
from hlsgen.audit.rules import latency, rules
from hlsgen.kernel.memory import MLAB_DEPTH, REGISTER_BITS, memory_blocks, power_of_two

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs" / "aoc-rules.md"
START, END = "<!-- agreement: python -m benchmarks.model.audit_rules --write -->", "<!-- end -->"

Row = dict[str, str]
ACCESS = re.compile(r"([rw]) ((?:\[[^\]]*\])+)")
# One index: unrolled values times a factor, run-time values times another; `f(u)` is at run time in
# each lane.
INDEX = re.compile(
    r"(?:(?P<lanes>\d+)\*u\+\w|(?P<groups>\d+)\*\w\+u|\w\+u(?P<moved>\d+)|(?P<unrolled>u)|(?P<time>.+))$"
)


@dataclass(frozen=True)
class Agreement:
    """How a rule does: rows that agree, rows where the rule asks for more than aoc needed, and rows
    where it asks for less."""

    rule: str
    agree: int
    strict: int
    lax: int

    @property
    def rows(self) -> int:
        """All rows that the rule says something about."""
        return self.agree + self.strict + self.lax


def read(name: str) -> list[Row]:
    """A table of facts."""
    with open(FOLDER / name, newline="") as file:
        return list(csv.DictReader(file))


def compare(rule: str, pairs: Iterable[tuple[float, float, float]]) -> Agreement:
    """Hold the band (low, high) of a rule against aoc's figure, which comes last."""
    verdicts = [(high < actual) - (low > actual) for low, high, actual in pairs]
    return Agreement(rule, verdicts.count(0), verdicts.count(-1), verdicts.count(1))


def integers(text: str, separator: str = " ") -> list[int]:
    """Numbers of a cell."""
    return [int(part) for part in text.split(separator) if part]


# ---- memories ----


def memories(rows: list[Row]) -> list[Row]:
    """Rows of arrays that aoc keeps in memories."""
    return [row for row in rows if row["verdict"] != "registers"]


def deep(row: Row) -> int:
    """Words of a bank, private copies included, as the blocks hold them."""
    return power_of_two(int(row["bank_depth"]) * int(row["private_copies"]))


def lowest_bits(rows: list[Row]) -> Agreement:
    """Banks are told apart by the lowest bits of a word's address."""
    banked = [row for row in memories(rows) if row["bank_bits"]]
    firsts = [
        ((int(row["bank_width"]) // 8).bit_length() - 1, integers(row["bank_bits"]))
        for row in banked
    ]
    return compare(
        "banks by the lowest address bits",
        ((0, 0, bits != [*range(low, low + len(bits))]) for low, bits in firsts),
    )


def depths(rows: list[Row]) -> Agreement:
    """A bank's words are rounded up to a power of two."""
    pairs = []
    for row in memories(rows):
        words = ceil(int(row["requested"]) / (int(row["banks"]) * int(row["bank_width"]) // 8))
        pairs.append((power_of_two(words), power_of_two(words), int(row["bank_depth"])))
    return compare("depth of a bank is a power of two", pairs)


def registers(rows: list[Row]) -> Agreement:
    """Private arrays are registers where indices are constant or they have at most 64 bytes."""
    pairs = []
    for row in rows:
        if row["space"] == "private":
            bits = prod(integers(row["dims"], "x")) * int(row["element_bits"])
            expected = row["index"] in ("constant", "shift") or bits <= REGISTER_BITS
            pairs.append((expected, expected, row["verdict"] == "registers"))
    return compare("registers: constant indices, or at most 64 bytes", pairs)


def replicates(rows: list[Row]) -> Agreement:
    """A replicate has ports for so many loads beside its stores."""
    pairs = []
    for row in memories(rows):
        if row["reads_in_bank"]:
            writes = int(row["writes_in_bank"])
            each = readers(writes, double=writes > 1 or "doublepump" in row["attributes"])
            needed = ceil(int(row["reads_in_bank"]) / each) if each else inf
            pairs.append((needed, needed, int(row["replicates"])))
    return compare("a replicate for each load that meets in a bank", pairs)


def blocks(rows: list[Row], shared: bool) -> Agreement:
    """Blocks of the cheapest simple dual port mode, for each bank in use and replicate. `shared`:
    of memories with a port that reads and writes, which modes of 40 bits lack."""
    pairs = []
    for row in memories(rows):
        if int(row["blocks"]) and (row["ports"] not in ("", "1R1W0RW")) == shared:
            each = memory_blocks(max(deep(row), 2 * MLAB_DEPTH), int(row["bank_width"]))
            total = each * int(row["banks_in_use"]) * int(row["replicates"])
            pairs.append((total, total, int(row["blocks"])))
    return compare(
        f"blocks of a memory ({'a port' if shared else 'no port'} reads and writes)", pairs
    )


def shallow(rows: list[Row], from_version: int, to_version: int, name: str) -> Agreement:
    """Memories of few words take MLABs where nothing asks for a kind."""
    pairs = []
    for row in memories(rows):
        if from_version <= int(row["aoc"].split(".")[0]) < to_version:
            expected = deep(row) <= MLAB_DEPTH
            pairs.append((expected, expected, row["mlabs"] not in ("", "0")))
    return compare(f"MLABs up to {MLAB_DEPTH} words by default, {name}", pairs)


# ---- accesses of a turn ----


def part(
    text: str, extent: int, stride: int, name: str
) -> tuple[list[int], int, list[tuple[str, int]]]:
    """One index: places of its unrolled values, bits that run-time values leave unknown, and its
    run-time terms."""
    found = INDEX.match(text)
    assert found, text

    def unknown(count: int, step: int) -> int:
        return (power_of_two(count) - 1) * step

    if found["lanes"]:
        step = int(found["lanes"])
        return (
            [k * step * stride for k in range(extent // step)],
            unknown(step, stride),
            [(name, stride)],
        )
    if found["groups"]:
        step = int(found["groups"])
        return (
            [k * stride for k in range(step)],
            unknown(extent // step, step * stride),
            [(name, step * stride)],
        )
    if found["moved"]:
        return (
            [k * stride for k in range(int(found["moved"]))],
            unknown(extent, stride),
            [(name, stride)],
        )
    if found["unrolled"]:
        return [k * stride for k in range(extent)], 0, []
    return [0], unknown(extent, stride), [(name, stride)]


def words(dims: list[int], width: int, text: str) -> list[Word]:
    """The words that one access, with its unrolled copies, touches in a turn."""
    indices = text[3:-1].split("][")
    indices = ["i"] * (len(dims) - len(indices)) + [i if i != "." else "i" for i in indices]
    strides = [prod(dims[k + 1 :]) * width for k in range(len(dims))]
    parts = [part(i, dims[k], strides[k], f"{k}") for k, i in enumerate(indices)]
    unknown = [Known(ALL & ~bits, 0) for _, bits, _ in parts]
    terms = tuple(term for *_, run_time in parts for term in run_time)
    own = "f(u)" in indices
    found = []
    for lane, places in enumerate(product(*(places for places, *_ in parts))):
        bits = reduce(Known.__add__, [*unknown, Known(ALL, sum(places))])
        found.append(
            Word(text[0] == "w", (*terms, ("lane", lane)) if own else terms, sum(places), bits)
        )
    return found


def separable(row: Row, text: str) -> bool:
    """Whether the audit says that accesses meet in a bank though constants tell them apart."""
    width = int(row["element_bits"]) // 8
    touched = words(integers(row["dims"], "x"), width, text)
    asked = re.search(r"numbanks\((\d+)\)", row["attributes"])
    if asked:
        geometries = [Geometry(int(asked[1]), width, width.bit_length() - 1)]
    else:
        geometries = list(
            defaults([Access(0, "", text[0] == "w", width, (), 0, "")] * len(touched), width)
        )
    loads: list[Load] = [busiest(touched, geometry) for geometry in geometries]
    return min(load.separable for load in loads) > 0


def stall_free(rows: list[Row]) -> Agreement:
    """Nothing waits where the lowest bits of the address tell the unrolled copies of an access
    apart."""
    pairs = []
    for row in memories(rows):
        found = any(
            separable(row, f"{kind} {indices}") for kind, indices in ACCESS.findall(row["index"])
        )
        pairs.append((found, found, row["verdict"] == "arbitrated"))
    return compare("stall-free where low bits tell unrolled copies apart", pairs)


# ---- loops ----


def latencies(rows: list[Row], operation: str) -> Agreement:
    """Cycles of units that load from and store to memories on chip, where nothing waits; each unit
    of a report is a row."""
    pairs: list[tuple[float, float, float]] = []
    for row in rows:
        if row["operation"] == operation and row["stall_free"] == "yes":
            pairs += [(*latency(operation), int(row["cycles"]))] * int(row["units"])
    return compare(f"cycles of a {operation} on chip", pairs)


def cycles(row: Row, mode: int) -> float:
    """Latency of a recurrence as the audit adds it up: through registers, floating-point operations
    alone."""
    total = 0.0
    for name in row["operations"].split():
        count, _, operation = name.rpartition("*")
        if row["carried_by"] == "memory" or operation in rules()["float_operations"]:
            total += int(count or 1) * latency(operation)[mode]
    return total


def intervals(rows: list[Row], carried_by: str) -> Agreement:
    """The interval is the recurrence's latency over its distance."""
    pairs = []
    for row in rows:
        if row["carried_by"] == carried_by:
            distance = inf if row["distance"] == "ivdep" else int(row["distance"])
            low, high = (max(1, ceil(cycles(row, mode) / distance)) for mode in (0, 1))
            pairs.append((low, high, int(row["interval"])))
    return compare(f"II from the recurrence's latency, through {carried_by}", pairs)


def agreements() -> list[Agreement]:
    """All rules."""
    memory, loops = read("aoc_memory_verdicts.csv"), read("aoc_loop_verdicts.csv")
    of_memories: list[Callable[[list[Row]], Agreement]] = [
        lowest_bits,
        depths,
        registers,
        replicates,
        stall_free,
    ]
    return [
        *(rule(memory) for rule in of_memories),
        blocks(memory, shared=False),
        blocks(memory, shared=True),
        shallow(memory, 0, 20, "17.1 to 19.4"),
        shallow(memory, 20, 99, "21.2"),
        *(latencies(read("aoc_latencies.csv"), operation) for operation in ("load", "store")),
        intervals(loops, "memory"),
        intervals(loops, "registers"),
    ]


def table(found: list[Agreement]) -> str:
    """The figures as a table for the documents."""
    lines = [
        "| rule | rows | agree | rule asks for more than aoc | rule asks for less |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {a.rule} | {a.rows} | {a.agree} ({a.agree / a.rows:.0%}) | {a.strict} | {a.lax} |"
        for a in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table, or put it into the document."""
    made = table(agreements())
    print(made)
    if "--write" in sys.argv[1:]:
        text = DOCUMENT.read_text()
        head, rest = text.split(START)
        DOCUMENT.write_text(f"{head}{START}\n{made}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
