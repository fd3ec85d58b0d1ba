"""Kernels of pipelined designs that skip zero weights: fully connected layers and 1x1 convolutions.

A kernel keeps the input vectors of a pixel on chip. Each lane of its output vector has a list of its own of non-zero weights, each with the
place of the input value that it multiplies, and takes `skip` of them a turn; output vectors take turns, so that an accumulator rests
between two additions. Lists are as long as the fullest row's: time falls with the density of that row.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from hlsgen.graph import Layer, Tensor
from hlsgen.hardware import Memory
from hlsgen.ops.base import WEIGHT_BITS, Events, pad_axis, vectors
from hlsgen.ops.sparse import WORTHWHILE, packed, row_counts
from hlsgen.plan import KernelPlan

# Non-zero weights that a lane may take a turn.
SKIPS = (2, 4, 8, 16)
# Bits of a place: no more input values than that a pixel.
PLACE_BITS = 16


def skips(layer: Layer, source: Tensor, kernel: KernelPlan, pixels: int) -> tuple[int, ...]:
    """How many non-zero weights a lane may take a turn where that takes fewer multiplications than all weights do; 0 is the dense
    kernel. `pixels`: those of the input that make one output pixel."""
    values = pixels * vectors(source.channels, kernel.input_width) * kernel.input_width
    if values > 1 << PLACE_BITS:
        return (0,)
    weight = layer.weights["weight"]
    fullest = int(row_counts(weight).max(initial=0))
    least = WORTHWHILE * weight[0].size
    return (0, *(n for n in SKIPS if n * words(layer, n) < least and (n == SKIPS[0] or n <= fullest)))


def words(layer: Layer, skip: int) -> int:
    """Turns that the fullest row takes."""
    return max(1, ceil(int(row_counts(layer.weights["weight"]).max(initial=0)) / skip))


def outputs(layer: Layer, kernel: KernelPlan) -> int:
    """Output vectors of a pixel."""
    return vectors(len(layer.weights["weight"]), kernel.output_width)


def turns(layer: Layer, kernel: KernelPlan, inputs: int) -> int:
    """Turns of an output pixel: its `inputs` vectors come in, then every output vector takes its words."""
    return inputs + words(layer, kernel.skip) * outputs(layer, kernel)


def stream(layer: Layer, kernel: KernelPlan, rows: np.ndarray) -> np.ndarray:
    """Biases, then for every word of every output vector the values and the places (bits of integers) of its entries.

    `rows` (outputs, input values) in the order in which the kernel keeps them.
    """
    lanes, count = kernel.output_width, words(layer, kernel.skip)
    bias = pad_axis(layer.weights["bias"], 0, lanes).reshape(-1, lanes)
    groups = packed(rows, lanes, 2 * kernel.skip, count).reshape(-1, count, 2 * kernel.skip, lanes)
    return np.concatenate([bias, groups.transpose(1, 0, 2, 3).reshape(-1, lanes)])


def memories(layer: Layer, kernel: KernelPlan, inputs: int, bits: int = WEIGHT_BITS) -> tuple[Memory, ...]:
    """Values and places; and the inputs, a copy for every entry that is fetched in a turn."""
    entries = kernel.skip * kernel.output_width
    count = words(layer, kernel.skip) * outputs(layer, kernel)
    return (
        Memory("values", count, entries * bits),
        Memory("places", count, entries * PLACE_BITS),
        Memory("inputs", inputs * kernel.input_width, bits, copies=entries),
    )


def events(layer: Layer, kernel: KernelPlan, inputs: int, pixels: int) -> Events:
    """Vectors come in at a pixel's start and leave in its last turns, `pixels` output pixels one after another."""
    start = np.arange(pixels)[:, None] * turns(layer, kernel, inputs)
    count = outputs(layer, kernel)
    last = turns(layer, kernel, inputs) - count + np.arange(count)
    return Events(((start + np.arange(inputs)).ravel(),), (start + last).ravel())
