"""On-chip arrays: how they are declared and what that costs, by hand."""

import pytest

from hlsgen.boards import board
from hlsgen.codegen.attributes import memory_macros
from hlsgen.kernel.memory import Memory
from hlsgen.model.resources import memory_cost

RAM, MLAB = 2, 4


@pytest.mark.parametrize(
    ("memory", "text", "blocks"),
    [
        # 104 vectors of 128 bits, 640 words: 26 banks of 512 bits in use, of 13 blocks, twice as
        # deep as a block.
        (
            Memory("weights", 640, 128, 104),
            "float4 weights[640][128] BLOCKS(32, 64, 1);",
            26 * 13 * 2,
        ),
        # 9 vectors of 256 bits: a bank for each and 7 blocks in each cost less than five of 512
        # bits.
        (Memory("weights", 100, 256, 9), "float4 weights[100][16] BLOCKS(16, 32, 1);", 9 * 7),
        # Two rows side by side are one word.
        (Memory("line", 130, 512, 2), "float4 line[130][2] BLOCKS(2, 64, 1);", 2 * 13),
        # Sums that are stored one by one: no bank holds two.
        (Memory("sums", 512, 128, 4, granule=1), "float4 sums[512][4] BLOCKS(4, 16, 1);", 4 * 4),
        (Memory("bias", 512, 128), "float4 bias[512] BLOCKS(1, 16, 1);", 4),
        # A bank of 1,100 words is one of 2,048: 10 bits wide.
        (Memory("values", 1100, 32), "float4 values[1100] BLOCKS(1, 4, 1);", 4),
        # 32 bits are 8 blocks of 4,096 x 4; 256 bits 52 of 4,096 x 5.
        (Memory("sample", 4096, 32), "float4 sample[4096] BLOCKS(1, 4, 1);", 8),
        (Memory("sample", 4096, 256), "float4 sample[4096] BLOCKS(1, 32, 1);", 52),
        # Deeper than 4,096 words: 2 bits a block up to 8,192, as a public report has it.
        (Memory("map", 8192, 128, 4), "float4 map[8192][4] BLOCKS(1, 64, 1);", 256),
        # Eight lanes read places of their own.
        (
            Memory("inputs", 64, 32, 16, granule=4, copies=8),
            "float4 inputs[64][16] BLOCKS(4, 16, 8);",
            4 * 4 * 8,
        ),
    ],
)
def test_blocks(memory, text, blocks):
    assert memory.declaration("float4") == text
    assert memory_cost(memory, board("pac_d5005"))[RAM] == blocks


def test_mlabs_and_registers():
    target = board("pac_d5005")
    shallow = Memory("m", 32, 128, 4)
    assert shallow.declaration("float4") == "float4 m[32][4] MLABS(1, 64, 1);"
    assert memory_cost(shallow, target)[MLAB] == 26 and memory_cost(shallow, target)[RAM] == 0
    one = Memory("m", 1, 128, 9)
    assert one.registers and one.declaration("float4") == "float4 m[1][16] REGISTERS;"
    assert memory_cost(one, target)[1] == 9 * 128
    assert Memory("m", 4, 128).registers and not Memory("m", 5, 128).registers  # 64 bytes


def test_elements():
    assert Memory("m", 40, 128, 9).at("word", "tap") == "m[word][tap]"
    assert Memory("m", 40, 128).at("word", "tap") == "m[word]"


def test_macros_by_version():
    """The guides up to 18.1 have numreadports and numwriteports, later ones max_replicates."""
    old, new = "\n".join(memory_macros("18.1")), "\n".join(memory_macros("19.4"))
    assert (
        "numreadports(replicates), numwriteports(1)" in old
        and "max_replicates" not in old
        and "BLOCK_RAM" not in old
    )
    assert "max_replicates(replicates)" in new and "numreadports" not in new
