"""The step table of folded designs: one record of 32-bit fields a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil
from typing import Any

import numpy as np

from hlsgen.activation import KINDS
from hlsgen.graph import Graph, Layer, Tensor, remembered
from hlsgen.kernel.memory import MEMORY_DISTANCE, SUM_DISTANCE
from hlsgen.ops import operator
from hlsgen.ops.binary import NAMES as FUNCTION_NAMES
from hlsgen.placement import Placement
from hlsgen.plan import ARRAYS, Engines, StepPlan

# Name, C type, meaning. Sizes and addresses count vectors.
FIELDS: tuple[tuple[str, str, str], ...] = (
    (
        "listeners",
        "int",
        "who hears of the step: a bit for each reader and engine, as in the kernel text",
    ),
    ("engine", "int", "number of the engine; 0 goes straight to the epilogue"),
    ("in_base", "int", "address of the first input vector"),
    ("in_stride", "int", "input vectors from pixel to pixel that is read"),
    ("in_pitch", "int", "input vectors from row to row that is read"),
    ("in_height", "int", "rows of the input, of those that are read"),
    ("in_width", "int", "columns of the input, of those that are read"),
    ("pad_top", "int", "rows of padding above"),
    ("pad_left", "int", "columns of padding on the left"),
    ("pad_value", "float", "what the padding holds"),
    ("tiles_y", "int", "tiles from top to bottom"),
    ("tiles_x", "int", "tiles from left to right"),
    ("tiles", "int", "tiles in all"),
    ("images", "int", "images of the step"),
    (
        "tile_images",
        "int",
        "images of a tile; those of the last tile beyond the step's are dropped",
    ),
    ("in_step_y", "int", "input rows from tile to tile"),
    ("in_step_x", "int", "input columns from tile to tile"),
    ("in_groups", "int", "passes over a tile's positions"),
    ("in_rows", "int", "input rows of a tile, halo included"),
    ("in_columns", "int", "input columns of a tile, halo included"),
    ("in_vectors", "int", "input vectors at each position in one pass"),
    ("out_base", "int", "address of the first output vector"),
    ("out_stride", "int", "output vectors from pixel to pixel"),
    ("out_height", "int", "rows of the output"),
    ("out_width", "int", "columns of the output"),
    ("tile_height", "int", "output rows of a tile"),
    ("tile_width", "int", "output columns of a tile"),
    ("out_groups", "int", "groups of output vectors"),
    ("out_vectors", "int", "output vectors of a group"),
    ("out_valid", "int", "output vectors in all; more are dropped"),
    (
        "residual",
        "int",
        "0 none, else how the epilogue joins a second tensor: its number in the kernel text",
    ),
    ("residual_base", "int", "its first vector"),
    ("residual_stride", "int", "its vectors from pixel to pixel; 0: one pixel for all"),
    ("bias_base", "int", "first bias vector"),
    ("weight_base", "int", "first weight word"),
    ("weight_words", "int", "weight words of a group"),
    ("kernel_y", "int", "window height (LRN: channels after the centre)"),
    ("kernel_x", "int", "window width (LRN: channels in all)"),
    ("stride_y", "int", "vertical stride"),
    ("stride_x", "int", "horizontal stride"),
    ("dilation_y", "int", "vertical dilation"),
    ("dilation_x", "int", "horizontal dilation"),
    ("extent_y", "int", "window height with dilation"),
    ("extent_x", "int", "window width with dilation"),
    ("image_step", "int", "tile vectors from image to image"),
    ("row_step", "int", "tile vectors from output row to output row"),
    ("column_step", "int", "tile vectors from output column to output column"),
    ("tap_step_x", "int", "tile vectors from tap to tap"),
    ("tap_step_y", "int", "tile vectors from the last tap of a row to the first of the next row"),
    (
        "vector_step",
        "int",
        "tile vectors from the last tap of an input vector to the first of the next one",
    ),
    ("loads", "int", "input vectors in all"),
    ("results", "int", "output vectors in all"),
    ("pixels", "int", "output pixels of a tile"),
    ("plane", "int", "scan positions of a tile"),
    ("plane_turns", "int", "depthwise: turns of a plane, no fewer than its weight words"),
    ("tile_loads", "int", "convolution: input vectors of a tile"),
    (
        "send_turns",
        "int",
        "convolution: turns in which a tile is sent to the array, or multiplied where zeros are skipped",
    ),
    ("first_turns", "int", "convolution: turns in which the first tile comes in"),
    ("pass_turns", "int", "convolution: turns in which a tile is sent while the next comes in"),
    ("tile_turns", "int", "convolution: turns of all tiles"),
    (
        "group_turns",
        "int",
        "convolution: turns in which a group's results leave while the next come in",
    ),
    ("result_turns", "int", "convolution: turns of all groups' results"),
    (
        "word_turns",
        "int",
        "convolution: turns in which a word is sent, its pixels' or as many as its taps",
    ),
    (
        "window_taps",
        "int",
        "convolution: taps of a group, an input vector at a place of the window each",
    ),
    ("tile_vectors", "int", "convolution: input vectors at each position of a tile"),
    ("taps_y", "int", "convolution: window height"),
    ("taps_x", "int", "convolution: window width"),
    ("planes", "int", "planes in all"),
    ("emit_end", "int", "depthwise, pooling: scan column after the last that gives an output"),
    ("filter_base", "int", "depthwise: first weight word"),
    ("filter_words", "int", "depthwise: weight words of a plane"),
    ("fused", "int", "1: depthwise results go into the convolution's tiles"),
    ("feeder_activation", "int", "activation of the depthwise layer of a fused step"),
    ("feeder_alpha", "float", "its parameter"),
    ("feeder_low", "float", "its parameter"),
    ("feeder_high", "float", "its parameter"),
    ("taps", "int", "convolution: words of a group, so many additions to an accumulator"),
    ("tap_words", "int", "convolution: weight words of a word of taps"),
    ("phases", "int", "convolution: words of all groups of all tiles"),
    ("phase_turns", "int", "convolution: turns of a phase"),
    ("array_turns", "int", "convolution: turns of the array in all"),
    ("mask_y", "int", "bit i: row i of the engine's window counts"),
    ("mask_x", "int", "bit i: column i of the engine's window counts"),
    ("mode", "int", "pooling: 0 maximum, 1 average; softmax: 1 its logarithm"),
    ("count_top", "int", "average pooling: first scan row that counts"),
    ("count_left", "int", "average pooling: first scan column that counts"),
    ("count_bottom", "int", "average pooling: scan row after the last that counts"),
    ("count_right", "int", "average pooling: scan column after the last that counts"),
    ("channels", "int", "channels of a pixel"),
    ("rows", "int", "gather: first entry of the table of rows"),
    ("columns", "int", "gather: first entry of the table of columns"),
    ("channel_table", "int", "gather: first entry of the table of channels"),
    (
        "channels_step",
        "int",
        "gather: entries of a pixel's own table of channels; 0: one table for all",
    ),
    ("blend", "int", "gather: 0 one value, 1 two blended by row, 2 by column"),
    ("other_rows", "int", "gather: as rows, for the second value"),
    ("other_columns", "int", "gather: as columns, for the second value"),
    ("other_channel_table", "int", "gather: as channel_table, for the second value"),
    ("other_channels_step", "int", "gather: as channels_step, for the second value"),
    ("blend_weights", "int", "gather: first entry of the weights of the second value"),
    ("whole", "int", "gather: 1: whole vectors move"),
    ("group_words", "int", "weight expander: words of a group"),
    ("blocks", "int", "weight expander: blocks of a group"),
    (
        "block_rows",
        "int",
        "weight expander: compressed words of a block; 0: the step is not compressed",
    ),
    ("last_block", "int", "weight expander: words of a group's last block"),
    ("scale_negative", "int", "1: the epilogue scales negative values alone"),
    ("activation", "int", "0 none, else its number in the kernel text"),
    ("alpha", "float", "parameter of the activation"),
    ("low", "float", "parameter of the activation"),
    ("high", "float", "parameter of the activation"),
    ("constant_0", "float", "engine's constant"),
    ("constant_1", "float", "engine's constant"),
    ("constant_2", "float", "engine's constant"),
    ("number", "int", "the step's own number"),
    ("next_step", "int", "1: another step follows"),
    ("next_residual", "int", "1: the step that follows joins a second tensor"),
)


# A record that says nothing yet.
NOTHING: dict[str, Any] = {name: 0 for name, _, _ in FIELDS}
# Fields that only some operators use: networks without them have shorter records.
FIELDS_OF = {
    "gather": (
        "rows", "columns", "channel_table", "channels_step", "blend", "other_rows", "other_columns", "other_channel_table",
        "other_channels_step", "blend_weights", "whole",
    ),
    "prelu": ("scale_negative",),
    "images": ("tiles", "images", "tile_images"),
    "expander": ("group_words", "blocks", "block_rows", "last_block"),
}  # fmt: skip


def record_fields(graph: Graph, steps: Sequence[StepPlan]) -> tuple[tuple[str, str, str], ...]:
    """The fields of the records of a network's steps."""
    compressed = frozenset({"expander"} if any(s.compressed for s in steps) else ())
    several = frozenset({"images"} if several_images(steps) else ())
    return fields_of(present_operators(graph) | compressed | several)


@remembered
def present_operators(graph: Graph) -> frozenset[str]:
    """The operators of a network."""
    return frozenset(layer.op for layer in graph.layers)


@cache
def fields_of(present: frozenset[str]) -> tuple[tuple[str, str, str], ...]:
    """The fields without those of operators that are not `present`."""
    left_out = {name for op, names in FIELDS_OF.items() if op not in present for name in names}
    return tuple(field for field in FIELDS if field[0] not in left_out)


def several_images(steps: Sequence[StepPlan]) -> bool:
    """Whether a launch takes more than one image."""
    return any(step.images > 1 or step.first_image for step in steps)


def step_fields(
    graph: Graph, step: StepPlan, engines: Engines, placement: Placement
) -> dict[str, Any]:
    """The fields of a step that follow from graph, plan and placement, without parameters'
    addresses."""
    layer, own = graph.layer(step.layer), own_fields(graph, step, engines)
    fields = step_counts(graph, step, engines, own)
    result_layer = graph.layer(step.joined) if step.joined else layer
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
    return fields | epilogue_fields(graph, step, result_layer, placement)


def step_source(graph: Graph, step: StepPlan) -> Tensor:
    """The tensor that a step reads."""
    first = graph.layer(step.feeder or step.layer).inputs[0]
    return graph.tensors[step.source or first]


def own_fields(graph: Graph, step: StepPlan, engines: Engines) -> dict[str, Any]:
    """What the operator says of a step; nothing of a plain pass."""
    layer = graph.layer(step.layer)
    return (
        operator(layer.op).folded_fields(layer, graph, step, engines.of(step.engine))
        if step.engine
        else {}
    )


def step_counts(
    graph: Graph, step: StepPlan, engines: Engines, own: dict[str, Any]
) -> dict[str, Any]:
    """The fields of a step that need no placement: sizes and trip counts; `own` is what its
    operator says."""
    source = step_source(graph, step)
    fields: dict[str, Any] = NOTHING | {
        "in_height": source.height,
        "in_width": source.width,
        "tiles_y": 1,
        "tiles_x": 1,
        "in_rows": source.height,
        "in_columns": source.width,
        "in_groups": step.groups,
        "in_vectors": step.vectors_at_once,
        "kernel_y": 1,
        "kernel_x": 1,
        "stride_y": 1,
        "stride_x": 1,
        "dilation_y": 1,
        "dilation_x": 1,
    }
    fields |= {name: value for name, value in own.items() if name in NOTHING}
    fields |= {
        "tile_height": step.tile_height,
        "tile_width": step.tile_width,
        "out_groups": step.groups,
        "out_vectors": step.vectors_at_once,
        "out_valid": step.vector_count,
    }
    return fields | window_arithmetic(fields, step, engines.of(step.engine))


def window_arithmetic(fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
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
    derived = {
        "extent_y": extent_y,
        "extent_x": extent_x,
        "tiles": tiles,
        "images": step.images,
        "tile_images": step.tile_images,
        "pixels": pixels,
        "plane": plane,
        "planes": tiles * fields["in_groups"],
        "plane_turns": max(plane, filter_words(engines)),
        "emit_end": (step.tile_width - 1) * fields["stride_x"] + extent_x,
        "loads": tiles * fields["in_groups"] * tile_loads,
        "results": tiles * step.groups * pixels * step.vectors_at_once,
        "tile_loads": tile_loads,
    }
    if step.engine == "pooling":
        first_y, first_x = engines.pool_extent - extent_y, engines.pool_extent - extent_x
        derived["mask_y"] = sum(
            1 << (first_y + i * fields["dilation_y"]) for i in range(fields["kernel_y"])
        )
        derived["mask_x"] = sum(
            1 << (first_x + i * fields["dilation_x"]) for i in range(fields["kernel_x"])
        )
    if step.engine in ARRAYS:
        derived |= array_arithmetic(fields | derived, step, engines)
    return derived


def filter_words(engines: Engines) -> int:
    """Weight words of a plane of the depthwise engine: its taps and a bias."""
    return ceil((engines.depthwise_extent**2 + 1) / engines.burst)


def array_arithmetic(fields: dict[str, Any], step: StepPlan, engines: Engines) -> dict[str, Any]:
    """How the convolution's tile is walked, and the array's turns; a phase is one word of taps of
    one group of one tile.

    A fused step's tile holds the depthwise results, and its convolution is 1x1.
    """
    fused = bool(step.feeder)
    vectors = fields["in_groups"] if fused else fields["in_vectors"]
    columns = step.tile_width if fused else fields["in_columns"]
    names = ("kernel_y", "kernel_x", "stride_y", "stride_x", "dilation_y", "dilation_x")
    taps_y, taps_x, stride_y, stride_x, dilation_y, dilation_x = (
        1 if fused else fields[name] for name in names
    )
    row_of_taps = dilation_y * columns * vectors
    window_taps = vectors * taps_y * taps_x
    taps, word_turns = (
        fields["taps"] or ceil(window_taps / engines.inputs),
        max(fields["pixels"], engines.inputs),
    )
    skipping = step.engine == "skipping"  # then places travel with the weights
    tap_words = (
        step.vectors_at_once * engines.inputs * engines.width * (1 + skipping) // engines.burst
    )
    turns = max(fields["pixels"], tap_words, SUM_DISTANCE)
    if skipping:
        word_turns = turns
    phases = fields["tiles"] * step.groups * taps
    tile_loads = fields["pixels"] * vectors if fused else fields["tile_loads"]
    send_turns = step.groups * taps * word_turns
    # The half of a buffer that was filled last is read no sooner than a store has been done.
    first_turns = max(tile_loads, tap_words if skipping else engines.inputs) + MEMORY_DISTANCE
    pass_turns = max(tile_loads, send_turns) + MEMORY_DISTANCE
    group_turns = fields["pixels"] * step.vectors_at_once + MEMORY_DISTANCE
    return {
        "fused": int(fused),
        "tile_vectors": vectors,
        "taps_y": taps_y,
        "taps_x": taps_x,
        "image_step": fields["in_rows"] * columns * vectors,
        "row_step": stride_y * columns * vectors,
        "column_step": stride_x * vectors,
        "tap_step_x": dilation_x * vectors,
        "tap_step_y": row_of_taps - (taps_x - 1) * dilation_x * vectors,
        "vector_step": 1 - (taps_y - 1) * row_of_taps - (taps_x - 1) * dilation_x * vectors,
        "tile_loads": tile_loads,
        "taps": taps,
        "window_taps": window_taps,
        "word_turns": word_turns,
        "send_turns": send_turns,
        "first_turns": first_turns,
        "pass_turns": pass_turns,
        "tile_turns": first_turns + (fields["tiles"] - 1) * pass_turns + send_turns,
        "group_turns": group_turns,
        "result_turns": (fields["tiles"] * step.groups + 1) * group_turns,
        "tap_words": tap_words,
        "phases": phases,
        "phase_turns": turns,
        "array_turns": tap_words + phases * turns,
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
    if step.finish and layer.activation is not None and layer.op != "concat":
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


def clears_lanes(graph: Graph, step: StepPlan, engines: Engines) -> bool:
    """Whether the epilogue clears lanes that hold no channel, in which the step's function may have
    no finite value."""
    layers = [graph.layer(name) for name in (step.layer, step.joined) if name]
    unused = graph.output_tensor(layers[0]).channels % engines.width
    return (
        bool(unused)
        and step.finish
        and not all(operator(layer.op).stays_finite(layer) for layer in layers)
    )


def table_array(
    steps: list[dict[str, Any]], fields: tuple[tuple[str, str, str], ...]
) -> np.ndarray:
    """The table as int32 words, floats by their bits, `(steps, len(fields))`."""
    table = np.zeros((len(steps), len(fields)), np.int32)
    for row, step in zip(table, steps, strict=True):
        for column, (name, kind, _) in enumerate(fields):
            row[column] = np.float32(step[name]).view(np.int32) if kind == "float" else step[name]
    return table


def with_order(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell each step what follows it."""
    for number, (step, following) in enumerate(zip(steps, [*steps[1:], None], strict=True)):
        step["number"] = number
        step["next_step"] = int(following is not None)
        step["next_residual"] = int(following is not None and bool(following["residual"]))
    return steps
