"""The pipelined kernel of a data movement: vectors come in and go out by turns, and tables say
where they lie in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hlsgen.activation import c_float
from hlsgen.graph import Tensor
from hlsgen.kernel.hardware import Arithmetic
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.kernel.nest import Combine, Epilogue, Loop, Nest, Source
from hlsgen.kernel.phases import Buffer, Pace, Phase, Table
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops.arrays import vectors
from hlsgen.ops.gather_index import NOWHERE, GatherAttributes, Offsets
from hlsgen.plan import KernelPlan
from hlsgen.types import FLOAT32

INTEGER = "int"
INTEGER_BITS = 32


def movement(
    a: GatherAttributes,
    source: Tensor,
    result: Tensor,
    kernel: KernelPlan,
    epilogue: Epilogue,
    types: Roles,
) -> Nest:
    """Values that move within their pixel: a pixel goes out while the next comes in. Else rows come
    in until an output row has all that it needs, and then it goes out. A template prints either. A
    constant keeps nothing of what comes in."""
    vector, lanes = Vector(types.operand, kernel.input_width), kernel.output_width
    inputs, outputs = vectors(source.channels, vector.lanes), vectors(result.channels, lanes)
    places = offsets(a, vector.lanes) if a.reads else ()
    blend = Arithmetic(adds=lanes, multiply_adds=lanes)
    phases = local_phases(source.pixels, inputs, outputs) if a.local else row_phases(
        a, source, inputs, result, outputs)  # fmt: skip
    return Nest(
        what=f"{a.what}.{title(a)}",
        lanes=lanes,
        sources=(Source(vector, source.pixels, inputs),),
        loops=(Loop("c", outputs),),
        combine=Combine("each", units=blend if a.other is not None and a.reads else Arithmetic()),
        epilogue=epilogue,
        template="gather",
        phases=phases,
        buffers=(buffer(a, vector, inputs, places),) if a.reads else (),
        tables=tables(a, places),
        types=types,
    )


def title(a: GatherAttributes) -> str:
    """What a comment says of the tables."""
    if not a.reads:
        return ""
    entry = "its channel's" if a.local else "the sum of a row's, a column's and a channel's"
    return (
        f" Tables say where a value lies in the buffer: {entry} entry; negative is the constant "
        f"{a.fill}."
    )


def offsets(a: GatherAttributes, width: int) -> tuple[Offsets, ...]:
    """Offsets into the kernel's buffer, whose pixels are whole vectors of `width`."""
    if not a.local:
        stride = vectors(a.source[0], width) * width
        return tuple(p.offsets(stride, a.source[2], a.ring_rows) for p in a.parts if p)
    # Rows and columns are constants, and the rows hold the constant of the sum.
    found = [p.channel for p in a.parts if p]
    return tuple(replace(o, channels=o.channels + max(o.rows)) for o in found)


def keeps_vectors(places: Sequence[Offsets], width: int) -> bool:
    """Whether whole vectors of `width` channels move as they are."""
    for o in places:
        lane = np.arange(len(o.channels)) % width
        start = o.channels[np.arange(len(o.channels)) - lane]
        moved = (o.channels == start + lane) & (start % width == 0)
        moved = np.where(o.channels <= NOWHERE, start <= NOWHERE, moved)
        aligned = all(
            ((part <= NOWHERE) | (part % width == 0)).all() for part in (o.rows, o.columns)
        )
        if not (moved.all() and aligned):
            return False
    return True


def settling(inputs: int) -> int:
    """Iterations that a local kernel waits after each pixel of `inputs` vectors, so that what was
    stored last can be loaded; few vectors are registers, and it waits for nothing."""
    return MEMORY_DISTANCE if inputs >= MEMORY_DISTANCE else 0


def local_phases(pixels: int, inputs: int, outputs: int) -> tuple[Phase, ...]:
    """A pixel goes out while the next comes in; vectors of a pixel."""
    length = max(inputs, outputs) + settling(inputs)
    return Phase(length, Pace(inputs), Pace(outputs, length), pixels), Phase(length)


def row_phases(
    a: GatherAttributes, source: Tensor, inputs: int, result: Tensor, outputs: int
) -> tuple[Phase, ...]:
    """The rows that an output row needs come in, with a pause before and after; then it goes
    out."""
    found, got = [], 0
    for number, needed in enumerate((*a.needed_rows.tolist(), source.height)):
        if needed > got:
            count = (needed - got) * source.width * inputs
            found.append(Phase(count + 2 * MEMORY_DISTANCE, Pace(count, MEMORY_DISTANCE)))
            got = needed
        if number < result.height:
            count = result.width * outputs
            found.append(Phase(count, writes=Pace(count)))
    return tuple(found)


def buffer(a: GatherAttributes, vector: Vector, inputs: int, places: Sequence[Offsets]) -> Buffer:
    """Two pixels, or rows in turn. A vector leaves it an iteration, or one for every lane that
    reads a place of its own; for both values of a blend. Each takes a replicate."""
    lanes = 1 if keeps_vectors(places, vector.lanes) else vector.lanes
    loads = len(places) * lanes
    if a.local:
        words, note = 2 * inputs, "two pixels: one comes in while the one before goes out"
    else:
        words, note = (
            a.ring_rows * a.source[2] * inputs,
            f"{a.ring_rows} rows of the input, in turn",
        )
    memory = Memory("buffer", words, vector.bits, copies=max(loads, 1))
    if a.local and not settling(inputs):
        memory = Memory("buffer", 1, vector.bits, words)
    return Buffer(memory, vector, note, loads, axes(a), lanes)


def axes(a: GatherAttributes) -> tuple[str, ...]:
    """Those along which a value's place varies: each has a table."""
    return ("channels",) if a.local else ("rows", "columns", "channels")


def tables(a: GatherAttributes, places: Sequence[Offsets]) -> tuple[Table, ...]:
    """Offsets; input rows before an output row; weights of a blend."""
    found = [
        integers(f"{prefix}{part}", getattr(o, part))
        for prefix, o in zip(("", "other_"), places, strict=False)
        for part in axes(a)
    ]
    if not a.local:
        note = "input rows before an output row; all at the end"
        found.append(integers("needed", np.append(a.needed_rows, a.source[1]), note))
    if a.weight is not None and a.reads:
        memory = Memory("weight", len(a.weight), FLOAT32.bits)
        found.append(Table(memory, FLOAT32.ctype, tuple(map(c_float, a.weight))))
    return tuple(found)


def integers(name: str, values: np.ndarray, note: str = "") -> Table:
    """A table of integers."""
    memory = Memory(name, len(values), INTEGER_BITS)
    return Table(memory, INTEGER, tuple(map(str, values.tolist())), note)


@dataclass(frozen=True)
class Printed:
    """What the template prints beside the description. `buffer`: None where the result is the
    constant `fill`, a literal; `whole`: vectors move as they are; `axis`: that of a blend's
    weights. `pause`: iterations until what was stored can be loaded; `length`: those of a local
    kernel's pixel. `inputs`, `outputs`: vectors of a pixel."""

    local: bool
    whole: bool
    fill: str
    axis: str
    buffer: Buffer | None
    pause: int
    length: int
    inputs: int
    outputs: int
    source: tuple[int, int, int]
    result: Tensor


def printed(a: GatherAttributes, result: Tensor, n: Nest) -> Printed:
    """The sizes of a description of `movement`."""
    word, inputs = n.sources[0].word, n.sources[0].vectors
    return Printed(
        local=a.local,
        whole=a.reads and keeps_vectors(offsets(a, word.lanes), word.lanes),
        fill=c_float(a.fill) if word.type == FLOAT32 else str(int(a.fill)),
        axis=a.axis if a.reads else "",
        buffer=n.buffers[0] if n.buffers else None,
        pause=settling(inputs) if a.local else MEMORY_DISTANCE,
        length=n.phases[0].length,
        inputs=inputs,
        outputs=n.loops[0].bound,
        source=a.source,
        result=result,
    )
