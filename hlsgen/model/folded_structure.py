"""The structure of folded designs: readers, engines, epilogue, writer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hlsgen.activation import Activation
from hlsgen.descriptors import clears_lanes, record_fields
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import (
    ACCUMULATION_LATENCY,
    Arithmetic,
    Body,
    Fifo,
    Kernel,
    Lsu,
    Structure,
)
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.ops import lrn, operator, softmax
from hlsgen.ops.binary import FUNCTIONS
from hlsgen.ops.compress import BLOCK
from hlsgen.ops.skip import PLACE_BITS
from hlsgen.ops.sparse import entries_a_word
from hlsgen.placement import place_tensors
from hlsgen.plan import ARRAYS, Engines, Plan, StepPlan

WORD = 32
# Depth of the channels between readers, engines, epilogue and writer.
DEPTH = 64
# Integers that a kernel multiplies: for addresses (of tile, row, column and group) and for the
# lengths of its loops.
PRODUCTS = {
    "feature_reader": 5, "residual_reader": 5, "writer": 5, "parameter_reader": 2, "filter_reader": 2, "convolution_results": 1,
    "skipping_results": 1, "weight_expander": 3, "dense_engine": 3, "sparse_engine": 3, "depthwise_engine": 1, "pooling_engine": 1,
    "global_pooling_engine": 1, "normalisation_engine": 2, "softmax_engine": 1,
}  # fmt: skip
# Kernels that also find the image, where a launch takes several; and those that multiply the
# numbers of tiles down and across, where it does not.
OF_IMAGES = ("feature_reader", "residual_reader", "writer")
OF_TILES = (
    "parameter_reader", "convolution_tiles", "skipping_engine", "convolution_results", "skipping_results", "weight_expander",
)  # fmt: skip


def folded_structure(graph: Graph, plan: Plan, bits: int) -> Structure:
    """All kernels and channels of a folded plan."""
    e = plan.engines
    assert e is not None
    vector, words = e.width * bits, len(record_fields(graph, plan.steps))
    residual = any(step.residual for step in plan.steps)
    scaled = any(operator(layer.op).folded_scale(layer) is not None for layer in graph.layers)
    fed = [step for step in plan.steps if step.feeder]
    names = [
        name
        for step in plan.steps
        for name in (("depthwise", step.engine) if step.feeder else (step.engine,))
    ]
    used = list(dict.fromkeys(name for name in names if name))
    writing = {step.engine for step in plan.steps}
    plain = any(not step.engine for step in plan.steps)
    feeders = [graph.layer(step.feeder).activation for step in fed]
    feeding = list({a.kind: a for a in feeders if a is not None}.values()) if fed else None
    autorun = plan.enabled("autorun") and plan.enabled("concurrent_queues")
    kernels = [*readers(e, vector, used, residual, plain, scaled)]
    listeners = [
        "feature",
        "parameter",
        *["filter"] * ("depthwise" in used),
        *["residual"] * residual,
        "writer",
    ]
    kernels.append(Kernel("step_reader", Body(), lsus=(Lsu("table", WORD),), channel_bits=WORD * len(listeners),
                          channel_ends=len(listeners), loops=2, integer_bits=128))  # fmt: skip
    fifos_of_steps = [Fifo(f"{name}_steps", WORD, words) for name in listeners]
    fifos = [
        Fifo("epilogue_step", WORD, words),
        Fifo("epilogue_out", vector, DEPTH),
        Fifo("step_done", 32, 2),
    ]
    fifos.append(Fifo("epilogue_bias", vector * (1 + scaled), bias_depth(e)))
    fifos += fifos_of_steps + [Fifo("plain_in", vector, DEPTH)] * plain
    fifos += [Fifo("residual_in", vector, DEPTH), Fifo("residual_ready", 32, 2)] * residual
    for engine in used:
        scratch = not plan.enabled("cached_writes") and engine == "convolution"
        kernels += engine_kernels(engine, graph, e, bits, autorun, scratch, feeding)
        fifos += [
            f
            for f in engine_fifos(engine, e, bits, words)
            if engine in writing or not f.name.endswith("_out")
        ]
    fifos += [
        Fifo(f"depthwise_to_{name}", vector, DEPTH)
        for name in ARRAYS
        if name in {step.engine for step in fed}
    ]
    if any(step.compressed for step in plan.steps):
        kernels.append(expander(e, bits, autorun))
        fifos += [Fifo("expander_step", WORD, words), Fifo("expander_in", vector * e.burst, DEPTH)]
    if "depthwise" in used:
        kernels.append(filter_reader(vector * e.burst))
    kernels.append(epilogue(graph, plan, e, bits, len(writing - {""}) + plain, scaled, autorun))
    walk = (Lsu("features", vector, store=True),)
    kernels.append(
        Kernel("writer", Body(), lsus=walk, channel_bits=vector, channel_ends=2, integer_bits=1024)
    )
    return Structure(
        tuple(with_products(kernel, plan.images > 1) for kernel in kernels), tuple(fifos)
    )


def with_products(kernel: Kernel, several: bool) -> Kernel:
    """The kernel with the integers that it multiplies, where a launch takes several images or
    one."""
    more = 2 * (kernel.name in OF_IMAGES) if several else int(kernel.name in OF_TILES)
    return replace(kernel, products=kernel.products + PRODUCTS.get(kernel.name, 0) + more)


def readers(
    e: Engines, vector: int, used: list[str], residual: bool, plain: bool, scaled: bool
) -> tuple[Kernel, ...]:
    """Kernels that read global memory."""
    word = vector * e.burst
    weighted = sum(engine in (*ARRAYS, "dense", "sparse") for engine in used)
    fed = sum(engine != "gather" for engine in used)
    ends = fed + plain
    found = [
        Kernel("feature_reader", Body(), lsus=(Lsu("features", vector),), channel_bits=ends * vector + len(used) * WORD,
               channel_ends=ends + len(used) + 1, integer_bits=1536),
        Kernel("parameter_reader", Body(), lsus=(Lsu("weights", word), Lsu("biases", vector * (1 + scaled))),
               channel_bits=weighted * word + vector * (1 + scaled) + WORD, channel_ends=weighted + 2, loops=2, integer_bits=512),
    ]  # fmt: skip
    if residual:
        lsus = (Lsu("features", vector),)
        found.append(
            Kernel(
                "residual_reader",
                Body(),
                lsus=lsus,
                channel_bits=vector,
                channel_ends=2,
                integer_bits=1024,
            )
        )
    return tuple(found)


def filter_reader(word: int) -> Kernel:
    """The kernel that sends the depthwise engine its filters."""
    lsus = (Lsu("weights", word),)
    return Kernel(
        "filter_reader",
        Body(),
        lsus=lsus,
        channel_bits=word,
        channel_ends=1,
        loops=3,
        integer_bits=256,
    )


def engine_fifos(engine: str, e: Engines, bits: int, words: int) -> list[Fifo]:
    """Channels round one engine; a record of the step table, of `words`, travels word by word."""
    vector = e.width * bits
    found = [Fifo(f"{engine}_step", WORD, words), Fifo(f"{engine}_out", vector, DEPTH)]
    if engine != "gather":
        found.append(Fifo(f"{engine}_in", vector, DEPTH))
    if engine in (*ARRAYS, "depthwise", "dense", "sparse"):
        found.append(Fifo(f"{engine}_weights", vector * e.burst, DEPTH))
    if engine in ARRAYS:
        found += [
            Fifo(f"{engine}_results_step", WORD, words),
            Fifo(f"{engine}_sums", vector * e.of(engine).outputs, 16),
        ]
    if engine == "convolution":
        found += [
            Fifo("convolution_array_step", WORD, words),
            Fifo("convolution_pixels", vector * e.inputs, 16),
        ]
    return found


def engine_kernels(
    engine: str,
    graph: Graph,
    e: Engines,
    bits: int,
    autorun: bool,
    scratch: bool,
    feeding: list[Activation] | None,
) -> list[Kernel]:
    """The kernels of one engine. Counters and fields of the step are in `integer_bits`."""
    v, vector = e.width, e.width * bits
    if engine == "convolution":
        lsus = (Lsu("scratch", vector), Lsu("scratch", vector, store=True)) if scratch else ()
        return convolution_kernels(e, bits, autorun, lsus)
    if engine == "skipping":
        return skipping_kernels(e.of(engine), bits, autorun)
    if engine == "gather":
        return [gather_kernel(graph, e, bits)]
    averages = engine == "pooling" and any(layer.op == "average_pool" for layer in graph.layers)
    body = {
        "dense": lambda: dense_body(v * e.burst, e, bits),
        "sparse": lambda: dense_body(v * entries_a_word(e.burst), e, bits, copied=True),
        "depthwise": lambda: depthwise_body(e, bits, feeding),
        "pooling": lambda: pooling_body(graph, e, bits, averages),
        "global_pooling": lambda: Body(
            Arithmetic(adds=ACCUMULATION_LATENCY * v, multiplies=v),
            (),
            ACCUMULATION_LATENCY * vector,
        ),
        "normalisation": lambda: normalisation_body(e.normalisation_size, v, bits),
        "softmax": lambda: softmax_body(graph, e.pixel_vectors, v, bits),
    }[engine]()
    ends = 4 if engine in ("depthwise", "dense", "sparse") else 3
    # Of the rows and columns that an average counts.
    return [
        Kernel(
            f"{engine}_engine", body, autorun, (), 2 * vector + WORD, ends, 2, 768, int(averages)
        )
    ]


def dense_body(multipliers: int, e: Engines, bits: int, copied: bool = False) -> Body:
    """A fully connected layer: partial sums take turns in a shift register.

    `copied`: zeros are skipped, so every multiplier has a copy of the inputs, whole vectors wide as
    they come in.
    """
    v, vector = e.width, e.width * bits
    inputs = Memory("inputs", e.dense_vectors, vector, copies=multipliers if copied else 1)
    arithmetic = Arithmetic(multiply_adds=multipliers, adds=ACCUMULATION_LATENCY * v)
    return Body(arithmetic, (inputs,), ACCUMULATION_LATENCY * vector, inputs.copies * vector)


def line_memories(line: int, extent: int, vector: int) -> tuple[Memory, ...]:
    """The upper rows of a streaming window, side by side."""
    return (Memory("line", line, vector, extent - 1),) if extent > 1 else ()


def depthwise_body(e: Engines, bits: int, feeding: list[Activation] | None) -> Body:
    """All taps of a window and two sets of weights. Rows above the plane read as zero.

    `feeding`: activations of the depthwise layers that feed a convolution, with their bias; None
    where none does.
    """
    v, vector, extent = e.width, e.width * bits, e.depthwise_extent
    arithmetic = Arithmetic(multiply_adds=v * extent**2, adds=v * (feeding is not None))
    for activation in feeding or ():
        arithmetic += activation.units(v)
    memories = line_memories(e.depthwise_line, extent, vector)
    return Body(arithmetic, memories, 3 * (extent**2 + 1) * vector, (extent - 1) * vector)


def pooling_body(graph: Graph, e: Engines, bits: int, averages: bool) -> Body:
    """A window, its sum or its largest value. Rows above the plane read as zero."""
    v, vector, taps = e.width, e.width * bits, e.pool_extent**2
    average = Arithmetic(adds=(taps - 1) * v, multiplies=v) if averages else Arithmetic()
    maxima = any(layer.op == "max_pool" for layer in graph.layers)
    largest = Arithmetic(compares=taps * v) if maxima else Arithmetic()
    memories = line_memories(e.pool_line, e.pool_extent, vector)
    return Body(average + largest, memories, taps * vector, (e.pool_extent - 1) * vector)


def normalisation_body(size: int, v: int, bits: int) -> Body:
    """Local response normalisation: two shift registers as long as the window, those of a vector in
    and one out."""
    return Body(lrn.units(size), (), (2 * size + 2 * v) * bits, 2 * size * bits)


def softmax_body(graph: Graph, pixel: int, v: int, bits: int) -> Body:
    """Softmax over `pixel` vectors, one lane after another: what it is taken of, and the
    exponentials."""
    logarithms = any(getattr(layer.attributes, "logarithm", False) for layer in graph.layers)
    arithmetic = softmax.units(v, False) + Arithmetic(adds=v * logarithms, exponentials=logarithms)
    return Body(
        arithmetic,
        softmax.arrays(pixel, v * bits),
        (softmax.PEAKS + ACCUMULATION_LATENCY + 2 * v) * bits,
    )


def expander(e: Engines, bits: int, autorun: bool) -> Kernel:
    """The kernel that puts zeros back between compressed weights."""
    lanes = e.width * e.burst
    body = Body(
        # One block comes in, one rests, one goes out: four of them, each with a flag for every
        # place.
        memories=(Memory("block", 4 * BLOCK, bits, lanes, granule=1),),
        register_bits=3 * BLOCK * lanes + lanes * bits,
        multiplexer_bits=lanes * (2 * bits + BLOCK),
    )
    return Kernel("weight_expander", body, autorun, (), 2 * lanes * bits + WORD, 3, 3, 512)


def gather_kernel(graph: Graph, e: Engines, bits: int) -> Kernel:
    """The kernel of data movement: a load unit for whole vectors, one for every lane otherwise, and
    those of the tables."""
    placement, v = place_tensors(graph, e.width), e.width
    lsus: list[Lsu] = []
    kinds: set[tuple[bool, bool]] = set()
    for layer in graph.layers:
        if layer.op == "gather":
            source = graph.tensors[layer.inputs[0]]
            tables = operator(layer.op).folded_tables(
                layer, source, placement.locations[source.name].stride, e
            )
            kinds.add((bool(tables["whole"]), "blend_weights" in tables))
    whole, single = any(w for w, _ in kinds), any(not w for w, _ in kinds)
    blend = any(b for _, b in kinds)
    for _ in range(1 + blend):
        lsus += [Lsu("tables", WORD)] * (2 + whole) + [Lsu("features", v * bits)] * whole
        lsus += [Lsu("tables", WORD), Lsu("values", bits)] * (v * single)
    lsus += [Lsu("tables", WORD)] * blend
    arithmetic = Arithmetic(adds=v * blend, multiply_adds=v * blend)
    return Kernel(
        "gather_engine",
        Body(arithmetic),
        False,
        tuple(lsus),
        v * bits + WORD,
        2,
        2,
        1024,
        2 + blend,
    )


def convolution_kernels(
    e: Engines, bits: int, autorun: bool, lsus: tuple[Lsu, ...]
) -> list[Kernel]:
    """Tiles, multiplier array, results."""
    v, vector = e.width, e.width * bits
    lanes = e.outputs * v
    array = Body(
        Arithmetic(multiply_adds=e.inputs * v * lanes, adds=lanes),
        () if lsus else (sums_memory(e, vector),),
        2 * e.inputs * v * lanes * bits,  # weights in use, and the next word's
        lanes * bits + e.outputs * e.inputs * v,
    )
    tiles = Body(memories=(Memory("tiles", 2 * e.tile_vectors, vector, copies=e.inputs),))
    return [
        Kernel("convolution_tiles", tiles, autorun, (), (1 + e.inputs) * vector + 2 * WORD, 4, 3, 768 + 96 * e.inputs),
        Kernel("convolution_engine", array, autorun and not lsus, lsus, vector * (e.inputs + e.burst) + lanes * bits + 2 * WORD, 5, 2, 512),
        results_kernel("convolution", e, bits, autorun),
    ]  # fmt: skip


def skipping_kernels(e: Engines, bits: int, autorun: bool) -> list[Kernel]:
    """Tile and multipliers in one kernel, results; `e` as the engine sees it."""
    v, vector = e.width, e.width * bits
    lanes = e.outputs * v
    memories = (
        Memory("tiles", 2 * e.tile_vectors, bits, v, granule=1, copies=e.inputs * lanes),
        sums_memory(e, vector),
    )
    # Weights and places in use, and the next word's.
    kept = 2 * e.inputs * v * lanes * (bits + PLACE_BITS)
    engine = Body(
        Arithmetic(multiply_adds=e.inputs * v * lanes, adds=lanes), memories, kept, lanes * bits
    )
    channel_bits = vector * (1 + e.burst) + lanes * bits + 2 * WORD
    return [
        Kernel("skipping_engine", engine, autorun, (), channel_bits, 5, 4, 1024),
        results_kernel("skipping", e, bits, autorun),
    ]


def sums_memory(e: Engines, vector: int) -> Memory:
    """The accumulators of an array's pixels; vectors beyond a step's outputs rest, so each is
    stored alone."""
    return Memory("sums", e.tile_pixels, vector, e.outputs, granule=1)


def results_kernel(engine: str, e: Engines, bits: int, autorun: bool) -> Kernel:
    """The kernel that sends an array's results one by one."""
    vector = e.width * bits
    group = e.outputs * vector
    body = Body(
        memories=(Memory("results", 2 * e.tile_pixels, vector, e.outputs),), multiplexer_bits=group
    )
    return Kernel(f"{engine}_results", body, autorun, (), group + vector + WORD, 3, 2, 512)


def epilogue(
    graph: Graph, plan: Plan, e: Engines, bits: int, sources: int, scaled: bool, autorun: bool
) -> Kernel:
    """Scale, bias, residual and activations of one vector a cycle."""
    v = e.width
    negatives = any(
        operator(layer.op).epilogue_fields(layer).get("scale_negative") for layer in graph.layers
    )
    # With scales, product and shift are one unit.
    arithmetic = Arithmetic(multiply_adds=v * scaled, adds=v * (negatives if scaled else 1))
    joins = {
        graph.layer(step.joined or step.layer).attributes.function
        for step in plan.steps
        if step.residual
    }
    for function in sorted(joins):
        arithmetic += FUNCTIONS[function].units.times(v)
    kinds = {layer.activation.kind: layer.activation for layer in graph.layers if layer.activation}
    for activation in kinds.values():
        arithmetic += activation.units(v)
    if any(clears_lanes(graph, step, e) for step in plan.steps):
        arithmetic += Arithmetic(compares=v)
    kept, stored = bias_words(plan.steps)
    names = ("bias", "scale") if scaled else ("bias",)
    memories = tuple(Memory(name, stored, v * bits) for name in names if stored)
    registers = kept * v * bits * len(names)
    body = Body(
        arithmetic, memories, registers, v * bits * (sources + len(kinds) + len(names)) + registers
    )
    return Kernel(
        "epilogue", body, autorun, (), v * bits * (sources + 3 + scaled) + WORD, sources + 4, 1, 512
    )


def bias_words(steps: Iterable[StepPlan]) -> tuple[int, int]:
    """Bias vectors that the epilogue keeps in registers and in a memory.

    In registers are those of groups so small that a word of a memory would be due again too soon.
    """
    counts = {step.vectors_at_once for step in steps}
    return (
        max((count for count in counts if count < MEMORY_DISTANCE), default=0),
        max((count for count in counts if count >= MEMORY_DISTANCE), default=0),
    )


def bias_depth(e: Engines) -> int:
    """Depth of the channel of biases, so that they never hold up the weights behind them.

    Results leave a group late, the array takes a group's weights ahead, and the weight expander two
    blocks: six groups are enough.
    """
    return max(DEPTH, 6 * max(e.outputs, e.skip_outputs))
