"""The simulator takes all events of a kernel at once; it must say what one says that moves vector
by vector, deadlocks included."""

import random

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.model.shrink import shrink
from hlsgen.model.simulate import Run, simulate
from hlsgen.zoo import network
from tests.support.cases import case
from tests.support.event_by_event import simulate as event_by_event

CASE_NAMES = (
    "conv_strided_padded",
    "conv_depthwise",
    "concat_nested_and_reused",
    "branches_of_different_length",
    "strided_branches",
    "add_two_inputs",
    "output_is_an_input",
    "two_outputs",
)


def planned(name):
    graph = hlsgen.load_graph(network(name) if name == "lenet5" else case(name))
    return graph, hlsgen.schedule(graph, style="pipelined")


def figures(found):
    return found.completions, set(found.blocked), found.occupancy, dict(found.stalls)


@pytest.mark.parametrize("name", ["lenet5", *CASE_NAMES])
def test_at_any_depths(name):
    graph, plan = planned(name)
    some = random.Random(name)
    deadlocks = 0
    for trial in range(8):
        depths = (
            {i: max(1, round(edge.depth * some.random() ** 2)) for i, edge in enumerate(plan.edges)}
            if trial
            else {}
        )
        expected = event_by_event(graph, plan, 3, depths)
        found = simulate(graph, plan, 3, depths=depths)
        assert figures(found) == figures(expected), depths
        deadlocks += found.deadlocked
    if name in ("branches_of_different_length", "strided_branches"):
        assert deadlocks


@pytest.mark.parametrize("name", ["branches_of_different_length", "lenet5"])
def test_a_fifo_shrinks_only_where_no_image_leaves_later(name):
    """A run that goes on from where a FIFO first matters says what a run from the beginning says,
    and one that is undone leaves no trace."""
    graph, plan = planned(name)
    roomy = {i: 2 * edge.depth for i, edge in enumerate(plan.edges)}
    run = Run.of(graph, plan, 3, board(plan.board), roomy)
    run.finish()
    outcomes = set()
    for i, edge in enumerate(plan.edges):
        for depth in {edge.depth, -(-edge.depth // 4)}:
            before, trial = run.simulation(), event_by_event(graph, plan, 3, roomy | {i: depth})
            shrunk = shrink(run, i, depth)
            assert shrunk == trial.no_later(before)
            roomy |= {i: depth} if shrunk else {}
            assert figures(run.simulation()) == figures(trial if shrunk else before)
            outcomes.add(shrunk)
    assert outcomes == {True, False}
