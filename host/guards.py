"""Poison in and round every buffer of a validation: what reads it gives wrong results, stray writes
are seen afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyopencl as cl

# Bytes on either side; more than any device's alignment of buffers.
MARGIN = 4096
# Words that are not a number and words that are the largest one: sums and products carry the first
# on, a maximum overlooks it and takes the second. Which is which follows the parity of the index'
# bits, so that no stride meets one kind alone.
# Integers have no value that is wrong by itself. A design with integers is run with the second
# poison too: what is read then differs from what was read with the first.
PAIRS = ((0xFFFFFFFF, 0x7F7FFFFF), (0x00000000, 0x80808080))
POISONS = tuple(np.array([pair[n.bit_count() % 2] for n in range(16)], np.uint32) for pair in PAIRS)


class Guarded:
    """A device buffer of `size` bytes between two margins; everything is `poison` until it is
    written."""

    def __init__(self, context: Any, queue: Any, size: int, poison: np.ndarray = POISONS[0]):
        self.size, self.queue, self.poison = size, queue, poison
        length = -(-(size + 2 * MARGIN) // poison.nbytes) * poison.nbytes
        self.whole = cl.Buffer(context, cl.mem_flags.READ_WRITE, length)
        cl.enqueue_fill_buffer(queue, self.whole, poison, 0, length).wait()
        self.buffer = self.whole.get_sub_region(MARGIN, size)

    def intact(self) -> bool:
        """Whether both margins are as they were."""
        return all(self.poisoned(offset) for offset in (0, MARGIN + self.size))

    def poisoned(self, offset: int) -> bool:
        """Whether the margin that begins so many bytes into the buffer is as it was."""
        margin = np.empty(MARGIN, np.uint8)
        cl.enqueue_copy(self.queue, margin, self.whole, src_offset=offset)
        pattern = np.tile(self.poison.view(np.uint8), MARGIN // self.poison.nbytes)
        return bool((margin == np.roll(pattern, -(offset % self.poison.nbytes))).all())
