"""What a design consists of, as the resource and timing models count it: arithmetic units,
memories, load-store units, channels, loops. Operators describe their kernels with it
(`hlsgen.ops`), `hlsgen.model.structure` whole designs."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add

from hlsgen.kernel.memory import Memory

# Cycles that a loop takes to start anew, when the one before it has to drain: about the depth of a
# kernel with a dot product (`hlsgen.kernel.latency`).
KERNEL_LATENCY = 40
# A sum in a shift register must not be added to again before the floating-point adder has finished:
# 8 covers 3-4 cycles of addition and the choice of what is added. Sums in memories rest for longer
# (`hlsgen.kernel.memory.SUM_DISTANCE`).
ACCUMULATION_LATENCY = 8
# Vectors of weights that wait between memory and a kernel that takes them from there.
STREAMED_FIFO = 32
# Words of input vectors between the kernel that puts them together and the one that multiplies
# them.
COLLECTED_FIFO = 4


@dataclass(frozen=True)
class Arithmetic:
    """Units of a kernel, all unroll factors multiplied out: of float32, but for `narrow_products`
    of integers of 9 bits or fewer, `integer_adds`, which comparisons of integers count as too, and
    `conversions` between the two."""

    multiply_adds: int = 0
    adds: int = 0
    multiplies: int = 0
    compares: int = 0
    divides: int = 0
    exponentials: int = 0
    powers: int = 0
    narrow_products: int = 0
    integer_adds: int = 0
    conversions: int = 0

    def __add__(self, other: Arithmetic) -> Arithmetic:
        return Arithmetic(*map(add, vars(self).values(), vars(other).values()))

    def times(self, count: int) -> Arithmetic:
        """So many of each unit."""
        return Arithmetic(*(units * count for units in vars(self).values()))


@dataclass(frozen=True)
class Lsu:
    """A load or store unit of global memory, `bits` wide, on the kernel argument `argument`."""

    argument: str
    bits: int
    store: bool = False


@dataclass(frozen=True)
class Fifo:
    """A channel of `bits`, `depth` words deep."""

    name: str
    bits: int
    depth: int


@dataclass(frozen=True)
class Body:
    """What an operator's template puts into its kernel: arithmetic, memories, bits of registers,
    bits of multiplexers."""

    arithmetic: Arithmetic = Arithmetic()
    memories: tuple[Memory, ...] = ()
    register_bits: int = 0
    multiplexer_bits: int = 0


@dataclass(frozen=True)
class Kernel:
    """A kernel of a design. `channel_bits` is the sum of the widths of its channel reads and
    writes; `integer_bits` the bits of its counters and addresses, `products` how many integers it
    multiplies for them."""

    name: str
    body: Body
    autorun: bool = False
    lsus: tuple[Lsu, ...] = ()
    channel_bits: int = 0
    channel_ends: int = 0
    loops: int = 1
    integer_bits: int = 256
    products: int = 0


@dataclass(frozen=True)
class Structure:
    """All kernels and channels of a design."""

    kernels: tuple[Kernel, ...]
    fifos: tuple[Fifo, ...] = ()

    @property
    def lsus(self) -> tuple[Lsu, ...]:
        """The load-store units of all kernels."""
        return tuple(lsu for kernel in self.kernels for lsu in kernel.lsus)
