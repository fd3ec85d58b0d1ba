"""What stands before the kernels: macros of memory attributes as the board's version of the Intel
FPGA SDK for OpenCL spells them (docs/aoc-rules.md), and decoders of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hlsgen.boards import MAX_REPLICATES, older
from hlsgen.types import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    INT8,
    INT16,
    INT32,
    PIECE,
    STORAGE_TYPES,
    UINT8,
    DataType,
    integers,
)


@dataclass(frozen=True)
class Unions:
    """Vectors that the text takes apart: `widths` of those of float32, types and widths of
    `integers`, widths of those that arrive in `pieces`, of which some are integers (`whole`).
    `exact`: no rounding may be moved."""

    widths: frozenset[int] = frozenset()
    integers: frozenset[tuple[DataType, int]] = frozenset()
    pieces: frozenset[int] = frozenset()
    whole: bool = False
    exact: bool = False

    def __or__(self, other: Unions) -> Unions:
        """Those of both."""
        return Unions(
            self.widths | other.widths,
            self.integers | other.integers,
            self.pieces | other.pieces,
            self.whole or other.whole,
            self.exact or other.exact,
        )

    @property
    def sorted_integers(self) -> list[tuple[DataType, int]]:
        """By name and width."""
        return sorted(self.integers, key=lambda own: (own[0].name, own[1]))

    def storage(self, weights: str) -> tuple[str, ...]:
        """See `storage_lines`."""
        return storage_lines(weights, sorted(self.pieces), self.whole)


NO_UNIONS = Unions()


def memory_macros(sdk: str) -> tuple[str, ...]:
    """The macros that declarations of on-chip arrays use (`hlsgen.kernel.memory`): banks, bytes of
    a bank, replicates. Where the SDK knows the attribute, no port of a block both reads and writes:
    such a block would lack the mode of 40 bits that the model charges."""
    if older(sdk, MAX_REPLICATES):
        ports = "numreadports(replicates), numwriteports(1)"
        kinds = {"BLOCKS": "memory", "MLABS": "memory"}
    else:
        ports = "max_replicates(replicates)"
        kinds = {"BLOCKS": 'memory("BLOCK_RAM"), simple_dual_port', "MLABS": 'memory("MLAB")'}
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


def storage_lines(weights: str, widths: Sequence[int], whole: bool) -> tuple[str, ...]:
    """For vectors of so many lanes, the union in which they arrive piece by piece, and the function
    that decodes stored weights; nothing where all are float32. `whole`: some are integers."""
    kind = STORAGE_TYPES[weights]
    if kind == FLOAT32 and not whole:
        return ()
    lines, piece = [], UINT8 if whole else PIECE
    for lanes in widths:
        stored = f" {kind.vector(lanes)} stored;" if kind != FLOAT32 else ""
        if whole:
            stored += "".join(f" {k.vector(lanes)} {integers(k)};" for k in (INT32, INT16, INT8))
        count = lanes * FLOAT32.bits // piece.bits
        members = f"{FLOAT32.vector(lanes)} v;{stored} {piece.ctype} piece[{count}];"
        lines.append(f"typedef union {{ {members} }} pieces{lanes};")
        if kind != FLOAT32:
            lines += decoder(kind, lanes)
    return tuple(lines)


def decoder(kind: DataType, lanes: int) -> list[str]:
    """The function from stored weights to float32."""
    suffix = lanes if lanes > 1 else ""
    return [
        f"__attribute__((always_inline)) {FLOAT32.vector(lanes)} "
        f"decoded{lanes}(const {kind.vector(lanes)} x)",
        "{",
        f"    const uint{suffix} bits = convert_uint{suffix}(x);",
        f"    return {DECODERS[kind].format(lanes=suffix)};",
        "}",
    ]
