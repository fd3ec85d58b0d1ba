"""What all engines of a folded design share: readers, epilogue and writer, each described once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from hlsgen.engines import engine
from hlsgen.engines.base import DEPTH, WORD, Engine, Setting
from hlsgen.kernel.count import MANY, Count, constant, counters, fields
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.step import AUTORUN, INT, LAUNCHED, READER, End, Pointer, Registers, StepKernel
from hlsgen.kernel.values import Vector
from hlsgen.model.finishing import Finish
from hlsgen.plan import Engines, Plan, StepPlan

# Feature maps change while a kernel reads them, so its load unit must not cache.
CHANGING = "const volatile "
# Kernels that are remembered: a search asks for most of them again and again.
REMEMBERED = 1024
# A token that what was before it is in memory.
TOKEN = 32


def listening(used: Iterable[Engine], end: Finish) -> tuple[str, ...]:
    """Those that the step reader tells of a step, as the channels of their records are called."""
    own = (known.reader.removesuffix("_reader") for known in used if known.reader)
    return ("feature", "parameter", *own, *["residual"] * end.takes_in, "writer")


# ---- Addresses


def walk(inner: str, rows: str, columns: str, passes: str, several: bool) -> tuple[Loop, ...]:
    """The counters of vectors, positions and tiles, innermost first; of tiles of several images
    those of images too."""
    names = [("t", inner), ("x", columns), ("y", rows), ("g", passes), ("tx", "tiles_x")]
    if several:
        names = [*names[:3], ("i", "tile_images"), *names[3:], ("ty", "tiles_y")]
    bounded = [Loop(name, MANY, count=fields(count)[0]) for name, count in names]
    return (*bounded, Loop("ti" if several else "ty", MANY))


def image(several: bool) -> tuple[Count, ...]:
    """Where the feature maps of a tile's image begin; one image needs no address."""
    run, number = counters("ti", "i")
    (images,) = fields("tile_images")
    return ((run * images + number) * constant("IMAGE"),) * several


def of_result(base: str, stride: str, several: bool) -> dict[str, Count]:
    """Row, column and vector of a result, and where it lies."""
    ty, tx, g, y, x, t = counters("ty", "tx", "g", "y", "x", "t")
    height, width, count, columns, first, step = fields(
        "tile_height", "tile_width", "out_vectors", "out_width", base, stride
    )
    row, column = (ty * height + y).named("row"), (tx * width + x).named("column")
    vector = (g * count + t).named("v")
    address = sum_of(first, *image(several), (row * columns + column) * step, vector)
    return {"row": row, "column": column, "vector": vector, "address": address}


def sum_of(first: Count, *others: Count) -> Count:
    """Of all."""
    for other in others:
        first = first + other
    return first


# ---- Kernels


@lru_cache(maxsize=REMEMBERED)
def step_reader(used: tuple[Engine, ...], end: Finish) -> StepKernel:
    """Walks the table."""
    names = listening(used, end)
    always = ("feature", "parameter", "writer")
    others = [name for name in names if name not in always]
    return StepKernel(
        "step_reader",
        "Walks the step table and tells the other readers and the writer what to do; those that a "
        "step does not need hear nothing.",
        READER,
        (),
        tuple(End(f"{name}_steps", WORD, writes=True) for name in names),
        onward=(
            *((f"{name}_steps", "") for name in always),
            *((f"{name}_steps", f"{name}_reader") for name in others),
        ),
        pointers=(Pointer("table", Vector(INT, 1)),),
        logic=128,
    )


@lru_cache(maxsize=REMEMBERED)
def feature_reader(at: Setting, used: tuple[Engine, ...], end: Finish) -> StepKernel:
    """Sends inputs."""
    several = at.several
    ty, tx, g, y, x, t = counters("ty", "tx", "g", "y", "x", "t")
    down, across, top, left, pitch, stride, count, first, loads = fields(
        "in_step_y", "in_step_x", "pad_top", "pad_left", "in_pitch", "in_stride", "in_vectors",
        "in_base", "loads",
    )  # fmt: skip
    row = (ty * down - top + y).named("row")
    column = (tx * across - left + x).named("column")
    place = sum_of(first, *image(several), row * pitch, column * stride, g * count, t)
    floats = end.rounding
    fed = [
        (f"{known.name}_in", at.floats if floats and known.name in floats.of_floats else at.vector)
        for known in used
        if known.fed
    ]
    fed += [("plain_in", at.vector)] * ("" in end.sources)
    fed += [("plain_floats", at.floats)] * (floats is not None and floats.passed)
    wide = floats is not None and (floats.passed or bool(floats.of_floats))
    return StepKernel(
        "feature_reader",
        "Sends the input of each step: tile by tile with its halo, borders filled in, so that "
        "engines need not know them. An engine's\nrecord goes ahead of it, all but the last word, "
        "which says that the step before is done.\nvolatile: the writer changes the memory while "
        "this kernel runs, so the load unit must not cache.",
        READER,
        ((Loop("turn", MANY, count=loads),),),
        (
            End("feature_steps", WORD),
            End("step_done", TOKEN),
            *(End(f"{known.name}_step", WORD, writes=True) for known in used),
            *(End(channel, word.bits, writes=True) for channel, word in fed),
        ),
        onward=tuple((f"{known.name}_step", known.name) for known in used),
        waits="step_done",
        pointers=maps(at, CHANGING, wide),
        counts={"row": row, "column": column, "address": place},
        walk=walk("in_vectors", "in_rows", "in_columns", "in_groups", several),
        logic=1536,
        depth=1,
        template="feature_reader",
    )


def maps(
    at: Setting, qualifier: str, floats: bool, loads: int = 1, stores: int = 0
) -> tuple[Pointer, ...]:
    """The feature maps in memory, and where a kernel needs them beside integers those of
    `floats`."""
    found = Pointer("features", at.vector, loads, stores, qualifier)
    if not floats:
        return (found,)
    return found, Pointer("floats", at.floats, loads, stores, qualifier)


@lru_cache(maxsize=REMEMBERED)
def residual_reader(at: Setting, end: Finish) -> StepKernel:
    """Sends the second tensor."""
    several, (results,) = at.several, fields("results")
    ends = taken_in(at, end, writes=True)
    return StepKernel(
        "residual_reader",
        "Sends the second tensor that the epilogue takes in, in the order in which results leave "
        "it.",
        READER,
        ((Loop("turn", MANY, count=results),),),
        (End("residual_steps", WORD), End("residual_ready", TOKEN), *ends),
        pointers=maps(at, CHANGING, end.rounding is not None and end.rounding.joined),
        counts=of_result("residual_base", "residual_stride", several),
        walk=walk("out_vectors", "tile_height", "tile_width", "out_groups", several),
        logic=1024,
        depth=1,
        template="residual_reader",
    )


def taken_in(at: Setting, end: Finish, writes: bool) -> tuple[End, ...]:
    """The channels of second tensors."""
    floats = end.rounding is not None and end.rounding.joined
    whole = end.takes_in if end.rounding is None else bool(end.rounding.joins)
    return (End("residual_in", at.vector.bits, writes),) * whole + (
        End("residual_floats", at.floats.bits, writes),
    ) * floats


@dataclass(frozen=True)
class Taking:
    """Who takes weights from the parameter reader: engines with the channels into them; and
    channels of records, each with the engine whose weights another kernel takes first."""

    weights: tuple[tuple[str, str], ...]
    ahead: tuple[tuple[str, str], ...]


def taking(plan: Plan, used: Iterable[Engine]) -> Taking:
    """Those of a plan."""
    weighted = [known for known in used if known.weighted and not known.reader]
    steps = ((known.weights_step(plan), known.name) for known in weighted)
    return Taking(
        tuple((known.name, known.weights_channel(plan)) for known in weighted),
        tuple((channel, name) for channel, name in steps if channel),
    )


@lru_cache(maxsize=REMEMBERED)
def parameter_reader(at: Setting, takes: Taking, end: Finish) -> StepKernel:
    """Sends biases and weights, to each engine through the channel that takes them."""
    word, bias = at.word, bias_word(at.vector, end)
    count, words, groups = fields("out_vectors", "weight_words", "out_groups")
    return StepKernel(
        "parameter_reader",
        "Sends each step's parameters ahead of its data: to the epilogue the bias"
        f"{' and scale' * end.scaled} of a group of output vectors, then\nto the engine the "
        "group's weights; for every tile again.",
        READER,
        ((Loop("n", MANY, count=(count + words) * at.tiles * groups),),),
        (
            End("parameter_steps", WORD),
            End("epilogue_step", WORD, writes=True),
            *(End(channel, WORD, writes=True) for channel, _ in takes.ahead),
            End("epilogue_bias", bias.bits, writes=True),
            *(End(channel, word.bits, writes=True) for _, channel in takes.weights),
        ),
        onward=(("epilogue_step", ""), *takes.ahead),
        pointers=(
            Pointer("weights", word, loads=int(bool(takes.weights))),
            Pointer("biases", bias),
        ),
        logic=512,
        template="parameter_reader",
    )


def bias_word(vector: Vector, end: Finish) -> Vector:
    """What the epilogue gets for an output vector."""
    (_, _, kind), *scale = end.words
    return Vector(kind, vector.lanes, 2, "bias_word") if scale else vector


@lru_cache(maxsize=REMEMBERED)
def epilogue(
    at: Setting, end: Finish, given: tuple[tuple[str, Vector], ...], kept: int, stored: int
) -> StepKernel:
    """Scale, bias, second tensor and activation of one vector a cycle, which comes through one of
    the channels `given`. So many bias vectors are `kept` in registers and `stored` in a memory
    (`bias_words`)."""
    vector, (results,) = at.vector, fields("results")
    names = [
        (name, replace(vector, type=kind, name=at.name_of(kind))) for name, _, kind in end.words
    ]
    registers = tuple(Registers(f"{name}_kept", word, (kept,)) for name, word in names if kept)
    note = f"of groups so large that a word rests for {MEMORY_DISTANCE} turns"
    memories = tuple(
        Buffer(Memory(name, stored, word.bits), word, note, rests=MEMORY_DISTANCE)
        for name, word in names
        if stored
    )
    bits = sum(array.bits for array in registers)
    choices = len(given) + len(end.functions) + len(names)
    return StepKernel(
        "epilogue",
        "",
        AUTORUN if at.alone else LAUNCHED,
        ((Loop("turn", MANY, count=results),),),
        (
            End("epilogue_step", WORD),
            End("epilogue_bias", bias_word(vector, end).bits),
            *(End(channel, word.bits) for channel, word in given),
            *taken_in(at, end, writes=False),
            *(End(channel, word.bits, writes=True) for channel, word in finished(at, end)),
        ),
        arrays=(*registers, *memories),
        units=end.units(vector.lanes),
        choices=choices * names[0][1].bits + bits,
        logic=512,
        depth=1,
        template="epilogue",
    )


def finished(at: Setting, end: Finish) -> tuple[tuple[str, Vector], ...]:
    """The channels of results, with what they carry."""
    floats = end.rounding is not None and end.rounding.written
    return (("epilogue_out", at.vector), *(("epilogue_floats", at.floats),) * floats)


def bias_words(steps: Iterable[StepPlan]) -> tuple[int, int]:
    """Bias vectors that the epilogue keeps in registers and in a memory.

    In registers are those of groups so small that a word of a memory would be due again too soon.
    """
    counts = {step.output_vectors for step in steps}
    return (
        max((count for count in counts if count < MEMORY_DISTANCE), default=0),
        max((count for count in counts if count >= MEMORY_DISTANCE), default=0),
    )


def bias_depth(e: Engines) -> int:
    """Depth of the channel of biases, so that they never hold up the weights behind them.

    Results leave a group late, the array takes a group's weights ahead, and the weight expander two
    blocks: six groups are enough.
    """
    return max(DEPTH, 6 * max(e.group, *(engine(name).group(e) for name in e.sizes), 0))


@lru_cache(maxsize=REMEMBERED)
def writer(at: Setting, end: Finish) -> StepKernel:
    """Stores results."""
    several, (results,) = at.several, fields("results")
    ready = (End("residual_ready", TOKEN, writes=True),) * end.takes_in
    return StepKernel(
        "writer",
        "Stores results; positions beyond the tensor (tiles at its edges, vectors beyond its "
        "channels) are dropped. After a\nstep it reports that everything is in memory.",
        READER,
        ((Loop("turn", MANY, count=results),),),
        (
            End("writer_steps", WORD),
            *(End(channel, word.bits) for channel, word in finished(at, end)),
            End("step_done", TOKEN, writes=True),
            *ready,
        ),
        pointers=maps(at, "", len(finished(at, end)) > 1, loads=0, stores=1),
        counts=of_result("out_base", "out_stride", several),
        walk=walk("out_vectors", "tile_height", "tile_width", "out_groups", several),
        logic=1024,
        depth=1,
        template="writer",
    )
