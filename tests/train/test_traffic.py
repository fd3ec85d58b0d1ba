"""What crosses the cuts between workers: counted by hand, weighed in the choice of cuts, and waited
for in the simulation."""

from itertools import combinations, pairwise

import pytest

from hlsgen.frontend.training import load_for_training
from hlsgen.train.balance import LayerTime, choose_cuts, crossing_bytes
from hlsgen.train.cut import split
from hlsgen.train.schedule import Sequential, Stale
from hlsgen.train.simulate import StageTime, simulate
from tests.support.networks import parse

BATCH, FLOAT, BOTH_WAYS = 16, 4, 2
# Behind each layer an image has this many values under way: p, then q beside the shortcut p, their
# sum, the pool, the product.
CROSSING = {"p": 6 * 8 * 8, "q": 2 * 6 * 8 * 8, "s": 6 * 8 * 8, "u": 6 * 4 * 4}


@pytest.fixture(scope="module")
def graph():
    text = """(float[1,2,8,8] x, float[6,2,3,3] a, float[6,6,3,3] b, float[96,4] d) =>
(float[1,4] y) {
    p = Conv<pads=[1,1,1,1]>(x, a) q = Conv<pads=[1,1,1,1]>(p, b) s = Add(q, p)
    u = MaxPool<kernel_shape=[2,2], strides=[2,2]>(s)
    f = Flatten(u) i = MatMul(f, d) y = Softmax(i) }"""
    return load_for_training(parse(text)).graph


def test_activations_and_gradients_both_count(graph):
    names = [layer.name for layer in split(graph, ())[0].layers]
    assert names == [*CROSSING, "i"]
    for place, values in enumerate(CROSSING.values(), start=1):
        assert crossing_bytes(graph, place, BATCH) == values * BATCH * FLOAT * BOTH_WAYS
    assert [
        sum(graph.tensors[name].size for name in part.inputs)
        for part in split(graph, tuple(CROSSING))[1:]
    ] == list(CROSSING.values())


@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize("bandwidth", [1e4, 1e5, 3e5, 1e6, 1e12])
def test_chosen_cuts_weigh_sending(stages, bandwidth, graph):
    """Against all choices: a stage takes its layers' time and sends and receives over both of its
    cuts."""
    seconds, names = [1.0, 4.0, 0.5, 0.25, 2.0], [*CROSSING, "i"]
    times = [LayerTime(name, s / 4, s * 3 / 4) for name, s in zip(names, seconds, strict=True)]
    sending = [0, *(v * BATCH * FLOAT * BOTH_WAYS / bandwidth for v in CROSSING.values()), 0]

    def cost(places):
        bounds = (0, *places, len(names))
        slowest = max(sum(seconds[a:b]) + sending[a] + sending[b] for a, b in pairwise(bounds))
        return slowest, sum(sending[place] for place in places)

    best = min(map(cost, combinations(range(1, len(names)), stages - 1)))
    found = choose_cuts(graph, times, stages, BATCH, bandwidth)
    assert cost([names.index(name) + 1 for name in found]) == pytest.approx(best)


def test_of_equally_slow_cuts_the_one_with_least_traffic_is_chosen(graph):
    """The first layer alone sets the pace, wherever the other cut is."""
    times = [
        LayerTime(name, s, 0)
        for name, s in zip([*CROSSING, "i"], (9.0, 1.0, 1.0, 1.0, 1.0), strict=True)
    ]
    assert choose_cuts(graph, times, 3, BATCH, 1e12) == ["p", "u"]


def test_results_and_gradients_are_waited_for():
    """One minibatch through three stages and back, with what both cuts take in both directions."""
    times = [StageTime(1, 2, 10), StageTime(3, 4, 100), StageTime(5, 6)]
    programs = [Sequential(3).program(stage, 1) for stage in range(3)]
    assert simulate(programs, times) == (1 + 10 + 3 + 100 + 5) + (6 + 100 + 4 + 10 + 2)


def test_a_pipeline_of_two_in_closed_form():
    """Cycle by cycle: both passes of a minibatch at either stage, a step apart; sending only fills
    the pipeline."""
    times = [StageTime(1, 1), StageTime(1, 1)]
    programs = [Stale(2).program(stage, 4) for stage in range(2)]
    # Stage 0: f0 f1 f2 b0 f3 b1 b2 b3; stage 1: f0 b0 f1 b1 f2 b2 f3 b3. The last minibatch is back
    # at 10.
    assert simulate(programs, times) == pytest.approx(10)


def test_programs_that_wait_for_each_other_are_refused():
    programs = [[*reversed(Sequential(2).program(0, 1))], Sequential(2).program(1, 1)]
    with pytest.raises(ValueError, match="wait for each other"):
        simulate(programs, [StageTime(1, 1), StageTime(1, 1)])
