"""Compressed weights of convolutions in memory: what the weight expander turns back into words.

A group's words are cut into blocks of `BLOCK`. For every lane of a block come its non-zero weights
with their places in the block, four at a time: a word of places (one byte each, 255 for none), then
four words of values. All blocks of a step have as many rows as its fullest lane needs.
"""

from __future__ import annotations

from math import ceil

import numpy as np

# Words of a block: a lane's places fit 64 bits of flags.
BLOCK = 64
# Entries whose places share a word, and the words that they take together.
ENTRIES, ROWS = 4, 5
NONE = 255


def blocks_of(words: np.ndarray, burst: int) -> np.ndarray:
    """Weight words `(groups, N * burst, V)` as `(groups, blocks, BLOCK, burst * V)`, the last block
    filled up with zeros."""
    groups, vectors, width = words.shape
    count = vectors // burst
    lanes = words.reshape(groups, count, burst * width)
    missing = -count % BLOCK
    return np.pad(lanes, ((0, 0), (0, missing), (0, 0))).reshape(groups, -1, BLOCK, burst * width)


def block_rows(words: np.ndarray, burst: int) -> int:
    """Words that a block takes in memory."""
    fullest = int(np.count_nonzero(blocks_of(words, burst), axis=2).max(initial=0))
    return max(1, ceil(fullest / ENTRIES)) * ROWS


def compressed(words: np.ndarray, burst: int, rows: int) -> np.ndarray:
    """The compressed stream `(groups, blocks * rows * burst, V)` of words, `rows` a block."""
    width = words.shape[2]
    blocks = blocks_of(words, burst)
    groups, count, _, lanes = blocks.shape
    entries = rows // ROWS * ENTRIES
    filled = blocks != 0
    rank = np.cumsum(filled, axis=2, dtype=np.int16) - 1
    group, block, place, lane = np.nonzero(filled)
    entry = rank[group, block, place, lane]
    values = np.zeros((groups, count, entries, lanes), np.float32)
    places = np.full((groups, count, entries, lanes), NONE, np.uint32)
    values[group, block, entry, lane] = blocks[group, block, place, lane]
    places[group, block, entry, lane] = place
    packed = np.zeros((groups, count, entries // ENTRIES, lanes), np.uint32)
    for byte in range(ENTRIES):
        packed |= places[:, :, byte::ENTRIES] << np.uint32(8 * byte)
    stream = np.empty((groups, count, entries // ENTRIES, ROWS, lanes), np.float32)
    stream[:, :, :, 0] = packed.view(np.float32)
    stream[:, :, :, 1:] = values.reshape(groups, count, -1, ENTRIES, lanes)
    return stream.reshape(groups, -1, width)
