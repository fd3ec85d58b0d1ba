"""What a simulation says, on completions by hand and on a chain whose last kernel is slow."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.model.simulate import Simulation, simulate
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.schedule.pipelined.choices import Choice, tensor_classes
from hlsgen.schedule.pipelined.planner import complete
from tests.support.networks import parse


def run_of(*completions, blocked=()):
    return Simulation(completions, dict.fromkeys(blocked, "room"), (), {})


def test_the_interval_is_that_of_the_later_half():
    assert run_of(100, 250, 330, 430).interval == (430 - 250) / 2
    assert run_of(100, 210).interval == 110 and run_of(70).interval == 70


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ((10, 20, 30), (10, 20, 30), True),
        ((10, 20, 29), (10, 20, 30), True),
        ((9, 20, 31), (10, 20, 30), False),
        ((10, 21, 30), (10, 20, 30), False),
    ],
)
def test_every_image_must_be_no_later(mine, theirs, expected):
    assert run_of(*mine).no_later(run_of(*theirs)) is expected


def test_a_deadlock_is_later_than_anything_else():
    stuck, other = run_of(blocked=["y"]), run_of(10**9)
    assert stuck.deadlocked and not other.deadlocked
    assert other.no_later(stuck) and not stuck.no_later(other) and not stuck.no_later(stuck)


def slow_chain(depth):
    """Eight turns for each of the 36 vectors that come one a cycle."""
    graph = hlsgen.load_graph(
        parse("(float[1,4,6,6] x, float[8,4,1,1] w) => (float[1,8,6,6] y) { y = Conv(x, w) }")
    )
    classes = tensor_classes(graph)
    choice = Choice(
        {classes[graph.inputs[0].tensor]: 4, classes[graph.outputs[0].tensor]: 1}, frozenset()
    )
    plan = complete(graph, Plan(graph.name, "pac_d5005", "pipelined"), classes, choice)
    return graph, replace(plan, edges=tuple(replace(edge, depth=depth) for edge in plan.edges))


@pytest.mark.parametrize(
    ("depth", "held", "stalls"),
    [(1, 2, 34 * 8 - 35), (2, 3, 33 * 8 - 35), (7, 8, 28 * 8 - 35), (40, 31, 0)],
)
def test_a_full_fifo_holds_its_writer_up(depth, held, stalls):
    """Vector 35 comes when vector 35 - depth is taken, at the earliest, which is 8 (35 - depth)
    cycles after the first; it would have come 35 cycles after it. One more than the depth is there
    in the cycle in which one is taken and another comes. The slow kernel is never held up."""
    graph, plan = slow_chain(depth)
    found = simulate(graph, plan, 1)
    assert not found.deadlocked and found.occupancy[0] == held and found.stalls["input x"] == stalls
    first = hlsgen.boards.board("pac_d5005").device.load_latency
    first += sum(
        operator(layer.op).pipeline_depth(layer, graph, plan.kernel(layer.name))
        for layer in graph.layers
    )
    assert found.completions == (first + 36 * 8 - 1,)
