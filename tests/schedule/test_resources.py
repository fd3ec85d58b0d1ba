"""The resource model against sums by hand, and its refusals at the very limit."""

from dataclasses import replace

import numpy as np
import pytest

from hlsgen.boards import board
from hlsgen.errors import PlanError
from hlsgen.kernel.hardware import Arithmetic, Body, Fifo
from hlsgen.kernel.memory import Memory
from hlsgen.model.calibration import Calibration
from hlsgen.model.estimate import roofline
from hlsgen.model.resources import Caps, Resources, body_cost, fifo_cost, fitted, memory_cost

BOARD = board("p520_hpc")
RAM, DSP, MLAB = 2, 3, 4
PLAIN = Calibration(packing=1.0, band=(0.75, 1.25, 1.5), errors={})


def using(**figures):
    return replace(Resources(0, 0, 0, 0, 0, 0, 200.0, 200.0, 200.0), **figures)


@pytest.mark.parametrize(
    ("field", "name", "most"),
    # 80 % of 933,120 ALMs and of 11,721 M20Ks, 90 % of the 4,713 DSPs that kernels reach.
    [("alms_upper", "ALMs", 746_496), ("blocks", "memory blocks", 9_376), ("dsps", "DSPs", 4_241)],
)
def test_each_resource_alone_can_be_too_much(field, name, most):
    using(**{field: most}).check(BOARD, Caps(), "pipelined")
    assert using(**{field: most}).fits(BOARD, Caps())
    over = using(**{field: most + 1})
    assert not over.fits(BOARD, Caps())
    with pytest.raises(PlanError, match=f"{most + 1:,} {name}; {most:,} of"):
        over.check(BOARD, Caps(), "pipelined")


def test_the_static_region_is_part_of_a_design():
    """520N, HPC: 135,500 ALMs and 332 M20Ks are taken before a kernel is there; its DSPs are out of
    reach instead."""
    empty = fitted(np.zeros(5), BOARD, PLAIN)
    assert (empty.alms, empty.blocks, empty.dsps) == (135_500, 332, 0)
    # Two ALUTs or four registers an ALM, ten ALMs an MLAB, 25 ALMs of registers round a DSP.
    found = fitted(np.array([1000.0, 800, 7.5, 8, 10]), BOARD, PLAIN)
    logic = 500 + 200 + 200 + 100
    assert found.alms == 135_500 + logic
    assert (found.alms_low, found.alms_upper, found.alms_high) == (136_250, 136_750, 137_000)
    assert (found.blocks, found.dsps) == (332 + 8, 8)  # 7.5 blocks are 8


def test_the_clock_falls_with_what_is_used_and_stays_in_its_band():
    """Stratix 10: 359 MHz less 1.56 for each percent of ALMs, 0.5 of M20Ks, 0.37 of DSPs; 150 at
    least. Eight of ten measured clocks are 0.82 to 1.14 of that, the lower ones where logic comes
    out at its upper quartile."""
    found = fitted(np.array([2 * 36_724.0, 0, 254.1, 576, 0]), BOARD, PLAIN)
    percent = (100 * found.alms / 933_120, 100 * found.blocks / 11_721, 100 * found.dsps / 5_760)
    assert percent == pytest.approx((20, 5, 10), abs=0.01)
    assert found.fmax == pytest.approx(359 - 1.56 * 20 - 0.5 * 5 - 0.37 * 10, abs=0.05)
    more = 100 * (found.alms_upper - found.alms) / 933_120
    assert found.fmax_high == pytest.approx(1.14 * found.fmax)
    assert found.fmax_low == pytest.approx(0.82 * (found.fmax - 1.56 * more))
    assert fitted(np.array([4e6, 0, 0, 0, 0]), BOARD, PLAIN).fmax == 150


def test_arithmetic_takes_the_dsps_of_its_family():
    body = Body(Arithmetic(multiply_adds=10, adds=4, multiplies=3))
    assert body_cost(body, board("pac_a10"))[DSP] == 17
    soft, hard = body_cost(body, board("de1_soc")), body_cost(body, board("pac_a10"))
    assert soft[DSP] == 13
    # Of ten multiply-adds, four additions and three multiplications: two ALUTs an ALM, 498 ALMs and
    # 717 registers an addition, 274 ALUTs and 240 registers a multiplication; what balances a hard
    # unit's pipeline (8 ALUTs, 32 registers) is part of these.
    assert soft[0] - hard[0] == 2 * 498 * 14 + 274 * 13 - 8 * 17
    assert soft[1] - hard[1] == 717 * 14 + 240 * 13 - 32 * 17


def test_memories_by_depth():
    """Registers up to 64 bytes, MLABs (20 bits wide, 32 deep) up to 32 words, blocks beyond; banks
    and copies multiply."""
    words, old = (
        {
            depth: memory_cost(Memory("m", depth, 64, parts=3, granule=1, copies=2), target)
            for depth in (2, 32, 33, 512)
        }
        for target in (board("pac_a10"), replace(board("pac_a10"), sdk="18.1"))
    )
    assert [cost[RAM] for cost in words.values()] == [0, 0, 12, 12]  # 64 bits are two blocks of 40
    assert [cost[MLAB] for cost in words.values()] == [0, 24, 0, 0]
    assert words[2][1] == 2 * 64 * 6
    # Up to 18.1 a declaration cannot ask for MLABs, and aoc takes blocks.
    assert [cost[RAM] for cost in old.values()] == [0, 12, 12, 12]
    assert [cost[MLAB] for cost in old.values()] == [0, 0, 0, 0]


def test_channels_by_depth():
    """aoc's reports: W / 20 MLABs when shallow; W / 40 M20Ks from 128 deep, W / 20 at 1,024."""
    device = board("pac_d5005").device
    costs = {depth: fifo_cost(Fifo("c", 512, depth), device) for depth in (16, 32, 33, 128, 1024)}
    assert [cost[MLAB] for cost in costs.values()] == [26, 26, 0, 0, 0]
    assert [cost[RAM] for cost in costs.values()] == [0, 0, 13, 13, 26]


def test_the_roofline_is_the_lower_roof():
    """4,713 DSPs in reach at 200 MHz, or 76.8 GB/s."""
    assert roofline(10**9, 1.0, 200.0, BOARD) == pytest.approx(4713 * 200e6 / 1e9)
    assert roofline(10**9, 1e9, 200.0, BOARD) == pytest.approx(76.8)


def test_readers_share_the_memory():
    """520N: 76.8 GB/s; measured shares 0.68, 0.61 and 0.44 with one, two and three readers; more
    come nearer to 0.26: of what is above it, nine readers keep a third."""
    assert [BOARD.sustained_bandwidth(n) / 76.8 for n in (0, 1, 2, 3, 9)] == pytest.approx(
        [0.68, 0.68, 0.61, 0.44, 0.26 + (0.44 - 0.26) / 3]
    )
    worst, best = BOARD.at_worst(), BOARD.at_best()
    assert [worst.sustained_bandwidth(n) / 76.8 for n in (1, 3, 9)] == pytest.approx([0.26] * 3)
    assert [best.sustained_bandwidth(n) / 76.8 for n in (1, 3, 9)] == pytest.approx(
        [0.68, 0.44, 0.44]
    )
