"""The step table of folded designs: one record of 32-bit fields a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil
from typing import Any

import numpy as np

from hlsgen.activation import KINDS
from hlsgen.engines import engine, engine_of, engines
from hlsgen.engines.base import Engine, integer_roles
from hlsgen.graph import Graph, Layer, Tensor, remembered
from hlsgen.kernel.record import Field
from hlsgen.ops import operator, operators
from hlsgen.ops.base import Operator
from hlsgen.ops.binary import NAMES as FUNCTION_NAMES
from hlsgen.placement import Placement
from hlsgen.plan import Engines, StepPlan
from hlsgen.quantised import limits
from hlsgen.types import FLOAT32

# Traits of steps that decide on fields, beside operators and engines.
IMAGES, COMPRESSED, INTEGERS = "images", "compressed", "integers"
# What readers, epilogue and writer need of every step, and what several engines share.
COMMON = (
    Field(
        0,
        "listeners",
        "int",
        "who hears of the step: a bit for each reader and engine, as in the kernel text",
    ),
    Field(10, "engine", "int", "number of the engine; 0 goes straight to the epilogue"),
    Field(20, "in_base", "int", "address of the first input vector"),
    Field(30, "in_stride", "int", "input vectors from pixel to pixel that is read"),
    Field(40, "in_pitch", "int", "input vectors from row to row that is read"),
    Field(50, "in_height", "int", "rows of the input, of those that are read"),
    Field(60, "in_width", "int", "columns of the input, of those that are read"),
    Field(70, "pad_top", "int", "rows of padding above"),
    Field(80, "pad_left", "int", "columns of padding on the left"),
    Field(90, "pad_value", "float", "what the padding holds"),
    Field(100, "tiles_y", "int", "tiles from top to bottom"),
    Field(110, "tiles_x", "int", "tiles from left to right"),
    Field(120, "tiles", "int", "tiles in all", IMAGES),
    Field(130, "images", "int", "images of the step", IMAGES),
    Field(
        140,
        "tile_images",
        "int",
        "images of a tile; those of the last tile beyond the step's are dropped",
        IMAGES,
    ),
    Field(150, "in_step_y", "int", "input rows from tile to tile"),
    Field(160, "in_step_x", "int", "input columns from tile to tile"),
    Field(170, "in_groups", "int", "passes over a tile's positions"),
    Field(180, "in_rows", "int", "input rows of a tile, halo included"),
    Field(190, "in_columns", "int", "input columns of a tile, halo included"),
    Field(200, "in_vectors", "int", "input vectors at each position in one pass"),
    Field(210, "out_base", "int", "address of the first output vector"),
    Field(220, "out_stride", "int", "output vectors from pixel to pixel"),
    Field(230, "out_height", "int", "rows of the output"),
    Field(240, "out_width", "int", "columns of the output"),
    Field(250, "tile_height", "int", "output rows of a tile"),
    Field(260, "tile_width", "int", "output columns of a tile"),
    Field(270, "out_groups", "int", "groups of output vectors"),
    Field(280, "out_vectors", "int", "output vectors of a group"),
    Field(290, "out_valid", "int", "output vectors in all; more are dropped"),
    Field(
        300,
        "residual",
        "int",
        "0 none, else how the epilogue joins a second tensor: its number in the kernel text",
    ),
    Field(310, "residual_base", "int", "its first vector"),
    Field(320, "residual_stride", "int", "its vectors from pixel to pixel; 0: one pixel for all"),
    Field(330, "bias_base", "int", "first bias vector"),
    Field(340, "weight_base", "int", "first weight word"),
    Field(350, "weight_words", "int", "weight words of a group"),
    Field(360, "kernel_y", "int", "window height (LRN: channels after the centre)"),
    Field(370, "kernel_x", "int", "window width (LRN: channels in all)"),
    Field(380, "stride_y", "int", "vertical stride"),
    Field(390, "stride_x", "int", "horizontal stride"),
    Field(400, "dilation_y", "int", "vertical dilation"),
    Field(410, "dilation_x", "int", "horizontal dilation"),
    Field(420, "extent_y", "int", "window height with dilation"),
    Field(430, "extent_x", "int", "window width with dilation"),
    Field(500, "loads", "int", "input vectors in all"),
    Field(510, "results", "int", "output vectors in all"),
    Field(520, "pixels", "int", "output pixels of a tile"),
    Field(530, "plane", "int", "scan positions of a tile"),
    Field(550, "tile_loads", "int", "convolution: input vectors of a tile"),
    Field(670, "planes", "int", "planes in all"),
    Field(
        680,
        "emit_end",
        "int",
        "depthwise, pooling: scan column after the last that gives an output",
    ),
    Field(710, "fused", "int", "1: depthwise results go into the convolution's tiles"),
    Field(720, "feeder_activation", "int", "activation of the depthwise layer of a fused step"),
    Field(730, "feeder_alpha", "float", "its parameter"),
    Field(740, "feeder_low", "float", "its parameter"),
    Field(750, "feeder_high", "float", "its parameter"),
    Field(1050, "activation", "int", "0 none, else its number in the kernel text"),
    Field(1060, "alpha", "float", "parameter of the activation"),
    Field(1070, "low", "float", "parameter of the activation"),
    Field(1080, "high", "float", "parameter of the activation"),
    Field(1120, "number", "int", "the step's own number"),
    Field(1150, "in_float", "int", "1: the input is float32, not integers", INTEGERS),
    Field(1155, "of_float", "int", "1: what an engine sends is float32, no sum", INTEGERS),
    Field(1160, "out_float", "int", "1: the result is float32, not integers", INTEGERS),
    Field(1170, "residual_float", "int", "1: so is the second tensor", INTEGERS),
    Field(1180, "zero", "int", "what is added to a result once it is rounded", INTEGERS),
    Field(1190, "least", "float", "the least that is rounded", INTEGERS),
    Field(1200, "most", "float", "the most that is rounded", INTEGERS),
    Field(1210, "divisor", "float", "by which float32 is divided before; 0: it is not", INTEGERS),
    Field(1215, "offset", "float", "what is added once it is divided", INTEGERS),
    Field(1220, "swapped", "int", "1: the second tensor is the join's first operand", INTEGERS),
    *(
        Field(1230 + 10 * n, f"join_{n}", "float", "constant of the join", INTEGERS)
        for n in range(4)
    ),
    Field(1130, "next_step", "int", "1: another step follows"),
    Field(1140, "next_residual", "int", "1: the step that follows joins a second tensor"),
)


@cache
def all_fields() -> tuple[Field, ...]:
    """The fields that a record may have, in order."""
    owners: list[Engine | Operator] = [*engines().values(), *operators().values()]
    found = {field.number: field for owner in owners for field in owner.fields}
    found |= {field.number: field for field in COMMON}
    return tuple(found[number] for number in sorted(found))


@cache
def nothing() -> dict[str, Any]:
    """A record that says nothing yet."""
    return {field.name: 0 for field in all_fields()}


def record_fields(graph: Graph, steps: Sequence[StepPlan]) -> tuple[Field, ...]:
    """The fields of the records of a network's steps."""
    traits = {step.engine for step in steps} | ({INTEGERS} if graph.integers else set())
    traits |= {COMPRESSED} if any(step.compressed for step in steps) else set()
    traits |= {IMAGES} if any(step.images > 1 or step.first_image for step in steps) else set()
    return fields_of(present_operators(graph) | traits)


@remembered
def present_operators(graph: Graph) -> frozenset[str]:
    """The operators of a network, and what decides on fields of their layers beside."""
    traits = (operator(layer.op).folded_traits(layer) for layer in graph.layers)
    return frozenset(layer.op for layer in graph.layers).union(*traits)


@cache
def fields_of(present: frozenset[str]) -> tuple[Field, ...]:
    """The fields of steps and networks with these operators, engines and traits."""
    return tuple(field for field in all_fields() if field.when in ("", *present))


def step_fields(
    graph: Graph, step: StepPlan, engines: Engines, placement: Placement
) -> dict[str, Any]:
    """The fields of a step that follow from graph, plan and placement, without parameters'
    addresses."""
    layer, own = graph.layer(step.layer), own_fields(graph, step, engines)
    fields = step_counts(graph, step, engines, own)
    result_layer = graph.layer(step.addition) if step.addition else layer
    result, source = graph.output_tensor(result_layer), step_source(graph, step)
    at, out = placement.locations[source.name], placement.locations[result.name]
    image = step.first_image * placement.size
    again = not step.engine and source.name == result.name
    every_y, every_x = own.get("in_every", (1, 1))
    fields |= {
        "in_base": image + at.base + (step.first_vector if again else own.get("in_first", 0)),
        "in_stride": every_x * at.stride,
        "in_pitch": every_y * source.width * at.stride,
        "out_base": image + out.base + step.first_vector,
        "out_stride": out.stride,
        "out_height": result.height,
        "out_width": result.width,
    }
    for prefix, name in operator(layer.op).folded_reads(layer).items() if step.engine else ():
        place = placement.locations[name]
        fields |= {f"{prefix}_base": image + place.base, f"{prefix}_stride": place.stride}
    fields |= epilogue_fields(graph, step, result_layer, placement)
    return fields | rounding_fields(graph, step, source) if graph.integers else fields


def step_source(graph: Graph, step: StepPlan) -> Tensor:
    """The tensor that a step reads."""
    first = graph.layer(step.feeder or step.layer).inputs[0]
    return graph.tensors[step.source or first]


def own_fields(graph: Graph, step: StepPlan, engines: Engines) -> dict[str, Any]:
    """What the operator says of a step; nothing of a pass that finishes what an engine computed."""
    layer = graph.layer(step.layer)
    op = operator(layer.op)
    if not step.engine and op.folded_engine(layer):
        return {}
    return op.folded_fields(layer, graph, step, engines)


def step_counts(
    graph: Graph, step: StepPlan, engines: Engines, own: dict[str, Any]
) -> dict[str, Any]:
    """The fields of a step that need no placement: sizes and trip counts; `own` is what its
    operator says."""
    source = step_source(graph, step)
    fields: dict[str, Any] = nothing() | {
        "in_height": source.height,
        "in_width": source.width,
        "tiles_y": 1,
        "tiles_x": 1,
        "in_rows": source.height,
        "in_columns": source.width,
        "in_groups": step.groups,
        "in_vectors": step.output_vectors,
        "kernel_y": 1,
        "kernel_x": 1,
        "stride_y": 1,
        "stride_x": 1,
        "dilation_y": 1,
        "dilation_x": 1,
    }
    fields |= {name: value for name, value in own.items() if name in fields}
    fields |= {
        "tile_height": step.tile_height,
        "tile_width": step.tile_width,
        "out_groups": step.groups,
        "out_vectors": step.output_vectors,
        "out_valid": step.vector_count,
    }
    fields |= window_arithmetic(fields, step)
    runs = (engine_of(graph.layer(step.feeder)),) if step.feeder else ()
    for known in (*runs, engine(step.engine)):
        fields |= known.derived(fields, step, engines)
    return fields


def window_arithmetic(fields: dict[str, Any], step: StepPlan) -> dict[str, Any]:
    """Address steps and masks, so that no kernel multiplies or divides where a constant will do."""
    extent_y = (fields["kernel_y"] - 1) * fields["dilation_y"] + 1
    extent_x = (fields["kernel_x"] - 1) * fields["dilation_x"] + 1
    tiles, plane = (
        ceil(step.images / step.tile_images) * fields["tiles_y"] * fields["tiles_x"],
        fields["in_rows"] * fields["in_columns"],
    )
    pixels, tile_loads = (
        step.tile_images * step.tile_height * step.tile_width,
        step.tile_images * plane * fields["in_vectors"],
    )
    return {
        "extent_y": extent_y,
        "extent_x": extent_x,
        "tiles": tiles,
        "images": step.images,
        "tile_images": step.tile_images,
        "pixels": pixels,
        "plane": plane,
        "planes": tiles * fields["in_groups"],
        "emit_end": (step.tile_width - 1) * fields["stride_x"] + extent_x,
        "loads": tiles * fields["in_groups"] * tile_loads,
        "results": tiles * step.groups * pixels * step.output_vectors,
        "tile_loads": tile_loads,
    }


def epilogue_fields(
    graph: Graph, step: StepPlan, layer: Layer, placement: Placement
) -> dict[str, Any]:
    """Residual and activation."""
    fields: dict[str, Any] = {}
    if step.residual:
        at = placement.locations[step.residual]
        # `layer` is the join itself, fused or not.
        attributes = layer.attributes
        fields |= {
            "residual": FUNCTION_NAMES.index(attributes.function) + 1,
            "residual_base": step.first_image * placement.size + at.base + step.first_vector,
        }
        fields["residual_stride"] = 0 if attributes.broadcast else at.stride
    fields |= operator(layer.op).epilogue_fields(layer)
    if step.finish and layer.activation is not None:
        a = layer.activation
        fields |= {
            "activation": KINDS.index(a.kind) + 1,
            "alpha": a.alpha,
            "low": a.low,
            "high": a.high,
        }
    if step.feeder and (b := graph.layer(step.feeder).activation) is not None:
        fields |= {"feeder_activation": KINDS.index(b.kind) + 1}
        fields |= {"feeder_alpha": b.alpha, "feeder_low": b.low, "feeder_high": b.high}
    return fields


def rounding_fields(graph: Graph, step: StepPlan, source: Tensor) -> dict[str, Any]:
    """What is an integer, and how results become one."""
    layer = graph.layer(step.layer)
    join = graph.layer(step.addition) if step.addition else layer
    result, kind = graph.output_tensor(join).type, graph.output_tensor(layer).type
    fields: dict[str, Any] = {
        "in_float": int(source.type == FLOAT32),
        "of_float": int(of_float(graph, step)),
        "out_float": int(result == FLOAT32),
        "residual_float": int(bool(step.residual) and graph.tensors[step.residual].type == FLOAT32),
        "swapped": int(step.addition != "" and join.inputs[0] != layer.output),
    }
    if kind.integer:
        zero, (low, high) = operator(layer.op).rounded_to(layer), limits(kind)
        fields |= {"zero": zero, "least": low - zero, "most": high - zero}
    return fields | operator(layer.op).epilogue_fields(layer)


def of_float(graph: Graph, step: StepPlan) -> bool:
    """Whether what a step of a design that computes on integers finishes is float32, no sum."""
    if not step.engine:
        return step_source(graph, step).type == FLOAT32
    return integer_roles(graph)[step.engine].accumulator == FLOAT32


def clears_lanes(graph: Graph, step: StepPlan, engines: Engines) -> bool:
    """Whether the epilogue clears lanes that hold no channel, in which the step's function may have
    no finite value."""
    layers = [graph.layer(name) for name in (step.layer, step.addition) if name]
    unused = graph.output_tensor(layers[0]).channels % engines.width
    return (
        bool(unused)
        and step.finish
        and not all(operator(layer.op).stays_finite(layer) for layer in layers)
    )


def table_array(steps: list[dict[str, Any]], fields: tuple[Field, ...]) -> np.ndarray:
    """The table as int32 words, floats by their bits, `(steps, len(fields))`."""
    table = np.zeros((len(steps), len(fields)), np.int32)
    for row, step in zip(table, steps, strict=True):
        for column, field in enumerate(fields):
            value = step[field.name]
            row[column] = np.float32(value).view(np.int32) if field.kind == "float" else value
    return table


def with_order(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell each step what follows it."""
    for number, (step, following) in enumerate(zip(steps, [*steps[1:], None], strict=True)):
        step["number"] = number
        step["next_step"] = int(following is not None)
        step["next_residual"] = int(following is not None and bool(following["residual"]))
    return steps
