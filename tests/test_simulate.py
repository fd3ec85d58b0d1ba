"""The simulator: exact on closed forms, in step with the analytical model, and it sees the deadlocks that the emulator sees."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.schedule.fifo import depth, pixel_times
from hlsgen.schedule.simulate import simulate
from hlsgen.schedule.timing import KERNEL_LATENCY
from hlsgen.zoo import network
from tests.cases import CASES, case
from tests.networks import parse, verdict_of
from tests.test_emulator_operators import REFUSED

ZOO = {
    "lenet5": {},
    "mobilenetv1": {"size": 64, "width": 0.5},
    "resnet18": {"size": 64, "width": 0.25},
    "mobilenetv2": {"size": 64, "width": 0.35},
    "squeezenet": {"size": 64},
}


@pytest.mark.parametrize("name", ZOO)
def test_throughput_agrees_with_the_analytical_model(name):
    graph = hlsgen.load(network(name, **ZOO[name]))
    plan = hlsgen.schedule(graph, style="pipelined")
    from hlsgen.schedule.estimate import estimate

    found, predicted = simulate(graph, plan, 3), estimate(graph, plan)
    assert not found.deadlocked
    assert found.interval == pytest.approx(predicted.timing.cycles, rel=0.03)


def test_a_chain_in_closed_form():
    """Relu after Relu, n vectors: one a cycle, each kernel adds its latency, the reader that of the memory."""
    graph = hlsgen.load(parse("(float[1,4,6,6] x) => (float[1,4,6,6] y) { a = LeakyRelu(x) y = Sigmoid(a) }"))
    plan = hlsgen.schedule(graph, style="pipelined")
    vectors = 36 * 4 // plan.edges[0].width
    found = simulate(graph, plan, 2)
    first = hlsgen.boards.board("pac_d5005").device.load_latency + len(graph.layers) * KERNEL_LATENCY
    assert found.completions == (first + vectors - 1, first + 2 * vectors - 1)


@pytest.mark.parametrize("name", [name for name in CASES if (name, "pipelined") not in REFUSED])
def test_no_case_deadlocks(name):
    graph = hlsgen.load(case(name))
    assert not simulate(graph, hlsgen.schedule(graph, style="pipelined"), 2).blocked


def test_a_shallow_fifo_deadlocks_here_and_on_the_emulator(tmp_path):
    graph = hlsgen.load(case("branches_of_different_length"))
    plan = hlsgen.schedule(graph, style="pipelined")
    skip = next(i for i, e in enumerate(plan.edges) if e.tensor == graph.inputs[0].tensor and e.depth > 20)
    edges = tuple(replace(e, depth=2) if i == skip else e for i, e in enumerate(plan.edges))
    shallow = replace(plan, edges=edges)
    found = simulate(graph, shallow, 2)
    assert found.deadlocked and any("room in the channel" in text for text in found.blocked.values())
    hlsgen.generate(graph, shallow, tmp_path / "design")
    from hlsgen.host.design import HostDesign

    verdict = verdict_of(HostDesign(tmp_path / "design"), strict=True, timeout=4)
    assert not verdict["ok"] and verdict["unfinished"]


def test_depths_keep_the_pace_and_are_the_least_that_do():
    graph = hlsgen.load(network("lenet5"))
    plan = hlsgen.schedule(graph, style="pipelined")
    free = simulate(graph, plan, 2, depths=dict.fromkeys(range(len(plan.edges)), 1 << 40))
    assert simulate(graph, plan, 2).interval <= 1.01 * free.interval
    times = pixel_times(graph)
    for i, edge in enumerate(plan.edges):
        least = depth(edge.tensor, edge.consumer, edge.position, edge.width, graph, times)
        assert edge.depth >= least
        if edge.depth > least:
            assert simulate(graph, plan, 2, depths={i: least}).interval > 1.01 * free.interval, edge
