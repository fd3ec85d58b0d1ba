"""Devices against the totals that vendor tools print, written down here apart from our own
files."""

import pytest

from hlsgen.boards import boards, devices
from hlsgen.kernel.memory import memory_blocks

# ALMs, memory blocks, DSPs as the denominators of fitter summaries ("257,558 / 427,200", "2,011 /
# 2,713", "1,299 / 1,518") that users of the device have published; the last two as in the vendor's
# product tables.
TOTALS = {
    "stratix10_2800": (933_120, 11_721, 5_760),
    "stratix10_mx_2100": (702_720, 6_847, 3_960),
    "arria10_1150": (427_200, 2_713, 1_518),
    "arria10_sx660": (251_680, 2_131, 1_687),
    "cyclonev_a5": (32_070, 397, 87),
    "cyclonev_c6": (41_910, 553, 112),
    "stratixv_gxa7": (234_720, 2_560, 256),
    "agilex_agf014": (487_200, 7_110, 4_510),
}
# All block memory bits of the device, from the same summaries ("169,728 / 4,065,280").
MEMORY_BITS = {
    "cyclonev_a5": 4_065_280,
    "cyclonev_c6": 5_662_720,
    "arria10_sx660": 43_642_880,
    "arria10_1150": 55_562_240,
}
# The device of each board.
BOARDS = {
    "pac_d5005": "stratix10_2800",
    "p520_hpc": "stratix10_2800",
    "p520_max": "stratix10_2800",
    "p520n_mx": "stratix10_mx_2100",
    "pac_a10": "arria10_1150",
    "a10_devkit": "arria10_1150",
    "a10_soc": "arria10_sx660",
    "de1_soc": "cyclonev_a5",
    "de10_nano": "cyclonev_c6",
    "de10_standard": "cyclonev_c6",
    "de5_net": "stratixv_gxa7",
    "n6001": "agilex_agf014",
}
# Depth x width modes of an M10K in simple dual port, from the Cyclone V handbook.
M10K = [(256, 40), (512, 20), (1024, 10), (2048, 5), (4096, 2), (8192, 1)]


def test_totals():
    found = {name: (device.alms, device.blocks, device.dsps) for name, device in devices().items()}
    assert found == TOTALS
    assert {
        name: d.blocks * d.block_bits for name, d in devices().items() if name in MEMORY_BITS
    } == MEMORY_BITS


def test_boards_carry_their_devices():
    assert {name: board.device.name for name, board in boards().items()} == BOARDS


def test_float_arithmetic_in_dsps():
    """Hard floating point since Arria 10; before, an addition is logic alone."""
    hard = {"stratix10", "arria10", "agilex"}
    for device in devices().values():
        assert (device.multiply_add_dsps, device.multiply_dsps) == (1, 1)
        assert (device.add_dsps, device.add_alms == 0) == (
            (1, True) if device.family in hard else (0, False)
        )


@pytest.mark.parametrize(("rows", "bits"), M10K)
def test_one_m10k_holds_each_of_its_modes(rows, bits):
    device = devices()["cyclonev_a5"]
    assert memory_blocks(rows, bits, device.block_bits) == 1
    assert memory_blocks(rows + 1, bits, device.block_bits) == 2 or bits == 1
    assert memory_blocks(rows, bits + 1, device.block_bits) == 2


@pytest.mark.parametrize(
    ("rows", "bits", "expected"),
    # 512 x 32 in two of 512 x 20; 1024 x 32 in four of 1024 x 10 or of 512 x 20; 2048 x 32 in seven
    # of 2048 x 5; 16384 bits in two.
    [(512, 32, 2), (1024, 32, 4), (2048, 32, 7), (16384, 1, 2), (256, 512, 13)],
)
def test_m10k_rule(rows, bits, expected):
    assert memory_blocks(rows, bits, devices()["cyclonev_c6"].block_bits) == expected


@pytest.mark.parametrize(
    ("rows", "bits"), [(512, 40), (1024, 20), (2048, 10), (4096, 5), (8192, 2), (16384, 1)]
)
def test_one_m20k_of_a_stratix_v_holds_each_of_its_modes(rows, bits):
    device = devices()["stratixv_gxa7"]
    assert memory_blocks(rows, bits, device.block_bits) == 1
    assert memory_blocks(rows, bits + 1, device.block_bits) == 2
