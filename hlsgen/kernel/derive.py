"""What follows from the description of a kernel: trip count, sums, memories, units. One function
each, for every kernel; when words move and the order of weights: `hlsgen.kernel.events`,
`hlsgen.kernel.weight_order`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from math import ceil, prod
from typing import TypeVar

import numpy as np

from hlsgen.activation import Activation
from hlsgen.kernel import latency
from hlsgen.kernel.hardware import COLLECTED_FIFO, Arithmetic, Body
from hlsgen.kernel.memory import SUM_DISTANCE, Memory
from hlsgen.kernel.nest import Array, Guard, Loop, Nest, Raster, row_major, size
from hlsgen.kernel.phases import Buffer


@dataclass(frozen=True)
class Sums:
    """Where a kernel keeps running sums, in vectors: in a `memory`, or in a shift register.

    `used` entries of the register, `outs` apart, are parts of one output.
    """

    memory: int = 0
    register_length: int = 0
    used: int = 1
    outs: int = 1


R = TypeVar("R")


def once(function: Callable[[Nest], R]) -> Callable[[Nest], R]:
    """A function of a description that is worked out once for each."""
    name = function.__name__

    @wraps(function)
    def wrapper(n: Nest) -> R:
        if name not in n.derived:
            n.derived[name] = function(n)
        found: R = n.derived[name]
        return found

    return wrapper


# ---- Time


def words_a_position(n: Nest) -> int:
    """Iterations of a position that gives no output: those in which a word arrives."""
    return size(loop for loop in n.sequential if loop.arrives)


def busy_iterations(n: Nest) -> int:
    """Iterations of a position that gives an output."""
    if n.fills:
        return words_a_position(n) + size(loop for loop in n.sequential if not loop.arrives)
    return size(n.sequential)


@once
def trip_count(n: Nest) -> int:
    """Iterations an image."""
    if n.phases:
        return sum(phase.times * (1 if phase.whole else phase.length) for phase in n.phases)
    busy = busy_iterations(n)
    if n.raster is None:
        return busy
    due = prod(guard.count for guard in n.raster.due)
    return (size(n.raster.loops) - due) * words_a_position(n) + due * busy


def cycles(n: Nest) -> int:
    """Cycles an image at II 1: iterations, those of loops inside included, and waits for words that
    another kernel puts together."""
    iterations = sum(phase.times * phase.length for phase in n.phases) or trip_count(n)
    return iterations + collecting(n)


def collecting(n: Nest) -> int:
    """Words of several vectors may come more slowly than they are taken where no output is due: a
    vector a cycle, beyond those that wait in the FIFO and in the kernel that puts them together."""
    source = n.sources[0]
    if source.word.count == 1:
        return 0
    if n.raster is None:
        return source.pixels * (source.vectors - source.words)
    waiting = COLLECTED_FIFO * source.word.count + latency.COLLECT_DEPTH
    return sum(
        times * max(0, pixels * source.vectors - waiting - positions * source.words)
        for pixels, positions, times in idle_runs(n.raster, source.when)
    )


@lru_cache(maxsize=256)
def idle_runs(raster: Raster, when: tuple[Guard, ...]) -> tuple[tuple[int, int, int], ...]:
    """The stretches of a walk without an output: pixels of a source in it (see `arrived`),
    positions in all, and how often there is such a one."""
    due = due_positions(raster)
    after = np.cumsum(due)[~due]  # by how many outputs before it
    _, number = np.unique(after, return_inverse=True)
    inside = np.bincount(number, held_positions(raster, when)[~due]).astype(int)
    if not len(number):
        return ()
    stretches = np.stack([inside, np.bincount(number)], axis=1)
    runs, counts = np.unique(stretches, axis=0, return_counts=True)
    pairs = zip(runs, counts, strict=True)
    return tuple((int(run[0]), int(run[1]), int(times)) for run, times in pairs)


@lru_cache(maxsize=256)
def due_positions(raster: Raster) -> np.ndarray:
    """Whether an output is due, position by position."""
    return held_positions(raster, raster.due)


def held_positions(raster: Raster, guards: Sequence[Guard]) -> np.ndarray:
    """Whether all guards of the walk's loops hold, position by position."""
    found = np.ones([loop.bound for loop in raster.loops], bool)
    for axis, loop in enumerate(raster.loops):
        for guard in (guard for guard in guards if guard.loop == loop.name):
            np.moveaxis(found, axis, -1)[:] &= guard.holds(loop.bound)
    return found.ravel()


# ---- Sums


@once
def reduction(n: Nest) -> tuple[int, int]:
    """Sequential additions to an output vector, and the output vectors that take turns between
    two."""
    steps = outs = 1
    inside = False
    for loop in n.sequential:
        if loop.reduces:
            steps *= loop.bound
            inside = True
        elif inside and not loop.slices:
            outs *= loop.bound
    return steps, outs


def interleaved(loops: Sequence[Loop]) -> tuple[Loop, ...]:
    """Those inside the outermost reducing loop that give output vectors."""
    first = next((i for i, loop in enumerate(loops) if loop.reduces), len(loops))
    return tuple(loop for loop in loops[first:] if not (loop.reduces or loop.slices))


def reducing(n: Nest) -> tuple[Loop, ...]:
    """Loops whose iterations add up to an output vector, one after another."""
    return tuple(loop for loop in n.sequential if loop.reduces)


@once
def sums(n: Nest) -> Sums:
    """A memory where so many outputs take turns that a sum rests for its latency, else a shift
    register of `partial_sums` for each output."""
    steps, outs = reduction(n)
    if steps == 1 or n.kept:
        return Sums()
    if n.partial_sums == 1 and outs >= SUM_DISTANCE:
        return Sums(memory=outs, outs=outs)
    return Sums(0, n.partial_sums * outs, min(n.partial_sums, steps), outs)


@once
def sums_array(n: Nest) -> Array | None:
    """The memory of running sums, where they are in one."""
    words = sums(n).memory
    if not words:
        return None
    memory = Memory("sums", words, n.accumulator.bits)
    return Array(memory, n.accumulator, row_major(interleaved(n.sequential)))


# ---- Hardware


def arrays(n: Nest) -> tuple[Array, ...]:
    """All memories on chip."""
    window = (n.window.line, n.window.history) if n.window else ()
    held = (source.held for source in n.sources)
    found = (*n.constants, *held, n.weights, *window, sums_array(n), n.bias)
    return tuple(array for array in found if array is not None)


def sums_bits(n: Nest) -> int:
    """Of sums in a shift register."""
    return sums(n).register_length * n.accumulator.bits


def window_bits(n: Nest) -> int:
    """Of the window, and of rows above it that are in shift registers."""
    if n.window is None:
        return 0
    lines = 0 if n.window.line else (n.window.rows - 1) * n.window.row
    return (n.window.rows * n.window.length + lines) * n.sources[0].word.bits


def sequential_taps(n: Nest) -> tuple[Loop, ...]:
    """Loops over taps of a window that take one after another."""
    names = {name for index in n.window.tap for name, _ in index.terms} if n.window else set()
    return tuple(loop for loop in n.sequential if loop.name in names)


def multiplexer_bits(n: Nest) -> int:
    """The choices of what is added and written, of the tap where one is taken an iteration, of the
    vector of a buffer in registers, and of an element where they have no addresses."""
    taken = size(sequential_taps(n)) - 1
    taken += sum(b.memory.parts * b.loads - 1 for b in n.buffers if b.memory.depth == 1)
    elements = sum(
        (m.granule - 1) * (m.parts // m.granule) * m.copies * m.bits
        for m in n.memories
        if m.decoded and m.granule
    )
    return 2 * n.result.bits + taken * n.sources[0].word.bits + elements + choice_bits(n)


def choice_bits(n: Nest) -> int:
    """Of the choice of what each weight multiplies, in ALUTs a bit: a table of six inputs chooses
    one of four, and takes the place of two."""
    if not n.combine.chooses:
        return 0
    left, each = n.sources[0].word.lanes, 0
    while left > 1:
        ways = 4 if left > 2 else 2
        left = ceil(left / ways)
        each += left * ways // 2
    return each * n.types.operand.bits * multiply_adds(n)


@once
def multiply_adds(n: Nest) -> int:
    """The product of the unroll factors, lanes included, or what an expression takes."""
    if n.combine.kind == "multiply":
        return size(n.unrolled) * n.accumulator.lanes
    return n.combine.units.multiply_adds


def combining(n: Nest) -> Arithmetic:
    """Units of the unrolled taps and lanes, and those of a factor."""
    return units(n, 0)


def units(n: Nest, adds: int) -> Arithmetic:
    """The same with so many adders more."""
    lanes, copies, kind = n.accumulator.lanes, size(n.unrolled), n.combine.kind
    conversion = n.epilogue.conversion
    products = multiply_adds(n) if kind == "multiply" else 0
    joined = adds + (copies - 1) * lanes if kind == "sum" else adds
    compares = copies * lanes if kind == "maximum" else 0
    if n.types.accumulator.integer:
        own = Arithmetic(narrow_products=products, integer_adds=products + joined + compares)
    else:
        own = Arithmetic(
            multiply_adds=products,
            adds=joined,
            multiplies=lanes if is_scaled(n) else 0,
            compares=compares,
        )
    if conversion is not None:
        own += conversion.units
    if kind == "sum":
        own += n.combine.units.times(copies)
    return own + n.combine.units if kind == "each" else own


def is_scaled(n: Nest) -> bool:
    """Whether a result is multiplied by a factor."""
    epilogue = n.epilogue
    return epilogue.conversion is None and (epilogue.scale is not None or bool(epilogue.scales))


def arithmetic(n: Nest) -> Arithmetic:
    """All units of a kernel. A factor and the addition that an activation begins with are one,
    unless products and additions stay apart; conversions name those that do not."""
    found, function, fused = units(n, accumulating_adds(n)), n.epilogue.activation, 0
    if function:
        lanes = n.accumulator.lanes
        found += activation_units(function, lanes)
        fused = lanes if function.adds_first and is_scaled(n) and n.bias is None else 0
    apart = -fused
    if n.exact:
        apart = found.multiply_adds if n.epilogue.conversion is None else 0
    return replace(
        found,
        multiply_adds=found.multiply_adds - apart,
        multiplies=found.multiplies + apart,
        adds=found.adds + apart,
    )


@lru_cache(maxsize=256)
def activation_units(function: Activation, lanes: int) -> Arithmetic:
    """Those of an activation."""
    return function.units(lanes)


def accumulating_adds(n: Nest) -> int:
    """Adders of running sums and bias. The first product is added to the bias, and a lane's only
    product and the addition that follows are one unit, where these may be joined."""
    lanes, steps = n.accumulator.lanes, reduction(n)[0]
    joins = not (n.exact or n.types.accumulator.integer)
    fused = lanes if multiply_adds(n) == lanes and joins else 0
    if steps == 1:
        return lanes - fused if n.bias else 0
    used = sums(n).used
    return lanes * (used - (used == steps and n.bias is None)) - fused


@once
def body(n: Nest) -> Body:
    """Everything in the kernel that the model charges."""
    memories = [array.memory for array in arrays(n)]
    memories += [buffer.memory for buffer in n.buffers] + [table.memory for table in n.tables]
    memories += n.memories
    return Body(arithmetic(n), tuple(memories), sums_bits(n) + window_bits(n), multiplexer_bits(n))


@once
def pipeline_depth(n: Nest) -> int:
    """Cycles from an iteration's reads to its writes."""
    fetched = [fetching(n, buffer) for buffer in n.buffers if buffer.address]
    if n.combine.chooses:
        fetched.append(latency.LOAD + latency.SELECT)
    # Where no buffer is addressed, the tables of phases say when a vector comes: no operands.
    least = 0 if n.phases and n.tables and not n.buffers else None
    operands = max(fetched, default=least)
    return latency.pipeline_depth(body(n), n.accumulator.lanes, operands, n.exact)


def fetching(n: Nest, buffer: Buffer) -> int:
    """Loads that follow each other: a value's number, the sum of its entries of the tables, none
    less than 0, and what lies there."""
    entries = [latency.load(t.memory) for t in n.tables if t.memory.name in buffer.address]
    additions = latency.INTEGER * (len(buffer.address) + 1)
    lane = latency.SELECT * (buffer.lanes > 1)
    return max(entries) + additions + latency.load(buffer.memory) + lane
