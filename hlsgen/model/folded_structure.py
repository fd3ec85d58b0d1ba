"""The structure of folded designs: readers, engines, epilogue, writer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hlsgen.descriptors import clears_lanes, record_fields
from hlsgen.engines import engine, engine_of, engines_of
from hlsgen.engines.base import DEPTH, WORD, Engine, Products, same, weight_word
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import Arithmetic, Body, Fifo, Kernel, Lsu, Structure
from hlsgen.kernel.memory import MEMORY_DISTANCE, Memory
from hlsgen.ops import operator
from hlsgen.ops.binary import FUNCTIONS
from hlsgen.plan import Engines, Plan, StepPlan

# Integers that the readers and the writer multiply, for addresses (of tile, row, column, group and
# image) and for the lengths of their loops.
PRODUCTS = {
    "feature_reader": Products(5, 7),
    "residual_reader": Products(5, 7),
    "writer": Products(5, 7),
    "parameter_reader": Products(3, 2),
}


def engines_used(graph: Graph, plan: Plan) -> list[Engine]:
    """The engines that a plan's steps run, in the order in which they first do."""
    return list(dict.fromkeys(used for step in plan.steps for used in engines_of(graph, step)))


def folded_structure(graph: Graph, plan: Plan, bits: int) -> Structure:
    """All kernels and channels of a folded plan."""
    e = plan.engines
    assert e is not None
    vector, words = e.width * bits, len(record_fields(graph, plan.steps))
    residual = any(step.residual for step in plan.steps)
    scaled = any(operator(layer.op).folded_scale(layer) is not None for layer in graph.layers)
    used, writing = engines_used(graph, plan), {step.engine for step in plan.steps}
    plain = "" in writing
    autorun = plan.enabled("autorun") and plan.enabled("concurrent_queues")
    kernels = [*readers(plan, vector, used, residual, plain, scaled)]
    listeners = ["feature", "parameter", *reading(used), *["residual"] * residual, "writer"]
    kernels.append(
        Kernel(
            "step_reader",
            Body(),
            lsus=(Lsu("table", WORD),),
            channel_bits=WORD * len(listeners),
            channel_ends=len(listeners),
            loops=2,
            integer_bits=128,
        )
    )
    fifos = [
        Fifo("epilogue_step", WORD, words),
        Fifo("epilogue_out", vector, DEPTH),
        Fifo("step_done", 32, 2),
        Fifo("epilogue_bias", vector * (1 + scaled), bias_depth(e)),
    ]
    fifos += [Fifo(f"{name}_steps", WORD, words) for name in listeners]
    fifos += [Fifo("plain_in", vector, DEPTH)] * plain
    fifos += [Fifo("residual_in", vector, DEPTH), Fifo("residual_ready", 32, 2)] * residual
    products = dict(PRODUCTS)
    for known in used:
        products |= known.products
        kernels += known.kernels(graph, plan, bits) + known.readers(plan)
        fifos += known.fifos(plan, bits, words)
        fifos += [Fifo(f"{known.name}_out", vector, DEPTH)] * (known.name in writing)
    fifos += [Fifo(f"{feeder}_to_{fed}", vector, DEPTH) for feeder, fed in pairs_fed(graph, plan)]
    kernels.append(epilogue(graph, plan, e, bits, len(writing), scaled, autorun))
    walk = (Lsu("features", vector, store=True),)
    kernels.append(
        Kernel("writer", Body(), lsus=walk, channel_bits=vector, channel_ends=2, integer_bits=1024)
    )
    counted = (with_products(kernel, products, plan.images > 1) for kernel in kernels)
    return Structure(tuple(counted), tuple(fifos))


def reading(used: list[Engine]) -> list[str]:
    """The readers that serve some engine alone, as the channels of their records are called."""
    return [known.reader.removesuffix("_reader") for known in used if known.reader]


def pairs_fed(graph: Graph, plan: Plan) -> list[tuple[str, str]]:
    """The engines that feed others, each with the one that it feeds."""
    pairs = (
        (engine_of(graph.layer(step.feeder)).name, step.engine)
        for step in plan.steps
        if step.feeder
    )
    return list(dict.fromkeys(pairs))


def with_products(kernel: Kernel, products: dict[str, Products], several: bool) -> Kernel:
    """The kernel with the integers that it multiplies, where a launch takes several images or
    one."""
    more = products.get(kernel.name, same(0))
    return replace(kernel, products=kernel.products + (more.several if several else more.single))


def readers(
    plan: Plan, vector: int, used: list[Engine], residual: bool, plain: bool, scaled: bool
) -> tuple[Kernel, ...]:
    """Kernels that read global memory."""
    word = weight_word(plan)
    weighted = sum(known.weighted and not known.reader for known in used)
    ends = sum(known.fed for known in used) + plain
    found = [
        Kernel(
            "feature_reader",
            Body(),
            lsus=(Lsu("features", vector),),
            channel_bits=ends * vector + len(used) * WORD,
            channel_ends=ends + len(used) + 1,
            integer_bits=1536,
        ),
        Kernel(
            "parameter_reader",
            Body(),
            lsus=(*[Lsu("weights", word)] * bool(weighted), Lsu("biases", vector * (1 + scaled))),
            channel_bits=weighted * word + vector * (1 + scaled) + WORD,
            channel_ends=weighted + 2,
            loops=2,
            integer_bits=512,
        ),
    ]
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
        graph.layer(step.addition or step.layer).attributes.function
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
