"""How convolutions become steps of the folded engines: fields, tiles, runs of groups, blocks of
filters."""

from __future__ import annotations

from math import ceil, gcd
from typing import Any

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.memory import MEMORY_DISTANCE
from hlsgen.ops.arrays import vectors
from hlsgen.ops.window import Window
from hlsgen.plan import Engines, EngineSizes, StepPlan

# What a reader that sends every pixel but once scans.
POINT = Window((1, 1))
# The engine of depthwise convolutions with small filters; it may feed the others.
FEEDER = "depthwise"


def fused_fields(layer: Layer, graph: Graph, step: StepPlan, engines: Engines) -> dict[str, Any]:
    """Fields of a 1x1 convolution that a depthwise layer feeds: the reader and the depthwise engine
    walk the latter's tiles."""
    window: Window = graph.layer(step.feeder).attributes.window
    result = graph.output_tensor(layer)
    source = graph.tensors[graph.layer(step.feeder).inputs[0]]
    columns = (step.tile_width - 1) * window.stride[1] + window.extent[1]
    return window_fields(window) | {
        "tiles_y": ceil(result.height / step.tile_height),
        "tiles_x": ceil(result.width / step.tile_width),
        "in_step_y": step.tile_height * window.stride[0],
        "in_step_x": step.tile_width * window.stride[1],
        "in_rows": (step.tile_height - 1) * window.stride[0] + window.extent[0],
        "in_columns": scan_columns(columns, engines.of(FEEDER).extent),
        "in_groups": vectors(source.channels, engines.width),
        "in_vectors": 1,
    }


def scan_columns(columns: int, extent: int) -> int:
    """Columns that an engine's window of `extent` scans: a word of its line buffer must rest long
    enough, for a row."""
    return max(columns, MEMORY_DISTANCE) if extent > 1 else columns


def window_fields(window: Window) -> dict[str, Any]:
    """Descriptor fields that any windowed engine reads."""
    return {
        "kernel_y": window.kernel[0],
        "kernel_x": window.kernel[1],
        "stride_y": window.stride[0],
        "stride_x": window.stride[1],
        "dilation_y": window.dilation[0],
        "dilation_x": window.dilation[1],
        "pad_top": window.pads[0],
        "pad_left": window.pads[1],
    }


def read_window(window: Window) -> Window:
    """The window over the pixels that the reader sends: one of a single tap that strides is sent no
    others than it needs."""
    return POINT if window.taps == 1 and not any(window.pads) else window


def tile_fields(window: Window, result: Tensor, step: StepPlan, depth: int) -> dict[str, Any]:
    """Fields of a convolution's tiles of outputs and the halo that they need, `depth` input vectors
    at every position."""
    read = read_window(window)
    sampled = {"in_height": result.height, "in_width": result.width, "in_every": window.stride}
    return (
        window_fields(read)
        | (sampled if read != window else {})
        | {
            "tiles_y": ceil(result.height / step.tile_height),
            "tiles_x": ceil(result.width / step.tile_width),
            "in_step_y": step.tile_height * read.stride[0],
            "in_step_x": step.tile_width * read.stride[1],
            "in_rows": (step.tile_height - 1) * read.stride[0] + read.extent[0],
            "in_columns": (step.tile_width - 1) * read.stride[1] + read.extent[1],
            "in_groups": 1,
            "in_vectors": depth,
        }
    )


def group_runs(channels: int, filters: int, groups: int, width: int) -> int:
    """Into how many independent steps a grouped convolution splits so that every step covers whole
    vectors."""
    runs = gcd(groups, gcd(channels, filters))
    while runs > 1 and ((channels // runs) % width or (filters // runs) % width or groups % runs):
        runs -= 1
    return runs


def conv_tile(
    window: Window, result: Tensor, depth: int, own: EngineSizes
) -> tuple[int, int] | None:
    """The tile (rows, columns) of outputs with the fewest tiles across, then down, whose input and
    accumulators fit on chip."""
    vectors, pixels = own.tile_vectors // depth, own.tile_pixels
    across = min(
        pixels, outputs_within(vectors // window.extent[0], window.stride[1], window.extent[1])
    )
    if across < 1:
        return None
    columns = evenly(result.width, across)
    in_columns = (columns - 1) * window.stride[1] + window.extent[1]
    down = min(
        pixels // columns, outputs_within(vectors // in_columns, window.stride[0], window.extent[0])
    )
    return evenly(result.height, down), columns


def outputs_within(positions: int, stride: int, extent: int) -> int:
    """How many outputs along an axis so many input positions give."""
    return (positions - extent) // stride + 1


def evenly(total: int, most: int) -> int:
    """The length of the longest of the fewest equal parts of `total` that are no longer than
    `most`."""
    return ceil(total / ceil(total / most))


def dense_block(weight: np.ndarray, groups: int, outputs: slice, inputs: slice) -> np.ndarray:
    """The block of a grouped filter `(O, I/groups, KH, KW)` as if it were dense, zeros between
    groups."""
    if groups == 1:
        return weight[outputs, inputs]
    per_in, per_out = weight.shape[1], weight.shape[0] // groups
    first, last = outputs.start, min(outputs.stop, weight.shape[0])
    block = np.zeros(
        (last - first, min(inputs.stop, per_in * groups) - inputs.start, *weight.shape[2:]),
        weight.dtype,
    )
    for o in range(first, last):
        start = o // per_out * per_in - inputs.start
        block[o - first, start : start + per_in] = weight[o]
    return block
