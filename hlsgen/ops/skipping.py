"""Weights of the convolution engine that skips zeros: for every output channel and lane of its
input vectors, the non-zero weights with their places.

The engine multiplies, for each of V * outputs output channels, `inputs` weights of each of the V
lanes of an input vector a turn. Every multiplier has a copy of its lane of the tile, so it may look
anywhere; hence the weights of an output and a lane are dealt out to its `inputs` multipliers in
turn, which balances them. All outputs of a step take as many words as the fullest list of any of
its outputs and lanes: the imbalance.

A group's words follow each other. A word holds, output vector by output vector and multiplier by
multiplier (number k * V + lane), a vector of V values and a vector of V places (the bits of
integers). A place is the address of the tap in the tile, relative to the output pixel's: (ky *
dilation * columns + kx
* dilation) * vectors + input vector.
"""

from __future__ import annotations

import weakref
from math import ceil

import numpy as np

from hlsgen.graph import Layer
from hlsgen.plan import EngineSizes, StepPlan


def list_lengths(weight: np.ndarray, groups: int, width: int) -> np.ndarray:
    """Non-zero weights of every output and input lane, `(outputs, width)`, of filters (O, I /
    groups, KH, KW). Remembered for as long as the array lives: the search asks for it again and
    again."""
    key = (id(weight), groups, width)
    known = _LENGTHS.get(key)
    if known is None or known[0]() is not weight:
        known = _LENGTHS[key] = (weakref.ref(weight), count_lengths(weight, groups, width))
    return known[1]


_LENGTHS: dict[tuple[int, int, int], tuple[weakref.ref[np.ndarray], np.ndarray]] = {}


def count_lengths(weight: np.ndarray, groups: int, width: int) -> np.ndarray:
    """See `list_lengths`."""
    outputs, channels = weight.shape[:2]
    counts = np.count_nonzero(weight.reshape(outputs, channels, -1), axis=2)
    lengths = np.zeros((outputs, width), np.int64)
    first = np.arange(outputs) // (outputs // groups) * channels
    lanes = (first[:, None] + np.arange(channels)) % width
    np.add.at(lengths, (np.arange(outputs)[:, None], lanes), counts)
    return lengths


def step_lists(layer: Layer, step: StepPlan, width: int) -> np.ndarray:
    """Non-zero weights of every output and input lane of a step of a convolution."""
    first = step.first_vector * width
    lengths = list_lengths(layer.weights["weight"], layer.attributes.groups, width)
    return lengths[first : first + step.vector_count * width]


def words(lengths: np.ndarray, inputs: int) -> int:
    """Words that the fullest list takes, dealt out to `inputs` multipliers."""
    return max(1, ceil(int(lengths.max(initial=0)) / inputs))


def packed(
    block: np.ndarray, places: np.ndarray, vectors_per_cycle: int, count: int, own: EngineSizes
) -> np.ndarray:
    """The words `(groups, count * vectors of a word, V)` of filters (O, I, KH, KW), O and I whole
    groups and vectors; `places` (I / V, KH, KW)."""
    v, inputs = own.width, own.inputs
    groups, depth = block.shape[0] // (v * vectors_per_cycle), block.shape[1] // v
    lists = block.reshape(groups, vectors_per_cycle, v, depth, v, -1).transpose(0, 1, 2, 4, 3, 5)
    lists = lists.reshape(
        groups, vectors_per_cycle, v, v, -1
    )  # group, output vector, output lane, input lane, taps
    filled = lists != 0
    rank = np.cumsum(filled, axis=4) - 1
    group, output, lane, source, tap = np.nonzero(filled)
    word, turn = np.divmod(rank[group, output, lane, source, tap], inputs)
    found = np.zeros((groups, count, vectors_per_cycle, inputs, v, 2, v), np.float32)
    found[group, word, output, turn, source, 0, lane] = lists[group, output, lane, source, tap]
    found.view(np.int32)[group, word, output, turn, source, 1, lane] = places.ravel()[tap]
    return found.reshape(groups, -1, v)
