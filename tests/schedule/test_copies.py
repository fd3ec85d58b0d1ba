"""How many copies of a pipelined design the search chooses."""

import pytest

import hlsgen
from hlsgen.errors import UsageError
from hlsgen.model.estimate import estimate
from hlsgen.schedule.goal import ANY_COPIES, Goal
from hlsgen.schedule.scheduler import schedule
from hlsgen.zoo import network
from tests.support.networks import parse


def test_as_many_as_the_link_feeds():
    """LeNet-5: the fewest copies that do what the link to the host lets through."""
    graph = hlsgen.load_graph(network("lenet5"))
    plan = schedule(graph, style="pipelined", goal=Goal(copies=ANY_COPIES))
    found = estimate(graph, plan)
    assert found.timing.bottleneck == "host link" and found.throughput > 2e6
    fewer = schedule(graph, style="pipelined", goal=Goal(copies=plan.copies - 1))
    assert estimate(graph, fewer).throughput < found.throughput


def test_one_where_no_second_fits():
    """A board with room for one pipeline."""
    model = parse(
        "(float[1,64,7,7] x, float[128,64,3,3] w) => (float[1,128,5,5] y) { y = Conv(x, w) }"
    )
    graph = hlsgen.load_graph(model)
    plan = schedule(graph, "de10_nano", "pipelined", goal=Goal(copies=ANY_COPIES))
    assert plan.copies >= 1
    with pytest.raises(UsageError, match="pipelined designs take"):
        schedule(graph, style="folded", goal=Goal(copies=ANY_COPIES))


def test_no_more_than_the_goal_asks_for():
    """Copies bring no image sooner; and the fewest resources for a rate that one copy reaches are
    those of one, for a rate beyond it those of as many as reach it."""
    graph = hlsgen.load_graph(network("lenet5"))

    def chosen(objective, fps=0.0):
        goal = Goal(objective=objective, fps=fps, copies=ANY_COPIES)
        return schedule(graph, style="pipelined", goal=goal)

    assert chosen("latency").copies == 1
    assert chosen("resources", 1000.0).copies == 1
    fast = chosen("resources", 600_000.0)
    assert fast.copies == 2 and estimate(graph, fast).throughput >= 600_000
