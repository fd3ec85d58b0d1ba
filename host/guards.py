"""Poisoned margins round every buffer of a validation: stray reads give NaN results, stray writes are seen afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyopencl as cl

# Bytes on either side; more than any device's alignment of buffers.
MARGIN = 4096
# As a float not a number, as an integer -1.
POISON = np.uint8(0xFF)


class Guarded:
    """A device buffer of `size` bytes between two margins; everything is poison until it is written."""

    def __init__(self, context: Any, queue: Any, size: int):
        self.size, self.queue = size, queue
        self.whole = cl.Buffer(context, cl.mem_flags.READ_WRITE, size + 2 * MARGIN)
        cl.enqueue_fill_buffer(queue, self.whole, POISON, 0, size + 2 * MARGIN).wait()
        self.buffer = self.whole.get_sub_region(MARGIN, size)

    def intact(self) -> bool:
        """Whether both margins are as they were."""
        margin = np.empty(MARGIN, np.uint8)
        for offset in (0, MARGIN + self.size):
            cl.enqueue_copy(self.queue, margin, self.whole, src_offset=offset)
            if (margin != POISON).any():
                return False
        return True
