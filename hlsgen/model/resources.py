"""The resource model: from a design's structure to ALMs, memory blocks, DSPs and clock.

Construct by construct it makes the estimate that aoc would print (ALUT, FF, RAM, DSP, MLAB; costs
in costs.json), and a calibration turns that into what Quartus fits. DSPs and memory blocks follow
from structure; ALMs and the clock come with a band.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from math import ceil

import numpy as np

from hlsgen.boards import Board, Device
from hlsgen.errors import Infeasible
from hlsgen.kernel.hardware import Body, Fifo, Kernel, Lsu, Structure
from hlsgen.kernel.memory import MLAB_DEPTH, Memory, bank_blocks, memory_blocks
from hlsgen.model.calibration import Calibration, default_calibration

# Kernels and channels whose cost is remembered: a search asks for most of them again and again.
REMEMBERED = 4096
FAMILIES = {"agilex": "stratix10", "cyclone5": "arria10", "stratixv": "arria10"}


@dataclass(frozen=True)
class Caps:
    """Largest shares of the whole device that a design may use, static region included."""

    alms: float = 0.8
    blocks: float = 0.8
    dsps: float = 0.9


@dataclass(frozen=True)
class Resources:
    """What a design takes of a device, static region included, and the clock in MHz; `*_low`,
    `*_high` are bands."""

    alms: int
    alms_low: int
    alms_high: int
    blocks: int
    dsps: int
    fmax: float
    fmax_low: float
    fmax_high: float

    def shares(self, board: Board) -> dict[str, float]:
        """Used share of the device's ALMs, memory blocks, and DSPs in reach."""
        device = board.device
        return {
            "ALMs": self.alms / device.alms,
            "memory blocks": self.blocks / device.blocks,
            "DSPs": self.dsps / board.available_dsps,
        }

    def fits(self, board: Board, caps: Caps) -> bool:
        """Whether every share is within its cap."""
        return all(
            s <= c for s, c in zip(self.shares(board).values(), vars(caps).values(), strict=True)
        )

    def check(self, board: Board, caps: Caps, style: str) -> None:
        """Raise Infeasible that says what is short and by how much."""
        device = board.device
        totals = {"ALMs": device.alms, "memory blocks": device.blocks, "DSPs": board.available_dsps}
        used = {"ALMs": self.alms, "memory blocks": self.blocks, "DSPs": self.dsps}
        for (name, total), cap in zip(totals.items(), vars(caps).values(), strict=True):
            if used[name] > cap * total:
                raise Infeasible(
                    f"needs {used[name]:,} {name}; {int(cap * total):,} of {total:,} may be used",
                    where=f"{style} design on {board.name}",
                    remedy="use --style folded, or a larger board",
                )


@cache
def costs(family: str) -> dict[str, np.ndarray]:
    """Cost of each construct as (ALUT, FF, RAM, DSP, MLAB)."""
    data = json.loads(resources.files("hlsgen.model").joinpath("costs.json").read_text())
    table = data[FAMILIES.get(family, family)] | data["all"]
    return {name: np.asarray(value, float) for name, value in table.items()}


@lru_cache(maxsize=REMEMBERED)
def memory_cost(memory: Memory, device: Device) -> np.ndarray:
    """An on-chip array with its load and store ports: registers, or MLABs or blocks bank by bank
    and replicate by replicate."""
    table, bits = costs(device.family), memory.elements * memory.bits
    if memory.registers:
        return np.array([bits * (memory.depth > 1), bits, 0, 0, 0.0]) * memory.copies
    ports = (
        table["memory_load"]
        + memory.bank_bits * table["memory_load_per_bit"]
        + table["memory_store"]
    )
    shallow = memory.depth <= MLAB_DEPTH
    mlabs = ceil(memory.bank_bits / 20) if shallow else 0
    blocks = 0 if shallow else bank_blocks(memory.depth, memory.bank_bits, device.block_bits)
    cost: np.ndarray = ports + np.array([0, 0, blocks, 0, mlabs])
    return memory.banks * memory.copies * cost


@lru_cache(maxsize=REMEMBERED)
def fifo_cost(fifo: Fifo, device: Device) -> np.ndarray:
    """A channel: its words in registers, MLABs or memory blocks."""
    table = costs(device.family)
    shallow = fifo.depth <= MLAB_DEPTH
    mlabs = ceil(fifo.bits / 20) if shallow else 0
    blocks = 0 if shallow else memory_blocks(fifo.depth, fifo.bits, device.block_bits)
    registers = float(table["channel_ff_per_bit"]) * fifo.bits
    cost: np.ndarray = table["channel"] + np.array([0, registers, blocks, 0, mlabs])
    return cost


def lsu_cost(lsu: Lsu, device: Device) -> np.ndarray:
    """A burst-coalesced, aligned unit."""
    table, kind = costs(device.family), "store" if lsu.store else "load"
    cost: np.ndarray = table[kind] + lsu.bits * table[f"{kind}_per_bit"]
    return cost


def body_cost(body: Body, device: Device) -> np.ndarray:
    """Arithmetic, memories and registers of a kernel."""
    table, a = costs(device.family), body.arithmetic
    dsps = (
        a.multiply_adds * device.multiply_add_dsps
        + a.adds * device.add_dsps
        + a.multiplies * device.multiply_dsps
    )
    soft = (a.multiply_adds + a.adds) * device.add_alms * 2  # two ALUTs an ALM
    cost = np.array([soft + body.multiplexer_bits, body.register_bits, 0, dsps, 0], float)
    cost += (a.multiply_adds + a.adds + a.multiplies) * table["float_unit"]
    for name, count in (
        ("compare", a.compares),
        ("divide", a.divides),
        ("exponential", a.exponentials),
        ("power", a.powers),
    ):
        cost += count * table[name]
    cost += sum((memory_cost(memory, device) for memory in body.memories), np.zeros(5))
    return cost


@lru_cache(maxsize=REMEMBERED)
def kernel_cost(kernel: Kernel, device: Device) -> np.ndarray:
    """aoc's estimate of one kernel: (ALUT, FF, RAM, DSP, MLAB)."""
    table = costs(device.family)
    cost: np.ndarray = (
        body_cost(kernel.body, device)
        + kernel.loops * table["loop"]
        + kernel.products * table["integer_multiply"]
    )
    cost += np.array(
        [
            kernel.integer_bits + 0.25 * kernel.channel_bits,
            2 * kernel.integer_bits + kernel.channel_bits,
            0,
            0,
            0,
        ]
    )
    if not kernel.autorun:
        cost += table["launched_kernel"]
    cost += sum((lsu_cost(lsu, device) for lsu in kernel.lsus), np.zeros(5))
    return cost


def system_cost(design: Structure, device: Device) -> np.ndarray:
    """Channels and the interconnect to global memory."""
    table = costs(device.family)
    cost: np.ndarray = table["interconnect"] + len(design.lsus) * table["interconnect_per_lsu"]
    cost += sum((fifo_cost(fifo, device) for fifo in design.fifos), np.zeros(5))
    return cost


def design_resources(
    design: Structure, board: Board, calibration: Calibration | None = None
) -> Resources:
    """ALMs, blocks, DSPs and clock of a whole design on a board."""
    device = board.device
    estimate = system_cost(design, device) + sum(
        (kernel_cost(k, device) for k in design.kernels), np.zeros(5)
    )
    return fitted(estimate, board, calibration or default_calibration())


def fitted(estimate: np.ndarray, board: Board, calibration: Calibration) -> Resources:
    """From aoc's kind of estimate to a fitted design with the board's static region."""
    logic = float(np.dot(calibration.alm, estimate))
    spread = calibration.errors.get("ALM", 0.2)
    blocks = ceil(estimate[2] * calibration.ram) + board.reserved_blocks
    dsps = ceil(estimate[3] * calibration.dsp - 1e-6)
    alms = [round(logic * share) + board.reserved_alms for share in (1, 1 - spread, 1 + spread)]
    clock, low, high = clock_of(alms[0], blocks, dsps, board, calibration)
    return Resources(alms[0], alms[1], alms[2], blocks, dsps, clock, low, high)


def clock_of(
    alms: float, blocks: float, dsps: float, board: Board, calibration: Calibration
) -> tuple[float, float, float]:
    """Expected, low and high clock in MHz."""
    d = board.device
    line = calibration.clocks.get(
        d.family, (d.fmax, d.fmax_per_alm, d.fmax_per_block, d.fmax_per_dsp)
    )
    percent = 100 * alms / d.alms, 100 * blocks / d.blocks, 100 * dsps / d.dsps
    clock = line[0] - sum(slope * used for slope, used in zip(line[1:], percent, strict=True))
    clock = min(max(clock, d.fmax_low), d.fmax_high)
    error = d.fmax_error / 100
    return clock, max(clock * (1 - error), 1.0), clock * (1 + error)
