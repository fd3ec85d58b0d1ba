"""Garbage collection while a search runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made, beyond those freed, before Python looks for cycles. Searches make many small objects
# that live for a while and are in no cycle; Python's own 700 has it walk through them, and through
# all that is imported, again and again.
THRESHOLD = 20_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Python looks for cycles less often; afterwards as often as before."""
    before = gc.get_threshold()
    if 0 < before[0] < THRESHOLD:
        gc.set_threshold(THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
