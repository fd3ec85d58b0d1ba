"""Compressed weights of fully connected layers: for every output its non-zero weights with the
place of the input each multiplies.

The zero-skipping engine has a lane for each of V outputs; in a turn every lane takes the next
non-zero weights of its own row. Rows are padded to the longest of their step, so time falls with
the density of the fullest row, not with the mean: the imbalance.
"""

from __future__ import annotations

import weakref
from math import ceil

import numpy as np

from hlsgen.plan import StepPlan

# An entry is a value and a place, 8 bytes in place of 4; engines must gain at least this much to be
# worth their logic.
WORTHWHILE = 0.8


def entries_a_word(burst: int) -> int:
    """Entries a lane takes from a word of `burst` vectors: each is two of them."""
    return burst // 2


def row_counts(weight: np.ndarray) -> np.ndarray:
    """Non-zero weights of every output of a weight array (outputs, ...). Remembered for as long as
    the array lives."""
    known = _COUNTS.get(id(weight))
    if known is None or known[0]() is not weight:
        counts = np.count_nonzero(weight.reshape(len(weight), -1), axis=1)
        known = _COUNTS[id(weight)] = (weakref.ref(weight), counts)
    return known[1]


# The search asks for every engine shape anew; an array that is gone leaves a dead reference, which
# is never believed.
_COUNTS: dict[int, tuple[weakref.ref[np.ndarray], np.ndarray]] = {}


def density(weight: np.ndarray) -> float:
    """Share of a layer's weights that are not zero."""
    return float(row_counts(weight).sum() / weight.size)


def step_words(weight: np.ndarray, step: StepPlan, width: int, burst: int) -> int:
    """Words of compressed weights for every output vector of a step."""
    first = step.first_vector * width
    return row_words(row_counts(weight)[first : first + step.vector_count * width], burst)


def row_words(counts: np.ndarray, burst: int) -> int:
    """Words that the fullest of some rows takes, by the rows' non-zero weights."""
    return max(1, ceil(int(counts.max(initial=0)) / entries_a_word(burst)))


def is_worthwhile(counts: np.ndarray, inputs: int, burst: int) -> bool:
    """Whether skipping zeros takes so many fewer words than the dense stream (a row's inputs /
    burst)."""
    return burst >= 2 and row_words(counts, burst) < WORTHWHILE * inputs / burst


def imbalance(counts: np.ndarray) -> float:
    """The fullest row's non-zero weights over the mean row's."""
    return float(counts.max() / max(counts.mean(), 1e-9))


def packed(rows: np.ndarray, width: int, burst: int, words: int) -> np.ndarray:
    """Rows (outputs, inputs) as `(groups, words * burst, width)` float32: values, and places as the
    bits of integers, in turn."""
    groups, lanes = ceil(len(rows) / width), entries_a_word(burst)
    result = np.zeros((groups, words * lanes, 2, width), np.float32)
    places = result[:, :, 1].view(np.int32)
    for number, row in enumerate(rows):
        at = np.flatnonzero(row)
        group, lane = divmod(number, width)
        result[group, : len(at), 0, lane] = row[at]
        places[group, : len(at), lane] = at
    return result.reshape(groups, words * burst, width)
