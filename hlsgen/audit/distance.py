"""Proves the distances that `ivdep` pragmas promise: runs the index code and finds the least number
of turns from a store to a later load of the same word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from hlsgen.audit.findings import ERROR, NOTE, WARNING, Finding
from hlsgen.audit.ir import Instruction
from hlsgen.audit.kernel import Array, Kernel
from hlsgen.audit.probe import FUEL, NEVER, Machine, Stream, Target, aligned, run
from hlsgen.audit.slices import Slice, backward, sends
from hlsgen.audit.source import Ivdep
from hlsgen.host.manifest import Launch

# Bytes that the values of one channel may take.
ROOM = 1 << 26


class Unprovable(Exception):
    """What an address rests on is not known before data arrive."""


@dataclass(frozen=True)
class Distance:
    """A promise and the truth: `least` turns from a store to a later load of the same word (None:
    no word is loaded again in one run of the loop), `promised` likewise. `proof` says how it was
    found, or why it was not."""

    kernel: str
    array: str
    line: int
    promised: int | None
    least: int | None
    proved: bool
    proof: str
    outside: bool = False


class Prover:
    """All kernels of a design, and what its host would pass to them. A run that takes more than
    `fuel` turns is given up."""

    def __init__(
        self,
        kernels: Iterable[Kernel],
        launches: Sequence[Launch],
        buffers: dict[str, np.ndarray],
        fuel: int = FUEL,
    ):
        self.fuel = fuel
        self.kernels = {k.name: k for k in kernels}
        self.launches = {launch.kernel: launch.arguments for launch in launches}
        self.buffers = buffers
        self.streams: dict[str, Stream] = {}

    def distances(self) -> list[Distance]:
        """Every promise of every kernel."""
        return [d for k in self.kernels.values() for d in self.of_kernel(k)]

    def of_kernel(self, kernel: Kernel) -> list[Distance]:
        """The promises of one kernel."""
        promised = targets(kernel)
        if not promised:
            return []
        followed = tuple(t for t, _ in promised)
        try:
            cut, machine = self.prepared(kernel, pointers(kernel, followed))
        except Unprovable as error:
            return [unproved(kernel, t, p, str(error)) for t, p in promised]
        found = run(kernel, cut, followed, machine, self.fuel)
        return [
            Distance(
                kernel.name,
                t.array.name,
                p.line,
                p.distance,
                None if least == NEVER else least,
                found.complete,
                f"{'all' if found.complete else 'the first'} {turns:,} turns were run",
                outside,
            )
            for (t, p), least, outside, turns in zip(
                promised, found.least, found.outside, found.turns, strict=True
            )
        ]

    def prepared(
        self, kernel: Kernel, values: Iterable[str] = (), roots: Iterable[Instruction] = ()
    ) -> tuple[Slice, Machine]:
        """A kernel's slice for some values and instructions, with everything that it reads. Raises
        Unprovable."""
        cut = backward(kernel, values, roots)
        if cut.unknown:
            raise Unprovable(f"rests on {', '.join(sorted(cut.unknown))}")
        machine = Machine(numbers=self.numbers(kernel))
        for parameter in cut.buffers:
            machine.buffers[parameter] = self.buffer(kernel, parameter)
        for channel in cut.channels:
            machine.reads[channel] = self.stream(channel)
        return cut, machine

    def numbers(self, kernel: Kernel) -> dict[str, int]:
        """The integers that the host passes to a kernel, one image at a time."""
        passed = zip(kernel.function.parameters, self.launches.get(kernel.name, ()), strict=False)
        return {name: a.value(images=1) for name, a in passed if a.buffer is None}

    def buffer(self, kernel: Kernel, parameter: str) -> np.ndarray:
        """The constants that the host puts into a buffer. Raises Unprovable for one that holds
        data."""
        passed = dict(
            zip(kernel.function.parameters, self.launches.get(kernel.name, ()), strict=False)
        )
        argument = passed.get(parameter)
        name = (argument.buffer if argument else None) or parameter.lstrip("%")
        if name not in self.buffers:
            raise Unprovable(f"rests on the data in buffer {name}")
        copy = aligned(self.buffers[name].nbytes)
        copy[:] = np.frombuffer(self.buffers[name].tobytes(), np.uint8)
        return copy

    def stream(self, channel: str) -> Stream:
        """All values that travel through a channel, from the kernel that sends them. Raises
        Unprovable."""
        if channel not in self.streams:
            senders = [(k, s) for k in self.kernels.values() if (s := sends(k, channel))]
            if len(senders) != 1:
                raise Unprovable(f"rests on channel {channel}, which {len(senders)} kernels write")
            kernel, calls = senders[0]
            stores = [store for _, several in calls for store in several]
            names = {call.name for call, _ in calls}
            size = max(
                a.constant + a.bytes
                for a in kernel.addresses.accesses
                if a.store and a.base in names
            )
            self.streams[channel] = Stream(
                size, np.zeros(0, np.uint8)
            )  # a kernel that rests on itself finds nothing
            try:
                cut, machine = self.prepared(kernel, roots=stores)
            except Unprovable as error:
                del self.streams[channel]
                raise Unprovable(
                    f"rests on channel {channel} of {kernel.name}, which {error}"
                ) from None
            self.streams[channel] = machine.writes[channel] = Stream(size, aligned(ROOM))
            if not run(kernel, cut, (), machine, self.fuel).complete:
                raise Unprovable(
                    f"rests on channel {channel} of {kernel.name}, which sends more than was run"
                )
        return self.streams[channel]


def targets(kernel: Kernel) -> list[tuple[Target, Ivdep]]:
    """Arrays in loops with a promise about them."""
    found = []
    for loop in kernel.loops:
        for promise in kernel.source.promises(loop.line):
            for array in kernel.arrays.values():
                here = [a for a in array.accesses if a.block in loop.blocks]
                if promise.covers(array.name) and {a.store for a in here} == {True, False}:
                    found.append((Target(array, loop, unit(array)), promise))
    return found


def unit(array: Array) -> int:
    """The largest word of which all accesses are whole ones."""
    sizes = [a.bytes for a in array.accesses] + [a.constant for a in array.accesses]
    return gcd(array.bytes, *sizes, *(factor for a in array.accesses for _, factor in a.terms))


def pointers(kernel: Kernel, followed: tuple[Target, ...]) -> list[str]:
    """The addresses of the accesses that are followed."""
    at = {a.at for t in followed for a in t.array.accesses if a.block in t.loop.blocks}
    followed_by = [i for i in kernel.function.instructions if i.index in at]
    return [o for i in followed_by for o in (i.operands[:2] if i.op == "call" else i.operands[-1:])]


def unproved(kernel: Kernel, target: Target, promise: Ivdep, why: str) -> Distance:
    """A promise that cannot be proved."""
    return Distance(
        kernel.name, target.array.name, promise.line, promise.distance, None, False, why
    )


def distance_findings(
    found: Iterable[Distance], limiting: dict[tuple[str, str], float]
) -> list[Finding]:
    """What is wrong with promises. `limiting`: by kernel and array, the interval that a promise
    leads to."""
    made = []
    for d in found:
        promised = "no dependence at all" if d.promised is None else f"a distance of {d.promised}"
        if d.outside:
            made.append(
                Finding(
                    "outside", d.kernel, d.line, ERROR, f"an index of {d.array} leaves the array"
                )
            )
        if d.least is not None and (d.promised is None or d.promised > d.least):
            detail = (
                f"{d.array}: {promised} is promised, a word is loaded {d.least} turns after its "
                "store"
            )
            made.append(Finding("distance", d.kernel, d.line, ERROR, detail))
        elif not d.proved:
            made.append(
                Finding(
                    "unproved",
                    d.kernel,
                    d.line,
                    WARNING,
                    f"{d.array}: {promised} is promised; {d.proof}",
                )
            )
        elif d.promised is not None and (d.least is None or d.least > d.promised):
            truth = "no word is loaded again" if d.least is None else f"{d.least} turns lie between"
            limits = limiting.get((d.kernel, d.array), 0.0) > 1
            detail = f"{d.array}: {promised} is promised, {truth}"
            made.append(
                Finding("short-promise", d.kernel, d.line, WARNING if limits else NOTE, detail)
            )
    return made
