"""Runs a kernel's slice as machine code: channels become arrays, and accesses tell how many turns
lie between store and load."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from hlsgen.audit.flow import Loop
from hlsgen.audit.ir import Instruction
from hlsgen.audit.kernel import READ, WRITE, Array, Kernel
from hlsgen.audit.slices import Slice, channel_of

# Turns of loops, all together, after which a run is given up.
FUEL = 1 << 26
NEVER = 1 << 62
# Fields of a run's state, as indices of 64-bit integers; a target's follow from BASE on, FIELDS
# each.
FUEL_LEFT, ROUNDS, BASE, FIELDS = 0, 1, 2, 4
TURN, EPOCH, LEAST, OUTSIDE = range(FIELDS)
# Arrays that hold nothing lie so far apart that no index leads from one to another.
APART = 1 << 34
# Bytes that may be written for a channel that nobody follows.
SCRATCH = 1 << 16


# Vectors are loaded from addresses that are multiples of their size.
ALIGNMENT = 128


def aligned(count: int) -> np.ndarray:
    """So many bytes of memory, zero, at an address that any vector may have."""
    memory = np.zeros(count + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + count]


@dataclass(frozen=True)
class Target:
    """An array whose accesses in a loop are followed. `unit`: bytes of a word; accesses are whole
    words."""

    array: Array
    loop: Loop
    unit: int


@dataclass
class Stream:
    """The values of a channel: `data` holds `count` of `size` bytes."""

    size: int
    data: np.ndarray
    count: int = 0


@dataclass
class Machine:
    """Everything that a run reads and writes: buffers and numbers by parameter, streams by
    channel."""

    buffers: dict[str, np.ndarray] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    reads: dict[str, Stream] = field(default_factory=dict)
    writes: dict[str, Stream] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What a run found: by target the least distance in turns (NEVER where no word is loaded after
    its store), and whether an access left its array; whether the run came to its end: all of its
    streams, or two whole periods of its counters."""

    least: tuple[int, ...]
    outside: tuple[bool, ...]
    complete: bool
    turns: tuple[int, ...]


class Writer:
    """Writes the function that is run."""

    def __init__(self, kernel: Kernel, cut: Slice, targets: tuple[Target, ...], machine: Machine):
        self.kernel, self.cut, self.targets, self.machine = kernel, cut, targets, machine
        self.state = np.zeros(BASE + FIELDS * len(targets), np.int64)
        self.tables = [np.full(t.array.bytes // t.unit + 1, -1, np.int64) for t in targets]
        self.positions = {name: np.zeros(1, np.int64) for name in (*machine.reads, *machine.writes)}
        self.saved: list[np.ndarray] = []
        self.scratch = aligned(SCRATCH)
        self.bases = {name: (n + 1) * APART for n, name in enumerate(kernel.addresses.arrays)}
        self.count = 0
        self.tail: dict[str, str] = {}
        self.endless = [o for o in kernel.loops if endless(kernel, o) and not self.reads_in(o)]

    def reads_in(self, loop: Loop) -> bool:
        """Whether a loop reads a stream, which ends it."""
        calls = (
            i for i in self.kernel.function.instructions if i.op == "call" and i.extra[0] == READ
        )
        return any(
            i.block in loop.blocks and channel_of(self.kernel, i) in self.machine.reads
            for i in calls
        )

    @property
    def remembers(self) -> bool:
        """Whether an endless loop's turns hold more than its counters: arrays of the slice that
        they write."""
        arrays = (a for base, a in self.kernel.arrays.items() if base in self.cut.arrays)
        stores = [x for a in arrays for x in a.accesses if x.store]
        return any(x.block in loop.blocks for x in stores for loop in self.endless)

    def fresh(self, hint: str = "t") -> str:
        """A name that the kernel does not use."""
        self.count += 1
        return f"%probe.{hint}.{self.count}"

    def cell(self, array: np.ndarray, index: int = 0) -> str:
        """The address of an element, as a constant."""
        return f"inttoptr (i64 {array.ctypes.data + 8 * index} to ptr)"

    def text(self) -> str:
        """A module with the function `probe`."""
        lines = ["define i32 @probe() {"]
        blocks: dict[str, list[Instruction]] = {}
        for i in self.kernel.function.instructions:
            blocks.setdefault(i.block, []).append(i)
        body = {
            block: list(self.block(block, instructions)) for block, instructions in blocks.items()
        }
        for block, written in body.items():
            lines += [f'"{block}":', *(self.relabelled(line) for line in written)]
        lines += ['"probe.exit":', "  ret i32 0", "}"]
        used = {name for line in lines for name in re.findall(r"@[\w.]+", line)}
        kept = [
            line for line in self.kernel.module.preamble.splitlines() if self.needed(line, used)
        ]
        return "\n".join([*kept, *lines])

    def needed(self, line: str, used: set[str]) -> bool:
        """Whether a line of the module's head is used: types always, declarations where they are
        named."""
        names = re.findall(
            r"@[\w.]+", line.split("(")[0] if line.startswith("declare") else line.split(" = ")[0]
        )
        return not names or names[0] in used

    def relabelled(self, line: str) -> str:
        """A phi's line with the blocks that it is really entered from."""
        if " = phi " not in line:
            return line
        return re.sub(
            r", %(\"[^\"]*\"|[\w.$-]+) \]",
            lambda m: f', %"{self.tail.get(m[1].strip(chr(34)), m[1].strip(chr(34)))}" ]',
            line,
        )

    def block(self, name: str, instructions: list[Instruction]) -> Iterator[str]:
        """A block's lines."""
        phis = [i for i in instructions if i.op == "phi"]
        yield from (f"  {i.code}" for i in phis if i.index in self.cut.instructions)
        starts = [t for t in range(len(self.targets)) if self.targets[t].loop.header == name]
        backs = [self.arrival(name, self.targets[t].loop) for t in starts]
        yield from (line for line, _ in backs)
        if name == "entry":
            yield from self.parameters()
        for t, (_, back) in zip(starts, backs, strict=True):
            yield from self.turn(t, back)
        if any(o.header == name for o in self.kernel.loops):
            yield from self.burn(name)
        if any(o.header == name for o in self.endless):
            yield from self.periods(name, [i for i in phis if i.index in self.cut.instructions])
        for i in instructions[len(phis) :]:
            yield from self.instruction(name, i)

    def arrival(self, header: str, loop: Loop) -> tuple[str, str]:
        """A phi that says whether a loop's first block is entered from the loop itself."""
        back = self.fresh("back")
        entered = [b for b, targets in self.kernel.function.successors.items() if header in targets]
        pairs = ", ".join(f"[ {'true' if b in loop.latches else 'false'}, %{b} ]" for b in entered)
        return f"  {back} = phi i1 {pairs}", back

    def parameters(self) -> Iterator[str]:
        """The kernel's arguments."""
        for name, kind in self.kernel.function.parameters.items():
            if name in self.machine.buffers:
                yield (
                    f"  {name} = getelementptr i8, ptr "
                    f"{self.cell(self.machine.buffers[name])}, i64 0"
                )
            elif kind != "ptr":
                yield f"  {name} = add {kind} {self.machine.numbers.get(name, 0)}, 0"
            else:
                yield f"  {name} = getelementptr i8, ptr null, i64 0"

    def turn(self, target: int, back: str) -> Iterator[str]:
        """A loop's turn begins: count it, and remember the first."""
        at = BASE + FIELDS * target
        old, new, epoch, first = (self.fresh() for _ in range(4))
        yield f"  {old} = load i64, ptr {self.cell(self.state, at + TURN)}"
        yield f"  {new} = add i64 {old}, 1"
        yield f"  store i64 {new}, ptr {self.cell(self.state, at + TURN)}"
        yield f"  {epoch} = load i64, ptr {self.cell(self.state, at + EPOCH)}"
        yield f"  {first} = select i1 {back}, i64 {epoch}, i64 {new}"
        yield f"  store i64 {first}, ptr {self.cell(self.state, at + EPOCH)}"

    def leave(self, block: str, condition: str) -> Iterator[str]:
        """End the run where a condition holds."""
        after = f"{block}.probe.{self.count}"
        self.tail[block] = after
        yield f'  br i1 {condition}, label %"probe.exit", label %"{after}"'
        yield f'"{after}":'

    def burn(self, block: str) -> Iterator[str]:
        """Count a turn of any loop; too many end the run."""
        old, new, none = (self.fresh() for _ in range(3))
        yield f"  {old} = load i64, ptr {self.cell(self.state, FUEL_LEFT)}"
        yield f"  {new} = sub i64 {old}, 1"
        yield f"  store i64 {new}, ptr {self.cell(self.state, FUEL_LEFT)}"
        yield f"  {none} = icmp slt i64 {new}, 0"
        yield from self.leave(block, none)

    def periods(self, block: str, phis: list[Instruction]) -> Iterator[str]:
        """An endless loop's turn begins: end the run when all its counters have been twice again as
        at a turn before.

        That turn is moved on to each turn whose number is a power of two (Brent), so that what
        comes before the first period does no harm.
        """
        saved = np.zeros(len(phis) + 1, np.int64)
        self.saved.append(saved)
        old, number, less, both, moves, same = (*(self.fresh() for _ in range(5)), "true")
        yield f"  {old} = load i64, ptr {self.cell(saved, len(phis))}"
        yield f"  {number} = add i64 {old}, 1"
        yield f"  store i64 {number}, ptr {self.cell(saved, len(phis))}"
        yield f"  {less} = and i64 {number}, {old}"
        yield f"  {moves} = icmp eq i64 {less}, 0"
        if not all(phi.type.startswith("i") for phi in phis):
            same = "false"  # what is no integer is not compared, so that no period is seen
        for position, phi in enumerate(p for p in phis if p.type.startswith("i")):
            wide, first, kept, equal, both = (self.fresh() for _ in range(5))
            yield (
                f"  {wide} = {'sext' if phi.type != 'i64' else 'add'} {phi.type} "
                f"{phi.name}{' to i64' if phi.type != 'i64' else ', 0'}"
            )
            yield f"  {first} = load i64, ptr {self.cell(saved, position)}"
            yield f"  {kept} = select i1 {moves}, i64 {wide}, i64 {first}"
            yield f"  store i64 {kept}, ptr {self.cell(saved, position)}"
            yield f"  {equal} = icmp eq i64 {wide}, {first}"
            yield f"  {both} = and i1 {equal}, {same}"
            same = both
        more, before, after, rounds, enough = (self.fresh() for _ in range(5))
        yield f"  {more} = zext i1 {same} to i64"
        yield f"  {before} = load i64, ptr {self.cell(self.state, ROUNDS)}"
        yield f"  {after} = add i64 {before}, {more}"
        yield f"  {rounds} = select i1 {moves}, i64 0, i64 {after}"
        yield f"  store i64 {rounds}, ptr {self.cell(self.state, ROUNDS)}"
        yield f"  {enough} = icmp sge i64 {rounds}, 2"
        yield from self.leave(block, enough)

    def instruction(self, block: str, i: Instruction) -> Iterator[str]:
        """An instruction of the slice, with what is put in its place."""
        for t, target in enumerate(self.targets):
            if block in target.loop.blocks:
                for access in target.array.accesses:
                    if access.at == i.index:
                        yield from self.follow(t, i, access.store, access.bytes)
        if i.op == "call" and i.extra[0] in (READ, WRITE):
            streams = self.machine.reads if i.extra[0] == READ else self.machine.writes
            name = channel_of(self.kernel, i)
            if name in streams:
                yield from self.pass_on(block, i.name, name, streams[name], i.extra[0] == READ)
            elif i.extra[0] == WRITE:
                yield f"  {i.name} = getelementptr i8, ptr {self.cell(self.scratch)}, i64 0"
        elif i.op == "alloca":
            if i.name in self.cut.arrays:
                yield f"  {i.code}"
            else:  # an address and nothing behind it
                yield f"  {i.name} = getelementptr i8, ptr null, i64 {self.bases[i.name]}"
        elif i.op in ("br", "switch", "unreachable"):
            yield f"  {i.code}"
        elif i.op == "ret":
            yield '  br label %"probe.exit"'
        elif i.index in self.cut.instructions and i.op != "phi":
            yield f"  {re.sub(r' #[0-9]+$', '', i.code)}"

    def pass_on(
        self, block: str, result: str, channel: str, stream: Stream, reading: bool
    ) -> Iterator[str]:
        """The next value of a stream; where there is none (or no room for one), the run ends."""
        at = self.cell(self.positions[channel])
        limit = stream.count if reading else len(stream.data) // stream.size
        position, over, bytes_, after = (self.fresh() for _ in range(4))
        yield f"  {position} = load i64, ptr {at}"
        yield f"  {over} = icmp sge i64 {position}, {limit}"
        yield from self.leave(block, over)
        yield f"  {after} = add i64 {position}, 1"
        yield f"  store i64 {after}, ptr {at}"
        yield f"  {bytes_} = mul i64 {position}, {stream.size}"
        yield f"  {result} = getelementptr i8, ptr {self.cell(stream.data)}, i64 {bytes_}"

    def follow(self, target: int, i: Instruction, store: bool, count: int) -> Iterator[str]:
        """An access of a target: note a store's turn, compare a load's with it."""
        unit, table, at = self.targets[target].unit, self.tables[target], BASE + FIELDS * target
        pointer = i.operands[-1] if i.op != "call" else i.operands[0 if store else 1]
        address, base, first, now, epoch = (self.fresh() for _ in range(5))
        yield f"  {address} = ptrtoint ptr {pointer} to i64"
        yield f"  {base} = ptrtoint ptr {self.targets[target].array.base} to i64"
        yield f"  {first} = sub i64 {address}, {base}"
        yield f"  {now} = load i64, ptr {self.cell(self.state, at + TURN)}"
        yield f"  {epoch} = load i64, ptr {self.cell(self.state, at + EPOCH)}"
        for word in range(max(1, count // unit)):
            moved, index, inside, safe, slot = (self.fresh() for _ in range(5))
            yield f"  {moved} = add i64 {first}, {word * unit}"
            yield f"  {index} = sdiv i64 {moved}, {unit}"
            yield f"  {inside} = icmp ult i64 {index}, {len(table) - 1}"
            yield f"  {safe} = select i1 {inside}, i64 {index}, i64 {len(table) - 1}"
            yield f"  {slot} = getelementptr i64, ptr {self.cell(table)}, i64 {safe}"
            yield from self.leaves(moved, inside, at)
            if store:
                yield f"  store i64 {now}, ptr {slot}"
            else:
                yield from self.compare(slot, inside, now, epoch, at)

    def leaves(self, offset: str, inside: str, at: int) -> Iterator[str]:
        """Note an access beyond its array; one of another array, far away, is none."""
        shifted, near, beyond, wide, before, either = (self.fresh() for _ in range(6))
        outside = self.fresh()
        yield f"  {shifted} = add i64 {offset}, {APART // 2}"
        yield f"  {near} = icmp ult i64 {shifted}, {APART}"
        yield f"  {outside} = xor i1 {inside}, true"
        yield f"  {beyond} = and i1 {near}, {outside}"
        yield f"  {wide} = zext i1 {beyond} to i64"
        yield f"  {before} = load i64, ptr {self.cell(self.state, at + OUTSIDE)}"
        yield f"  {either} = or i64 {wide}, {before}"
        yield f"  store i64 {either}, ptr {self.cell(self.state, at + OUTSIDE)}"

    def compare(self, slot: str, inside: str, now: str, epoch: str, at: int) -> Iterator[str]:
        """Keep the least distance from the last store of a word, if that was an earlier turn of the
        same run of the loop."""
        last, recent, earlier, both, far, least, less, near, take, new = (
            self.fresh() for _ in range(10)
        )
        yield f"  {last} = load i64, ptr {slot}"
        yield f"  {recent} = icmp sge i64 {last}, {epoch}"
        yield f"  {earlier} = icmp slt i64 {last}, {now}"
        yield f"  {both} = and i1 {recent}, {earlier}"
        yield f"  {far} = sub i64 {now}, {last}"
        yield f"  {least} = load i64, ptr {self.cell(self.state, at + LEAST)}"
        yield f"  {less} = icmp slt i64 {far}, {least}"
        yield f"  {near} = and i1 {less}, {inside}"
        yield f"  {take} = and i1 {both}, {near}"
        yield f"  {new} = select i1 {take}, i64 {far}, i64 {least}"
        yield f"  store i64 {new}, ptr {self.cell(self.state, at + LEAST)}"


def endless(kernel: Kernel, loop: Loop) -> bool:
    """Whether a loop is never left."""
    return all(t in loop.blocks for b in loop.blocks for t in kernel.function.successors[b])


def run(
    kernel: Kernel, cut: Slice, targets: tuple[Target, ...], machine: Machine, fuel: int
) -> Run:
    """Run a slice. Streams of `machine.writes` are filled; the run ends with the streams that it
    reads, or with two periods."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    writer = Writer(kernel, cut, targets, machine)
    writer.state[FUEL_LEFT] = fuel
    for t in range(len(targets)):
        writer.state[BASE + FIELDS * t + LEAST] = NEVER
    module = llvm.parse_assembly(writer.text())
    engine = llvm.create_mcjit_compiler(
        module, llvm.Target.from_default_triple().create_target_machine(opt=1)
    )
    engine.finalize_object()
    ctypes.CFUNCTYPE(ctypes.c_int32)(engine.get_function_address("probe"))()
    for name, stream in machine.writes.items():
        stream.count = int(writer.positions[name][0])
    fields = writer.state[BASE:].reshape(len(targets), FIELDS)
    complete = (
        bool(writer.state[FUEL_LEFT] >= 0)
        and not writer.remembers
        and not any(s.count * s.size + s.size > len(s.data) for s in machine.writes.values())
    )
    return Run(
        tuple(int(f[LEAST]) for f in fields),
        tuple(bool(f[OUTSIDE]) for f in fields),
        complete,
        tuple(int(f[TURN]) for f in fields),
    )
