"""How long plain loop nests take that aoc pipelines without being told how.

Measured on a Stratix 10 with kernels that TVM generated; docs/model.md derives the laws and
`python -m benchmarks.model` holds them against all of these kernels. A sum's address does not
change in the loops that it passes through, so it stays in a register and no addition waits for
memory. An addition still waits for the one before:

- Sums through one loop or two are interleaved: while one waits, the next begins. The innermost loop
  starts an iteration a cycle, if there are as many sums as the interval has cycles.
- Sums through three loops are not. The innermost loop starts an iteration each initiation interval
  of an addition, and runs anew only when the sum has come out of its last run.
"""

from __future__ import annotations

from math import prod

from hlsgen.kernel.plain import PlainNest

# Most loops that a sum may pass through and still be interleaved with others.
INTERLEAVED = 2
# Cycles that an entry of interleaved loops costs beside its iterations, by the number of loops:
# the iteration that finds one loop's end; the iterations that aoc starts before it knows of two.
ENDS = {1: 1, 2: 4}
# Cycles between two runs of an innermost loop that sums nothing.
NEXT_RUN = 9
# Cycles from the first load of an innermost loop's run to its sum, where the next run waits for it.
PASS = 22
# Cycles that such a run waits longer if it begins with a word that is not in its unit's cache.
MISS = 100


def waits_for_sums(nest: PlainNest) -> bool:
    """Whether each addition waits for the one before it."""
    return len(nest.sums) > INTERLEAVED


def nest_cycles(nest: PlainNest, interval: int, missed: float = 0.0) -> float:
    """Cycles of a nest. `interval`: from one addition to the next that needs its sum. `missed`: the
    share of the innermost loop's runs that begin with a word of external memory that is not in the
    cache; 0 for kernels of ours, which read each word several runs in a row."""
    if not nest.sums:
        return nest.entries + NEXT_RUN * (nest.runs - 1)
    if not waits_for_sums(nest):
        paced = nest.entries * (prod(nest.sums) + ENDS[len(nest.sums)])
        return max(paced, interval * prod(nest.sums))
    *outer, last = nest.sums
    return nest.entries * prod(outer) * (interval * (last - 1) + PASS + MISS * missed)
