"""The laws of plain loops against kernels timed on a board, that of memory blocks against memories
that aoc built."""

from benchmarks.model.geometries import GOAL, blocks_of, geometries, mean_error
from benchmarks.model.plain_kernels import FITTED, VERSIONS, kernels, share_within

UNTOUCHED, *_ = VERSIONS


def test_timed_kernels_are_predicted():
    found = kernels()
    others = [k for k in found if (k.version, k.design) != FITTED]
    untouched = [k for k in others if k.version == UNTOUCHED]
    assert len(found) == 310 and share_within(others) >= 0.80 and share_within(untouched) >= 0.95


def test_every_kind_of_untouched_kernel_has_a_law():
    """In the middle no kind is off by more than 15 %."""
    kinds = {}
    for k in kernels():
        if k.version == UNTOUCHED:
            kinds.setdefault(k.kind, []).append(k.error)
    middle = {kind: sorted(errors)[len(errors) // 2] for kind, errors in kinds.items()}
    assert len(middle) == 10 and all(abs(error) < 0.15 for error in middle.values()), middle


def test_blocks_of_memories_that_aoc_built():
    """The law meets the goal over all geometries, and in the middle it is exact."""
    found = blocks_of(geometries())
    assert len(found) == 24 and mean_error(found) <= GOAL
    assert sum(not memory.error for memory in found) > len(found) / 2
