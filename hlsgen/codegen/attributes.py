"""What stands before the kernels: macros of memory attributes as the board's version of the Intel
FPGA SDK for OpenCL spells them (docs/aoc-rules.md), and decoders of weights."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.boards import MAX_REPLICATES, older
from hlsgen.types import BFLOAT16, FLOAT16, FLOAT32, PIECE, STORAGE_TYPES


def memory_macros(sdk: str) -> tuple[str, ...]:
    """The macros that declarations of on-chip arrays use (`hlsgen.kernel.memory`): banks, bytes of
    a bank, replicates."""
    if older(sdk, MAX_REPLICATES):
        ports = "numreadports(replicates), numwriteports(1)"
        kinds = {"BLOCKS": "memory", "MLABS": "memory"}
    else:
        ports = "max_replicates(replicates)"
        kinds = {"BLOCKS": 'memory("BLOCK_RAM")', "MLABS": 'memory("MLAB")'}
    geometry = "numbanks(banks), bankwidth(bytes), singlepump"
    return (
        *(
            f"#define {name}(banks, bytes, replicates) __attribute__(({kind}, {geometry}, {ports}))"
            for name, kind in kinds.items()
        ),
        "#define REGISTERS __attribute__((register))",
    )


# What the bits of `lanes` stored weights are as numbers. float16's exponent is 112 less than
# float32's, its mantissa 13 bits shorter; nothing is stored that is subnormal there, but for 0.
DECODERS = {
    BFLOAT16: "as_float{lanes}(bits << 16)",
    FLOAT16: "as_float{lanes}((bits & 0x8000u) << 16 | ((bits & 0x7fffu) == 0u ? "
    "(uint{lanes})(0u) : ((bits & 0x7fffu) << 13) + 0x38000000u))",
}


def storage_lines(weights: str, widths: Sequence[int]) -> tuple[str, ...]:
    """For vectors of so many lanes, the union in which they arrive piece by piece, and the function
    that decodes stored weights; nothing where weights are stored as they are multiplied."""
    kind = STORAGE_TYPES[weights]
    if kind == FLOAT32:
        return ()
    lines = []
    for lanes in widths:
        whole, stored = FLOAT32.vector(lanes), kind.vector(lanes)
        count = lanes * FLOAT32.bits // PIECE.bits
        members = f"{whole} v; {stored} stored; {PIECE.ctype} piece[{count}];"
        suffix = lanes if lanes > 1 else ""
        lines += [
            f"typedef union {{ {members} }} pieces{lanes};",
            f"__attribute__((always_inline)) {whole} decoded{lanes}(const {stored} x)",
            "{",
            f"    const uint{suffix} bits = convert_uint{suffix}(x);",
            f"    return {DECODERS[kind].format(lanes=suffix)};",
            "}",
        ]
    return tuple(lines)
