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
from hlsgen.kernel.memory import MLAB_BITS, MLAB_DEPTH, Memory, bank_blocks, memory_blocks
from hlsgen.model.calibration import Calibration, default_calibration

# Kernels and channels whose cost is remembered: a search asks for most of them again and again.
REMEMBERED = 4096
FAMILIES = {"agilex": "stratix10", "stratixv": "arria10"}


@dataclass(frozen=True)
class Caps:
    """Largest shares of the whole device that a design may use, static region included."""

    alms: float = 0.8
    blocks: float = 0.8
    dsps: float = 0.9

    def units(self, board: Board) -> dict[str, float]:
        """How many ALMs, memory blocks and DSPs that are."""
        device = board.device
        return {
            "ALMs": self.alms * device.alms,
            "memory blocks": self.blocks * device.blocks,
            "DSPs": self.dsps * board.available_dsps,
        }


@dataclass(frozen=True)
class Resources:
    """What a design takes of a device, static region included, and the clock in MHz. Of ten
    designs, eight have ALMs between `alms_low` and `alms_high`; three of four have no more than
    `alms_upper`. `fmax_low` is the lowest tenth of clocks with that much logic, `fmax_high` the
    highest tenth with the logic that is expected."""

    alms: int
    alms_low: int
    alms_upper: int
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

    def capped(self) -> dict[str, int]:
        """What caps are held against: the upper quartile of ALMs, memory blocks, DSPs."""
        return {"ALMs": self.alms_upper, "memory blocks": self.blocks, "DSPs": self.dsps}

    def fits(self, board: Board, caps: Caps) -> bool:
        """Whether all that is used is within its cap."""
        return all(
            used <= cap
            for used, cap in zip(self.capped().values(), caps.units(board).values(), strict=True)
        )

    def check(self, board: Board, caps: Caps, style: str) -> None:
        """Raise Infeasible that says what is short and by how much."""
        used, whole = self.capped(), Caps(1, 1, 1).units(board)
        for name, most in caps.units(board).items():
            if used[name] > most:
                raise Infeasible(
                    f"needs {used[name]:,} {name}; {int(most):,} of {int(whole[name]):,} may be "
                    "used",
                    where=f"{style} design on {board.name}",
                    remedy="use --style folded, or a larger board",
                )


@cache
def costs(family: str) -> dict[str, np.ndarray]:
    """Cost of each construct as (ALUT, FF, RAM, DSP, MLAB)."""
    data = json.loads(resources.files("hlsgen.model").joinpath("costs.json").read_text())
    table = data["all"] | data[FAMILIES.get(family, family)]
    return {name: np.asarray(value, float) for name, value in table.items()}


@lru_cache(maxsize=REMEMBERED)
def memory_cost(memory: Memory, board: Board) -> np.ndarray:
    """An on-chip array with its load and store ports: registers, or MLABs or blocks bank by bank
    and replicate by replicate."""
    table, bits = costs(board.device.family), memory.elements * memory.bits
    if memory.registers:
        return np.array([bits * (memory.depth > 1), bits, 0, 0, 0.0]) * memory.copies
    ports = (
        table["memory_load"]
        + memory.bank_bits * table["memory_load_per_bit"]
        + table["memory_store"]
    )
    shallow = memory.depth <= MLAB_DEPTH and board.chooses_memories
    mlabs = ceil(memory.bank_bits / MLAB_BITS) if shallow else 0
    blocks = 0 if shallow else bank_blocks(memory.depth, memory.bank_bits, board.device.block_bits)
    cost: np.ndarray = ports + np.array([0, 0, blocks, 0, mlabs])
    return memory.banks * memory.copies * cost


@lru_cache(maxsize=REMEMBERED)
def fifo_cost(fifo: Fifo, device: Device) -> np.ndarray:
    """A channel: its words in registers, MLABs or memory blocks."""
    table = costs(device.family)
    shallow = fifo.depth <= MLAB_DEPTH
    mlabs = ceil(fifo.bits / MLAB_BITS) if shallow else 0
    blocks = 0 if shallow else memory_blocks(fifo.depth, fifo.bits, device.block_bits)
    registers = float(table["channel_ff_per_bit"]) * fifo.bits
    cost: np.ndarray = table["channel"] + np.array([0, registers, blocks, 0, mlabs])
    return cost


def lsu_cost(lsu: Lsu, device: Device) -> np.ndarray:
    """A burst-coalesced, aligned unit."""
    table, kind = costs(device.family), "store" if lsu.store else "load"
    cost: np.ndarray = table[kind] + lsu.bits * table[f"{kind}_per_bit"]
    return cost


def body_cost(body: Body, board: Board) -> np.ndarray:
    """Arithmetic, memories and registers of a kernel."""
    device, a = board.device, body.arithmetic
    table = costs(device.family)
    dsps = (
        a.multiply_adds * device.multiply_add_dsps
        + a.adds * device.add_dsps
        + a.multiplies * device.multiply_dsps
        + a.narrow_products / device.int8_macs_per_dsp
    )
    adds = a.multiply_adds + a.adds
    soft = adds * device.add_alms * 2  # two ALUTs an ALM
    cost = np.array([soft + body.multiplexer_bits, body.register_bits, 0, dsps, 0], float)
    cost += (adds + a.multiplies) * table["float_unit"] + adds * table["soft_add"]
    cost += (a.multiply_adds + a.multiplies) * table["soft_multiply"]
    for name, count in (
        ("compare", a.compares),
        ("divide", a.divides),
        ("exponential", a.exponentials),
        ("power", a.powers),
        ("integer_add", a.integer_adds),
        ("conversion", a.conversions),
    ):
        if count:
            cost += count * table[name]
    cost += sum((memory_cost(memory, board) for memory in body.memories), np.zeros(5))
    return cost


@lru_cache(maxsize=REMEMBERED)
def kernel_cost(kernel: Kernel, board: Board) -> np.ndarray:
    """aoc's estimate of one kernel: (ALUT, FF, RAM, DSP, MLAB)."""
    device = board.device
    table = costs(device.family)
    cost: np.ndarray = (
        body_cost(kernel.body, board)
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
    estimate = system_cost(design, board.device) + sum(
        (kernel_cost(k, board) for k in design.kernels), np.zeros(5)
    )
    return fitted(estimate, board, calibration or default_calibration())


def fitted(estimate: np.ndarray, board: Board, calibration: Calibration) -> Resources:
    """From aoc's kind of estimate to a fitted design with the board's static region."""
    logic = float(np.dot(calibration.alm, estimate))
    blocks = ceil(estimate[2] - 1e-6) + board.reserved_blocks
    dsps = ceil(estimate[3] - 1e-6)
    alms, low, upper, high = (
        round(logic * share) + board.reserved_alms for share in (1, *calibration.band)
    )
    clock = clock_of(alms, blocks, dsps, board, calibration)
    device, crowded = board.device, clock_of(upper, blocks, dsps, board, calibration)
    clocks = clock, crowded * device.fmax_low_ratio, clock * device.fmax_high_ratio
    return Resources(alms, low, upper, high, blocks, dsps, *clocks)


def clock_of(
    alms: float, blocks: float, dsps: float, board: Board, calibration: Calibration
) -> float:
    """The expected clock in MHz: the median of designs that use as much."""
    d = board.device
    line = calibration.clocks.get(
        d.family, (d.fmax, d.fmax_per_alm, d.fmax_per_block, d.fmax_per_dsp)
    )
    percent = 100 * alms / d.alms, 100 * blocks / d.blocks, 100 * dsps / d.dsps
    clock = line[0] - sum(slope * used for slope, used in zip(line[1:], percent, strict=True))
    return min(max(clock, d.fmax_low), d.fmax_high)
