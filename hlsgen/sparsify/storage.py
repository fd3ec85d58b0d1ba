"""Bytes of a layer's weights in compressed storage."""

from __future__ import annotations

import numpy as np

from hlsgen.sparsify.select import CHUNK

# Run-length format: for each kept weight its value, and the number of zeros before it in one byte;
# a longer run takes filler entries.
LONGEST_RUN = 255


def stored_bytes(values: np.ndarray) -> int:
    """The smaller of dense storage, run-length storage (5 bytes an entry) and a bit a weight beside
    the kept values."""
    flat, width = values.reshape(-1), values.itemsize
    kept, fillers, last = 0, 0, -1
    for start in range(0, flat.size, CHUNK):
        at = start + np.flatnonzero(flat[start : start + CHUNK])
        if len(at):
            runs = np.diff(at, prepend=last) - 1
            kept, fillers, last = (
                kept + len(at),
                fillers + int((runs // (LONGEST_RUN + 1)).sum()),
                int(at[-1]),
            )
    return min(flat.size * width, (kept + fillers) * (width + 1), -(-flat.size // 8) + kept * width)
