"""The simulator: exact on closed forms, in step with the analytical model, and it sees the
deadlocks that the emulator sees."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.model.estimate import estimate
from hlsgen.model.even_flow import even_flow
from hlsgen.model.resources import Caps
from hlsgen.model.simulate import simulate
from hlsgen.ops import operator
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.fifo import depth, pixel_times
from hlsgen.zoo import network
from tests.emulator.test_emulator_operators import REFUSED
from tests.support.cases import CASES, case
from tests.support.networks import parse, verdict_of
from tests.support.plans import zoo_plan

ZOO = {
    "lenet5": {},
    "mobilenetv1": {"size": 64, "width": 0.5},
    "resnet18": {"size": 64, "width": 0.25},
    "mobilenetv2": {"size": 64, "width": 0.35},
    "squeezenet": {"size": 64},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_throughput_agrees_with_the_analytical_model(name):
    graph, plan = zoo_plan(name, "pipelined", **ZOO[name])
    found, predicted = simulate(graph, plan, 12), estimate(graph, plan)
    assert not found.deadlocked
    assert found.interval == pytest.approx(predicted.timing.cycles, rel=0.002)


def test_a_chain_in_closed_form():
    """Function after function, n vectors: one a cycle, each kernel adds its depth, the reader the
    latency of the memory."""
    graph = hlsgen.load_graph(
        parse("(float[1,4,6,6] x) => (float[1,4,6,6] y) { a = LeakyRelu(x) y = Sigmoid(a) }")
    )
    plan = hlsgen.schedule(graph, style="pipelined")
    vectors = 36 * 4 // plan.edges[0].width
    found = simulate(graph, plan, 2)
    first = hlsgen.boards.board("pac_d5005").device.load_latency
    first += sum(
        operator(layer.op).pipeline_depth(layer, graph, plan.kernel(layer.name))
        for layer in graph.layers
    )
    assert found.completions == (first + vectors - 1, first + 2 * vectors - 1)


@pytest.mark.parametrize("name", [name for name in CASES if (name, "pipelined") not in REFUSED])
def test_no_case_deadlocks(name):
    graph = hlsgen.load_graph(case(name))
    assert not simulate(graph, hlsgen.schedule(graph, style="pipelined"), 2).blocked


@pytest.mark.emulator
def test_a_shallow_fifo_deadlocks_here_and_on_the_emulator(tmp_path):
    graph = hlsgen.load_graph(case("branches_of_different_length"))
    plan = hlsgen.schedule(graph, style="pipelined")
    skip = next(
        i for i, e in enumerate(plan.edges) if e.tensor == graph.inputs[0].tensor and e.depth > 20
    )
    edges = tuple(replace(e, depth=2) if i == skip else e for i, e in enumerate(plan.edges))
    shallow = replace(plan, edges=edges)
    found = simulate(graph, shallow, 2)
    assert found.deadlocked and any(
        "room in the channel" in text for text in found.blocked.values()
    )
    hlsgen.generate(graph, shallow, tmp_path / "design")
    from hlsgen.host.design import HostDesign

    verdict = verdict_of(HostDesign(tmp_path / "design"), strict=True, timeout=4)
    assert not verdict["ok"] and verdict["unfinished"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenetv1", "resnet18"])
def test_fifos_as_deep_as_an_even_flow_fills_them_keep_the_pace(name):
    """No kernel then waits for room, so that images leave as often as the slowest kernel lets them;
    with a quarter of the depths they do not."""
    graph, plan = zoo_plan(name, "pipelined", **ZOO[name])
    board = hlsgen.boards.board("pac_d5005")
    flow = even_flow(graph, plan, 8, board)
    assert flow.interval == estimate(graph, plan).timing.cycles
    times = pixel_times(graph)
    least = [depth(e.tensor, e.consumer, e.position, e.width, graph, times) for e in plan.edges]
    deep = {i: max(least[i], held + 1) for i, held in enumerate(flow.occupancy)}
    assert simulate(graph, plan, 16, depths=deep).interval == flow.interval
    shallow = {i: max(least[i], held // 4) for i, held in enumerate(flow.occupancy)}
    assert simulate(graph, plan, 16, depths=shallow).interval > flow.interval


@pytest.mark.slow
def test_depths_keep_the_pace_and_are_the_least_that_do():
    """A FIFO that is deeper than its least cannot go back there without an image that comes
    later."""
    for name in ("lenet5", "resnet18"):
        graph, plan = zoo_plan(name, "pipelined", **ZOO[name])
        found = simulate(graph, plan, 6)
        assert found.interval == estimate(graph, plan).timing.cycles
        times = pixel_times(graph)
        for i, edge in enumerate(plan.edges):
            least = depth(edge.tensor, edge.consumer, edge.position, edge.width, graph, times)
            assert edge.depth >= least
            if edge.depth > least:
                assert not simulate(graph, plan, 6, depths={i: least}).no_later(found), edge


@pytest.mark.slow
def test_memory_blocks_are_kept_for_fifos_where_those_would_find_none():
    """The quickest kernels leave too little room for the depths they need: slower ones that are
    never held up are quicker."""
    graph = hlsgen.load_graph(network("mobilenetv1", size=64, width=0.25))
    on_chip = Goal(
        pins={(layer.name, "row_tiles"): 0 for layer in graph.layers}, caps=Caps(blocks=0.55)
    )
    plan = hlsgen.schedule(graph, "pac_a10", style="pipelined", goal=on_chip)
    assert plan.evidence.room > 0
    assert simulate(graph, plan, 4).interval == pytest.approx(
        estimate(graph, plan).timing.cycles, rel=0.01
    )
