"""The bounds of the folded search leave out nothing better: it finds what planning every shape
finds."""

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.engines import arrays
from hlsgen.errors import PlanError
from hlsgen.model.estimate import estimate
from hlsgen.model.folded_timing import folded_run
from hlsgen.plan import Plan
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.folded import dual_array, planner
from hlsgen.schedule.folded.planner import Candidate, evaluate, plan_folded, score
from hlsgen.schedule.folded.shapes import candidates
from hlsgen.schedule.goal import Goal
from hlsgen.sparsify import sparsify
from tests.support.cases import case
from tests.support.networks import parse

NETWORK = """(float[1,6,20,20] x, float[24,6,3,3] a, float[24,1,3,3] d, float[24,24,1,1] p,
float[40,24,1,1] c, float[10,40] w) => (float[1,10] y)
{ t = Conv<pads=[1,1,1,1]>(x, a) u = Relu(t) v = Conv<group=24, strides=[2,2]>(u, d)
q = Conv(v, p) s = Conv(q, c) m = GlobalAveragePool(s)
f = Flatten(m) y = Gemm<transB=1>(f, w) }"""

# Few shapes, so that all can be planned.
FEW = {("engines", "width"): 1}


@pytest.fixture(scope="module")
def graph():
    return hlsgen.load_graph(parse(NETWORK))


def every_design(graph, target, plan, goal):
    for shape in candidates(graph, target, plan, goal, arrays()[0]):
        try:
            yield shape, evaluate(graph, shape.plan, target, goal)
        except PlanError:
            continue


def least_score(graph, target, plan, goal):
    designs = [found for _, found in every_design(graph, target, plan, goal)]
    return min(
        score(found, target, goal)
        for found in designs
        if found.predicted.resources.fits(target, goal.caps)
    )


def found_score(graph, target, plan, goal):
    found = plan_folded(graph, target, plan, goal)
    return score(Candidate(found, estimate(graph, found, goal.calibration, target)), target, goal)


@pytest.mark.parametrize(
    ("style", "images", "goal"),
    [
        ("folded", 4, {}),
        ("hybrid", 1, {}),
        ("folded", 1, {"objective": "latency"}),
        ("folded", 1, {"objective": "resources", "fps": 2000.0}),
    ],
)
def test_the_search_finds_what_planning_every_shape_finds(style, images, goal, graph):
    target, goal = board("de5_net"), Goal(images=images, pins=FEW, **goal)
    plan = Plan(graph.name, target.name, style, images=images)
    assert found_score(graph, target, plan, goal) == least_score(graph, target, plan, goal)


def test_of_equally_fast_designs_the_smallest_is_found():
    """The clock is the lowest of its band whatever the engines' size, so that many shapes take as
    long to the last digit."""
    graph, target, goal = hlsgen.load_graph(case("concat_unaligned")), board("pac_a10"), Goal()
    plan = Plan(graph.name, target.name, "folded")
    assert found_score(graph, target, plan, goal) == least_score(graph, target, plan, goal)


@pytest.mark.parametrize("name", ["conv_1d_transposed", "conv_3d"])
@pytest.mark.slow
def test_one_convolution_has_no_use_for_two_arrays(name, monkeypatch):
    """Sparse, so that pairs would be searched; they find nothing better."""
    graph = hlsgen.load_graph(case(name))
    alone = hlsgen.schedule(graph, style="folded")
    monkeypatch.setattr(planner, "has_work_for_both", lambda graph: True)
    paired = hlsgen.schedule(graph, style="folded")
    assert not alone.evidence.pairs and paired.evidence.pairs
    assert alone.engines == paired.engines and alone.steps == paired.steps


@pytest.mark.slow
def test_the_quickest_pairs_are_those_that_costing_all_finds(monkeypatch):
    graph = hlsgen.load_graph(sparsify(parse(NETWORK), "relative", sparsity=0.8).model)
    target, goal = board("de5_net"), Goal(pins={("engines", "width"): 2})
    plan = Plan(graph.name, target.name, "folded")
    both = [list(candidates(graph, target, plan, goal, array)) for array in arrays()]

    def found(most):
        monkeypatch.setattr(dual_array, "MOST_PAIRS", most)
        return dual_array.pairs(graph, *both, target, goal, 1.0)

    every = found(1 << 60)
    assert [shape.seconds for shape in every] == sorted(shape.seconds for shape in every)
    assert len(every) > 100
    for most in (1, 10, 100):
        assert found(most) == every[:most]


@pytest.mark.parametrize("images", [1, 4])
@pytest.mark.slow
def test_no_design_takes_less_than_the_bound_of_its_shape(images, graph):
    target, goal = board("de5_net"), Goal(images=images, pins=FEW)
    ratios = []
    for shape, found in every_design(
        graph, target, Plan(graph.name, target.name, "folded", images=images), goal
    ):
        clock = found.predicted.resources.fmax
        ratios.append(
            shape.seconds / (folded_run(graph, found.plan, target, clock).cycles / (clock * 1e6))
        )
    assert 0.5 < np.max(ratios) <= 1


def test_narrow_weights_come_sooner_than_those_of_float32():
    """Layers of one pixel wait for their weights: the bound counts the bytes that these have in
    memory."""
    graph = hlsgen.load_graph(
        parse(
            "(float[1,64,2,2] x, float[128,64,2,2] a, float[256,128,1,1] c) => "
            "(float[1,256,1,1] y) { t = Conv(x, a) y = Conv(t, c) }"
        )
    )
    target, goal = board("de10_standard"), Goal(pins={("engines", "width"): 4}, weights="float16")
    narrow = with_storage(graph, goal.weights)
    plan = Plan(graph.name, target.name, "folded", weights=goal.weights)
    shape = next(candidates(narrow, target, plan, goal, arrays()[0]))
    found = evaluate(narrow, shape.plan, target, goal)
    clock = found.predicted.resources.fmax
    cycles = folded_run(narrow, found.plan, target, clock).cycles
    assert 0.5 < shape.seconds * clock * 1e6 / cycles <= 1
