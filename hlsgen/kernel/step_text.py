"""The OpenCL text of kernels of folded designs, printed from their descriptions: the frame of all
of them, and the loops of those that need no template.

Nothing here asks which engine it prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from hlsgen.activation import c_float
from hlsgen.kernel.count import text
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.partial_text import declared as partial_sums
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.result_text import scale_name
from hlsgen.kernel.scan_text import scan_declarations, scan_lines
from hlsgen.kernel.step import AUTORUN, READER, Channel, Registers, StepKernel
from hlsgen.kernel.writing import Lines, block, carry, indented

ATTRIBUTE = "__attribute__((max_global_work_dim(0)))"
READER_ATTRIBUTE = "__attribute__((max_global_work_dim(0), uses_global_work_offset(0)))"


def step_kernel(k: StepKernel, body: Lines, unroll: str) -> Lines:
    """A kernel. `body`: its loops where a template prints them; `unroll`: the pragma of what is
    unrolled unless that is switched off."""
    loops = body if k.template else scan_lines(k, unroll)
    step = [*taken(k), *loops]
    return [
        *reciprocals(k),
        *(table.declaration(k.name) for table in k.tables),
        *(f"// {line}".rstrip() for line in k.what.splitlines()),
        *signature(k),
        *block("", [*declarations(k), *block(f"{every_step(k)} ", step)]),
    ]


def reciprocals(k: StepKernel) -> Lines:
    """A table of factors, or of what is divided by, by how many values count."""
    return [
        f"__constant {nest.types.accumulator.ctype} {k.name}_{scale_name(nest)}"
        f"[{len(nest.epilogue.scales)}] = {{ {', '.join(map(c_float, nest.epilogue.scales))} }};"
        for nest in k.nests
        if nest.epilogue.scales
    ]


def signature(k: StepKernel) -> Lines:
    """Attributes, name, parameters."""
    if k.start == AUTORUN:
        return ["ENGINE", f"__kernel void {k.name}(ENGINE_PARAMETERS)"]
    steps = ["const int steps"]
    pointers = [pointer.parameter for pointer in k.pointers]
    reads = k.start == READER
    parameters = [*pointers, *steps] if reads else [*steps, *pointers]
    attribute = READER_ATTRIBUTE if reads else ATTRIBUTE
    return [attribute, f"__kernel void {k.name}({', '.join(parameters)})"]


def every_step(k: StepKernel) -> str:
    """The head of the loop over steps."""
    if k.start == AUTORUN:
        return "EVERY_STEP"
    counter = "n" if k.start == READER else "nth"
    return f"for (int {counter} = 0; {counter} < steps; ++{counter})"


def declarations(k: StepKernel) -> Lines:
    """What is on chip."""
    lines: Lines = []
    shown = [array for array in k.arrays if isinstance(array, Buffer) or not array.inside]
    for (registers, kind), own in groupby(shown, key=alike):
        declared = [array.declaration for array in own]
        lines += [f"{kind} {', '.join(declared)};"] if registers else declared
    for nest in k.nests[:1]:
        lines += scan_declarations(nest) if nest.window else []
        lines += partial_sums(nest)
    return [*lines, *k.state]


def alike(array: Buffer | Registers) -> tuple[bool, str]:
    """Registers of a type are declared together."""
    return isinstance(array, Registers), array.vector.ctype


def promises(k: StepKernel) -> Lines:
    """Iterations for which a word of a memory rests."""
    return [
        f"#pragma ivdep array({buffer.memory.name}) safelen({buffer.rests})"
        for buffer in k.buffers
        if buffer.rests
    ]


def taken(k: StepKernel) -> Lines:
    """Takes the record of a step in word by word and hands it on. Fields are told apart by
    comparing, so that those which the kernel uses, and no others, become registers. The first word
    says who hears of the step."""
    heard = [(channel, name) for channel, name in k.onward if name]
    listens = bool(heard or k.waits)
    inner = [
        f"const int word = read_channel_intel({k.ends[0].channel});",
        *(f"write_channel_intel({channel}, word);" for channel, name in k.onward if not name),
        *["listeners = i == 0 ? word : listeners;"] * listens,
        *(waiting(k.waits) if k.waits else []),
    ]
    for channel, name in heard:
        inner.append(f"if (listeners & HEARS_{name.upper()})")
        inner += indented([f"write_channel_intel({channel}, word);"])
    return [
        "Record record;",
        *["int listeners = 0;"] * listens,
        *block("for (int i = 0; i < STEP_WORDS; ++i) ", [*inner, *kept()]),
        "const Step s = record.step;",
    ]


def waiting(channel: str) -> Lines:
    """Before the last word of a step's record the step before must be done."""
    test = "if (i == STEP_WORDS - 1 && (listeners & HEARS_AFTER)) "
    fence = "mem_fence(CLK_GLOBAL_MEM_FENCE | CLK_CHANNEL_MEM_FENCE);"
    return block(test, [f"read_channel_intel({channel});", fence])


def kept() -> Lines:
    """Keeps a word of the record."""
    return [
        "#pragma unroll",
        "for (int f = 0; f < STEP_WORDS; ++f)",
        *indented(["if (f == i)", *indented(["record.word[f] = word;"])]),
    ]


def next_pixel() -> Lines:
    """The next place in a tile that is walked pixel by pixel, row by row, image by image."""
    return [
        "const bool row_ends = x == s.tile_width - 1, image_ends = row_ends && y == "
        "s.tile_height - 1;",
        "if (image_ends)",
        *indented(["image += s.image_step;"]),
        "if (row_ends)",
        *indented(["row = image_ends ? image : row + s.row_step;"]),
        "address = row_ends ? row : address + s.column_step;",
        "x = row_ends ? 0 : x + 1;",
        "y = image_ends ? 0 : row_ends ? y + 1 : y;",
    ]


def walked(k: StepKernel) -> Lines:
    """The counters of a walk move on."""
    *loops, last = k.walk
    return carry(loops, [f"++{last.name};"])


def head(loop: Loop) -> str:
    """Of a loop that the record bounds."""
    name, end = loop.name, text(loop.count or loop.bound)
    return f"for (int {name} = 0; {name} < {end}; ++{name})"


def read(k: StepKernel, channel: str) -> str:
    """What comes out of a channel that the kernel is said to read. Raises ValueError for others."""
    return f"read_channel_intel({end(k, channel, writes=False)})"


def into(k: StepKernel, channel: str) -> str:
    """A channel that the kernel is said to write. Raises ValueError for others."""
    return end(k, channel, writes=True)


def end(k: StepKernel, channel: str, writes: bool) -> str:
    """The end of a channel that a template names: the description has it, or it cannot be."""
    if all((own.channel, own.writes) != (channel, writes) for own in k.ends):
        does = "write" if writes else "read"
        raise ValueError(f"{k.name} is not described to {does} {channel}")
    return channel


def channel_lines(channels: Sequence[Channel], largest: Mapping[str, int]) -> Lines:
    """Types of words that are no vectors, and channels: as deep as on the board, and as many words
    as are `largest` in a step, by name."""
    kinds = {c.word.ctype: c for c in channels if c.struct}
    return [
        *(
            f"typedef struct {{ {c.struct} v[{c.word.count}]; }} {name};"
            for name, c in kinds.items()
        ),
        *(channel_line(channel, largest.get(channel.name, 0)) for channel in channels),
    ]


def channel_line(channel: Channel, largest: int) -> str:
    """A channel in OpenCL."""
    depth = str(channel.depth or "STEP_WORDS")
    if channel.stream:
        depth = f"DEPTH({channel.depth}, {largest})"
    return f"channel {channel.word.ctype} {channel.name} __attribute__((depth({depth})));"
