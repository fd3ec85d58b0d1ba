"""Kernels of pipelined designs that skip zero weights: fully connected layers and convolutions.

A kernel keeps what an output pixel sees on chip, in `nonzeros_per_lane` banks for every tap of the
window: bank k of a tap holds lanes k * B to (k + 1) * B of every input vector there, B =
input_width / nonzeros_per_lane. Each lane of its output vector has a list for every bank, of its
non-zero weights for that bank's inputs, each with the place of the input that it multiplies; in a
turn it takes one entry of each list. Output vectors take turns, so that an accumulator rests
between two additions. All lists are as long as the longest: time falls with the density of the
fullest bank of the fullest row.

Banks keep the fetches cheap: an output lane needs a copy of every bank, B values wide, in place of
a copy of all inputs for every entry.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np

from hlsgen.graph import Layer
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Loop
from hlsgen.kernel.values import Roles
from hlsgen.ops.arrays import pad_axis, vectors
from hlsgen.ops.sparse import WORTHWHILE
from hlsgen.plan import KernelPlan
from hlsgen.types import PLACE_BITS

# Non-zero weights that a lane may take a turn, for every tap of the window; one is too slow where
# there is one tap.
SKIPS = (1, 2, 4, 8, 16)


def nonzeros_options(layer: Layer, inputs: int, kernel: KernelPlan) -> tuple[int, ...]:
    """How many non-zero weights a lane may take a turn where that takes fewer multiplications than
    all weights do; 0 is the dense kernel. `inputs`: the input vectors that make an output pixel."""
    weight, count, width = layer.weights["weight"], taps(layer), kernel.input_width
    # Lists of places and values are not decoded; and no list is shorter than the mean.
    if layer.narrow or nonzeros(weight) >= WORTHWHILE * weight.size:
        return (0,)
    possible = [
        n for n in SKIPS if n <= width and n * count > 1 and inputs * width // n <= 1 << PLACE_BITS
    ]
    return (
        0,
        *(
            n
            for n in possible
            if n * count * longest(weight, width, n, count) < WORTHWHILE * weight[0].size
        ),
    )


def taps(layer: Layer) -> int:
    """Taps of the layer's window, each with banks of its own; a fully connected layer has one."""
    window = getattr(layer.attributes, "window", None)
    return window.taps if window is not None else 1


def list_lengths(weight: np.ndarray, width: int, skip: int, count: int = 1) -> np.ndarray:
    """Non-zero weights of every output and bank, `(outputs, count * skip)`, of a weight (outputs,
    C, ...) whose last axis is `count` taps."""
    outputs, channels = weight.shape[:2]
    found = pad_axis(
        np.count_nonzero(weight.reshape(outputs, channels, -1, count), axis=2), 1, width
    )
    lists = found.reshape(outputs, -1, skip, width // skip, count).sum(axis=(1, 3))
    lengths: np.ndarray = lists.transpose(0, 2, 1).reshape(outputs, -1)
    return lengths


def longest(weight: np.ndarray, width: int, skip: int, count: int = 1) -> int:
    """The longest list."""
    return remembered(
        weight,
        (width, skip, count),
        lambda: max(1, int(list_lengths(weight, width, skip, count).max(initial=0))),
    )


def nonzeros(weight: np.ndarray) -> int:
    """Weights that are not zero."""
    return remembered(weight, (), lambda: int(np.count_nonzero(weight)))


def remembered(weight: np.ndarray, key: tuple[int, ...], count: Callable[[], int]) -> int:
    """A count over a weight, remembered for as long as the array lives: the search asks for it
    again and again."""
    where = (id(weight), *key)
    known = _COUNTS.get(where)
    if known is None or known[0]() is not weight:
        known = _COUNTS[where] = (weakref.ref(weight), count())
    return known[1]


_COUNTS: dict[tuple[int, ...], tuple[weakref.ref[np.ndarray], int]] = {}


def words(layer: Layer, kernel: KernelPlan) -> int:
    """Turns that an output vector takes: the longest list."""
    return longest(
        layer.weights["weight"], kernel.input_width, kernel.nonzeros_per_lane, taps(layer)
    )


def imbalance(layer: Layer, kernel: KernelPlan) -> float:
    """The longest list over the mean one."""
    lengths = list_lengths(
        layer.weights["weight"], kernel.input_width, kernel.nonzeros_per_lane, taps(layer)
    )
    return float(lengths.max() / max(lengths.mean(), 1e-9))


def outputs(layer: Layer, kernel: KernelPlan) -> int:
    """Output vectors of a pixel."""
    return vectors(len(layer.weights["weight"]), kernel.output_width)


def loops(layer: Layer, kernel: KernelPlan, inputs: int) -> tuple[Loop, ...]:
    """Of an output pixel: its `inputs` vectors come in, then every output vector takes its words,
    of an entry for every bank of every tap."""
    banks = taps(layer) * kernel.nonzeros_per_lane
    return (
        Loop("c", inputs, arrives=True),
        Loop("n", words(layer, kernel), reduces=True),
        Loop("o", outputs(layer, kernel)),
        Loop("k", banks, unrolled=True),
    )


def entries(layer: Layer, kernel: KernelPlan, rows: np.ndarray) -> np.ndarray:
    """For every word of every output vector, for every bank a vector of values and one of places.

    `rows` (outputs, taps, input values), vector after vector. Place n of a bank is lane n % B of
    its vector n // B.
    """
    lanes, count, groups = kernel.output_width, words(layer, kernel), outputs(layer, kernel)
    width, number_of = (
        kernel.input_width // kernel.nonzeros_per_lane,
        taps(layer) * kernel.nonzeros_per_lane,
    )
    split = rows.reshape(len(rows), taps(layer), -1, kernel.nonzeros_per_lane, width).transpose(
        0, 1, 3, 2, 4
    )
    banks = split.reshape(len(rows), number_of, -1)
    found = np.zeros((count, groups, number_of, 2, lanes), np.float32)
    for number, row in enumerate(banks):
        group, lane = divmod(number, lanes)
        for bank in range(number_of):
            at = np.flatnonzero(row[bank])
            found[: len(at), group, bank, :, lane] = np.stack([row[bank, at], at], axis=1)
    return found.reshape(-1, lanes)


def memories(layer: Layer, kernel: KernelPlan, inputs: int, types: Roles) -> tuple[Memory, ...]:
    """Values and places; and the banks of the inputs, a copy for every output lane."""
    banks, lanes = taps(layer) * kernel.nonzeros_per_lane, kernel.output_width
    count = words(layer, kernel) * outputs(layer, kernel)
    width = kernel.input_width // kernel.nonzeros_per_lane
    return (
        Memory("values", count, lanes * types.weight.bits, banks, granule=1),
        Memory("places", count, PLACE_BITS, banks * lanes, granule=lanes),
        Memory("inputs", inputs, types.operand.bits, banks * width, granule=width, copies=lanes),
    )
