"""Whether the accesses of one turn to a memory get by without waiting: banks by address bits,
ports, replicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hlsgen.audit.addresses import Access, Known, Terms
from hlsgen.audit.kernel import Array, Kernel
from hlsgen.audit.rules import rules

# No memory of a design has more; beyond, banks are registers.
MOST_BANKS = 1024


@dataclass(frozen=True)
class Word:
    """A word that accesses of one block touch together: `place` is its address, less what is known
    at run time alone."""

    store: bool
    terms: Terms
    place: int
    bits: Known


@dataclass(frozen=True)
class Geometry:
    """Banks of `width` bytes, selected by the bits from `bit` on of a byte's address."""

    banks: int
    width: int
    bit: int


@dataclass(frozen=True)
class Load:
    """The busiest bank of a geometry: words read and written in one turn, and how many of the words
    read have addresses that differ from others there by a constant alone, so that better banks
    would tell them apart."""

    reads: int
    writes: int
    reads_apart: int
    writes_apart: int

    @property
    def separable(self) -> int:
        """How many accesses another geometry could move to another bank."""
        return self.reads_apart + self.writes_apart


@dataclass(frozen=True)
class Turn:
    """What one turn of a loop asks of a memory, and the verdict: `rule` is "" where nothing waits,
    else the rule that is broken. `reason` says why it is so."""

    line: int
    reads: int
    writes: int
    geometry: Geometry
    load: Load
    replicates: int
    double_pumped: bool
    rule: str
    reason: str


def power(number: int) -> int:
    """The next power of two."""
    return 1 << max(0, number - 1).bit_length()


def judge(kernel: Kernel, array: Array, accesses: list[Access], line: int) -> Turn:
    """The verdict on the accesses of one turn."""
    natural = power(max(a.bytes for a in accesses))
    fixed = declared(array, natural)
    candidates = [fixed] if fixed else list(defaults(accesses, natural))
    judged = [(g, busiest(words(kernel, accesses, g.width), g)) for g in candidates]
    geometry, load = min(
        judged, key=lambda pair: (pair[1].separable, pair[1].reads + pair[1].writes, pair[0].banks)
    )
    return verdict(array, accesses, line, geometry, load)


def declared(array: Array, natural: int) -> Geometry | None:
    """The geometry that attributes fix, or None."""
    a = array.attributes
    width = (a.get("bankwidth") or (natural,))[0]
    if bits := a.get("bank_bits"):
        return Geometry(1 << len(bits), width, min(bits) + width.bit_length() - 1)
    if banks := a.get("numbanks"):
        return Geometry(banks[0], width, width.bit_length() - 1)
    return None


def defaults(accesses: list[Access], natural: int) -> Iterable[Geometry]:
    """What aoc chooses from where nothing is said: the low address bits."""
    banks = 1
    while banks <= min(MOST_BANKS, 2 * power(len(accesses))):
        yield Geometry(banks, natural, natural.bit_length() - 1)
        banks *= 2


def words(kernel: Kernel, accesses: list[Access], width: int) -> list[Word]:
    """The words of `width` bytes that accesses touch; what one block does with a word is one
    access."""
    found: dict[tuple[bool, str, Terms, int], Word] = {}
    for a in accesses:
        bits = kernel.addresses.bits(a)
        inside = bits.mask & (width - 1)
        start = (bits.value & inside) if inside == width - 1 else 0
        for offset in range(0, max(a.bytes, 1), width):
            place = a.constant - start + offset
            moved = bits + Known((1 << 40) - 1, offset)
            found.setdefault(
                (a.store, a.block, a.terms, place), Word(a.store, a.terms, place, moved)
            )
    return list(found.values())


def busiest(found: list[Word], geometry: Geometry) -> Load:
    """The bank that most words may fall into."""
    worst = Load(0, 0, 0, 0)
    for bank in range(geometry.banks):
        mask, value = (geometry.banks - 1) << geometry.bit, bank << geometry.bit
        here = [w for w in found if not (w.bits.value ^ value) & w.bits.mask & mask]
        reads, writes = ([w for w in here if w.store is store] for store in (False, True))
        load = Load(len(reads), len(writes), shared(reads), shared(writes))
        worst = max(worst, load, key=lambda x: (x.separable, x.reads + x.writes))
    return worst


def shared(found: list[Word]) -> int:
    """How many words differ from another one by a constant alone."""
    return len({(w.terms, w.place) for w in found}) - len({w.terms for w in found})


def verdict(
    array: Array, accesses: list[Access], line: int, geometry: Geometry, load: Load
) -> Turn:
    """Ports and replicates of the busiest bank, and what is wrong with them."""
    attributes = array.attributes
    # Whatever writes a memory in another loop has its port.
    writes = max(load.writes, int(any(a.store for a in array.accesses)))
    double = "doublepump" in attributes or (writes > 1 and "singlepump" not in attributes)
    each = readers(writes, double)
    replicates = -(-load.reads // each) if each and load.reads else max(1, load.reads)
    most = (attributes.get("max_replicates") or (replicates,))[0]
    deep = array.bytes > geometry.banks * geometry.width
    meet = (
        f"{load.reads} loads and {load.writes} stores a turn meet in one of {geometry.banks} banks"
    )
    rule, reason = (
        "",
        f"stall-free: {load.reads} loads and {load.writes} stores a bank, {replicates} replicates",
    )
    if load.separable:
        rule, reason = (
            "unbankable",
            f"{meet}, though constants tell them apart: put the unrolled index last, on a "
            "power of two",
        )
    elif each is None or (load.reads and not each):
        rule, reason = "arbitrated", meet
    elif geometry.banks > 1 and not deep and not attributes:
        rule = "run-time-index"
        reason = (
            "every word is needed at once, yet some access has an index at run time: decode "
            "it, or shift"
        )
    elif replicates > most:
        rule, reason = (
            "replicates",
            f"{replicates} replicates are needed, max_replicates allows {most}",
        )
    reads, stores = (sum(x.store is store for x in accesses) for store in (False, True))
    return Turn(line, reads, stores, geometry, load, replicates, double, rule, reason)


def readers(writes: int, double: bool) -> int | None:
    """How many loads a turn one replicate serves beside so many stores; None where it has no ports
    for these."""
    ports = rules()["ports"]
    if not double:
        return ports["reads"] if writes <= ports["writes"] else None
    return (
        min(ports["pumped_reads"], ports["pumped"] - writes) if writes <= ports["pumped"] else None
    )


def turns(kernel: Kernel, array: Array) -> list[tuple[Turn, bool]]:
    """The verdict on each loop's accesses to an array, and whether that loop is an innermost
    one."""
    groups: dict[str, list[Access]] = {}
    for access in array.accesses:
        loop = kernel.loop_of(access.block)
        groups.setdefault(loop.header if loop else "", []).append(access)
    lines = {loop.header: loop.line for loop in kernel.loops} | {"": kernel.line}
    inner = {loop.header for loop in kernel.innermost}
    return [
        (judge(kernel, array, group, lines[header]), header in inner)
        for header, group in groups.items()
    ]
