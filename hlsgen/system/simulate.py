"""Simulates a system: the processes of all boards, joined by their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from hlsgen.boards import Board
from hlsgen.model.links import io_channels
from hlsgen.model.processes import Process, build_processes
from hlsgen.model.simulate import Queue, Run, Simulation, queues
from hlsgen.system.search import SystemPlan


@dataclass(frozen=True)
class SystemRun:
    """A simulation in cycles of `clock` MHz, the fastest board's. Processes are named after their
    board, from 1 on."""

    simulation: Simulation
    clock: float

    @property
    def throughput(self) -> float:
        """Images a second of one row of boards."""
        return self.clock * 1e6 / self.simulation.interval

    @property
    def latency(self) -> float:
        """Seconds of the first image."""
        return self.simulation.completions[0] / (self.clock * 1e6)


def simulate_system(
    plan: SystemPlan, images: int = 3, depths: Mapping[tuple[int, int], int] | None = None
) -> SystemRun:
    """Run `images` images through all boards. `depths` overrides those of channels, by the number
    of their board and their position in its plan's edges."""
    clocks = [found.resources.fmax for found in plan.estimates]
    clock = max(clocks)
    joints = len(plan.plans) - 1
    processes, fifos = list[Process](), list[Queue]()
    starts = first_channels(plan)
    wires = starts[-1]  # the links come last
    for number, (graph, own) in enumerate(zip(plan.graphs, plan.plans, strict=True)):
        board, start = plan.boards[number], starts[number]
        words = (
            (wires + number - 1 - start,) if number else (),
            (wires + number - start,) if number < joints else (),
        )
        found = build_processes(graph, own, board, words=words, clock=clocks[number])
        local = {i: d for (n, i), d in (depths or {}).items() if n == number}
        fifos += queues(own, starts[number + 1] - start, local)
        ratio = clock / clocks[number]
        processes += [placed(p, number, start, ratio, clock, board, wires) for p in found]
    for number in range(joints):
        leaving, arriving = plan.plans[number].leaving, plan.plans[number + 1].arriving
        assert leaving and arriving
        name = f"link {number + 1}"
        fifos.append(Queue(leaving.depth + arriving.depth, f"a word of {name}", f"in {name}"))
    run = Run(processes, fifos, images, len(fifos))
    run.finish()
    return SystemRun(run.simulation(), clock)


def first_channels(plan: SystemPlan) -> Sequence[int]:
    """The number of each board's first channel, and of the first link."""
    found = [0]
    for own in plan.plans:
        collected = sum(kernel.vectors_per_cycle > 1 for kernel in own.kernels)
        found.append(found[-1] + len(own.edges) + collected)
    return found


def placed(
    process: Process, number: int, start: int, ratio: float, clock: float, board: Board, wires: int
) -> Process:
    """A process of a board among all: channels counted from that board's first on, times in cycles
    of the common `clock`. What goes over a wire takes its latency."""
    outputs = tuple(start + i for i in process.outputs)
    latency = process.latency * ratio
    if any(i >= wires for i in outputs):
        latency += io_channels(board).latency_ns * 1e-3 * clock
    return replace(
        process,
        name=f"board {number + 1}: {process.name}",
        due=(process.due * ratio).astype(int),
        period=ceil(process.period * ratio),
        inputs=tuple(start + i for i in process.inputs),
        outputs=outputs,
        latency=ceil(latency),
    )
