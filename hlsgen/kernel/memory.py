"""On-chip arrays: the one place that decides how an array lies in memory, for the text that
declares it and the model that charges it.

Intel's compiler takes the bank of an access from low address bits, and a bank has one port to read
and one to write (a replicate more for each further read). So the elements that a turn takes side by
side stand last in an array, on a power of two, and are dealt out to banks whose width and number
its declaration states; what a kernel addresses at run time stands first. Elements beyond the last
one in use lie in banks that nothing reads, and those are dropped. docs/aoc-rules.md names the
sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil

# Depth x width modes of an M20K in simple dual port; an M10K has half the depth at each width.
MODES = ((512, 40), (1024, 20), (2048, 10), (4096, 5), (8192, 2), (16384, 1))
M20K_BITS = 20480
# Widths of banks that hold no more than one 32-bit value a word: powers of two.
NARROW_BITS = 32
NARROW_MODES = ((512, 32), (1024, 16), (2048, 8), (4096, 4), (8192, 2), (16384, 1))
# Banks of more words than that are built of the two deepest modes alone (9 of 9 in public reports,
# benchmarks/model/aoc_memory_verdicts.csv).
DEEP = 4096
# Up to this depth memories and channels take MLABs in place of memory blocks.
MLAB_DEPTH = 32
MLAB_BITS = 20
# Arrays of no more bits than that (64 bytes) are registers, however they are addressed.
REGISTER_BITS = 512
# Widest bank that a declaration asks for: 512 bits fill 13 blocks to 98 %.
WIDEST_BANK = 512
# Turns after which a word that was stored can be loaded: a load takes up to 7 cycles, a store up to
# 2.
MEMORY_DISTANCE = 9
# Turns after which a sum in a memory can be added to again: load, addition (up to 4) and store, and
# the choice of what is added.
SUM_DISTANCE = 16


def power_of_two(number: int) -> int:
    """The least power of two that is no less."""
    return 1 << max(number - 1, 0).bit_length()


def memory_blocks(depth: int, bits: int, block_bits: int = M20K_BITS) -> int:
    """Blocks for a simple dual port memory of `depth` words of `bits`: the cheapest of the block's
    modes; none where MLABs hold it."""
    if depth <= MLAB_DEPTH or bits <= 0:
        return 0
    return cheapest(depth, bits, MODES, block_bits)


def bank_blocks(depth: int, bits: int, block_bits: int = M20K_BITS) -> int:
    """Blocks for a bank of an array of `depth` words of `bits`: the compiler rounds their number up
    to a power of two, builds deep banks of the two deepest modes, and gives no bank less than a
    block."""
    rows = power_of_two(depth)
    modes: tuple[tuple[int, int], ...] = NARROW_MODES if bits <= NARROW_BITS else MODES
    if rows > DEEP * block_bits / M20K_BITS:
        modes = modes[-2:]
    return cheapest(rows, bits, modes, block_bits)


def cheapest(depth: int, bits: int, modes: tuple[tuple[int, int], ...], block_bits: int) -> int:
    """Blocks in the cheapest of some modes."""
    scale = block_bits / M20K_BITS
    return min(ceil(bits / width) * ceil(depth / (rows * scale)) for rows, width in modes)


@lru_cache(maxsize=4096)
def bank_elements(depth: int, bits: int, parts: int, granule: int) -> int:
    """How many elements of `bits` share a bank, so that `parts` of them take the fewest blocks (and
    then the fewest banks): a power of two that divides the `granule` of elements which are always
    loaded and stored together."""

    def cost(count: int) -> tuple[int, int]:
        banks = ceil(parts / count)
        blocks, mlabs = bank_blocks(depth, count * bits), ceil(count * bits / MLAB_BITS)
        return banks * (mlabs if depth <= MLAB_DEPTH else blocks), banks

    sizes = [1]
    while (
        sizes[-1] < parts and sizes[-1] * 2 * bits <= WIDEST_BANK and granule % (sizes[-1] * 2) == 0
    ):
        sizes.append(sizes[-1] * 2)
    return min(sizes, key=cost)


@dataclass(frozen=True)
class Memory:
    """An array `name[depth][parts]` of elements of `bits`: a word of `parts` elements for each
    address.

    `granule`: neighbouring elements that are always loaded and stored together, 0 for all of a
    word. `copies`: loads a turn at addresses of their own; each takes a replicate.
    """

    name: str
    depth: int
    bits: int
    parts: int = 1
    granule: int = 0
    copies: int = 1

    @property
    def elements(self) -> int:
        """Elements in use."""
        return self.depth * self.parts

    @property
    def extent(self) -> int:
        """Elements of a word as declared: a power of two."""
        return power_of_two(self.parts)

    @cached_property
    def bank(self) -> int:
        """Elements in a bank."""
        return bank_elements(self.depth, self.bits, self.parts, self.granule or self.extent)

    @property
    def banks(self) -> int:
        """Banks that hold elements in use."""
        return ceil(self.parts / self.bank)

    @property
    def bank_bits(self) -> int:
        """Width of a bank."""
        return self.bank * self.bits

    @property
    def registers(self) -> bool:
        """Whether the array is kept in registers."""
        return self.depth == 1 or self.depth * self.extent * self.bits <= REGISTER_BITS

    @property
    def decoded(self) -> bool:
        """Whether an element is chosen by comparing: more registers than the compiler addresses at
        run time."""
        return self.depth == 1 and self.extent * self.bits > REGISTER_BITS

    def declaration(self, element: str) -> str:
        """The array in OpenCL, with the macro of the preamble that says how it lies; `element`: its
        type."""
        inner = f"[{self.extent}]" if self.parts > 1 else ""
        if self.registers:
            return f"{element} {self.name}[{self.depth}]{inner} REGISTERS;"
        kind = "MLABS" if self.depth <= MLAB_DEPTH else "BLOCKS"
        numbers = f"{self.extent // self.bank}, {self.bank_bits // 8}, {self.copies}"
        return f"{element} {self.name}[{self.depth}]{inner} {kind}({numbers});"

    def at(self, word: str, part: str | int = 0) -> str:
        """An element of it."""
        return f"{self.name}[{word}]" + (f"[{part}]" if self.parts > 1 else "")
