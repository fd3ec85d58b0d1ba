"""Loops of plain kernels: through global memory, pipelined by the compiler as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class PlainNest:
    """A loop nest that starts so many sums, or computes so many values that are none.

    `sums`: trip counts of the loops that one sum passes through, outermost first. In all of them
    its address is the same, so that the compiler keeps it in a register, whatever the text says.
    `runs`: of a nest without sums, how often its innermost loop begins.
    """

    entries: int
    sums: tuple[int, ...] = ()
    runs: int = 1

    @property
    def iterations(self) -> int:
        """Iterations of the innermost loop."""
        return self.entries * prod(self.sums)


def plain_nest(entries: int, sums: Iterable[int] = ()) -> PlainNest:
    """A nest without the loops that run once: they are gone before anything is pipelined."""
    return PlainNest(entries, tuple(trips for trips in sums if trips > 1))
