"""What holds a design up, on boards made so that it must: memory, the link to the host, launches,
readers, accumulators."""

from dataclasses import replace
from functools import cache

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import initiation_interval
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.pipelined.choices import Choice, tensor_classes
from hlsgen.schedule.pipelined.fifo import MARGIN, depth, pixel_times
from hlsgen.schedule.pipelined.planner import complete
from tests.support.networks import parse

BOARD = board("pac_d5005")
CONV = (
    "(float[1,8,6,6] x, float[8,8,3,3] w) => (float[1,8,6,6] y) { y = Conv<pads=[1,1,1,1]>(x, w) }"
)
# Bytes of the input and the output.
PORTS = 2 * 8 * 6 * 6 * 4


@cache
def built(style, text=CONV):
    graph = hlsgen.load_graph(parse(text))
    return graph, hlsgen.schedule(graph, style=style)


def test_memory_holds_up_a_pipelined_design():
    """One reader and a writer reach 68 % of the peak, and move input and output alone."""
    graph, plan = built("pipelined")
    found = estimate(graph, plan, board=replace(BOARD, bandwidth=0.001))
    assert (
        found.throughput == pytest.approx(0.68e6 / PORTS)
        and found.timing.bottleneck == "external memory"
    )


def test_the_host_link_holds_up_a_pipelined_design():
    graph, plan = built("pipelined")
    found = estimate(graph, plan, board=replace(BOARD, pcie_bandwidth=0.001))
    assert found.throughput == pytest.approx(1e6 / PORTS) and found.timing.bottleneck == "host link"
    assert found.latency > PORTS / 1e6


def test_a_reader_of_narrow_vectors_holds_up_a_kernel_of_wide_words():
    """The kernel multiplies four vectors of two channels a cycle; the reader brings one a cycle."""
    graph = hlsgen.load_graph(
        parse("(float[1,8,6,6] x, float[8,8,1,1] w) => (float[1,8,6,6] y) { y = Conv(x, w) }")
    )
    classes = tensor_classes(graph)
    widths = {classes[graph.inputs[0].tensor]: 2, classes[graph.outputs[0].tensor]: 8}
    choice = Choice(widths, frozenset(), vectors_per_cycle={"y": 4})
    found = estimate(
        graph, complete(graph, Plan(graph.name, "pac_d5005", "pipelined"), classes, choice)
    )
    assert found.timing.layers[0].cycles == 36 and found.timing.bottleneck == "network input"
    assert found.throughput == pytest.approx(found.resources.fmax * 1e6 / (36 * 4))


def test_memory_holds_up_a_folded_design():
    """Two readers and a writer reach 61 %."""
    graph, plan = built("folded")
    slow, quick = (estimate(graph, plan, board=replace(BOARD, bandwidth=b)) for b in (0.001, 76.8))
    assert (
        slow.timing.bytes >= PORTS
        and slow.latency > slow.timing.bytes / 0.61e6 > 100 * quick.latency
    )
    assert slow.latency == pytest.approx(slow.timing.bytes / 0.61e6, rel=0.01)
    assert (
        "external memory" in slow.timing.bottleneck
        and "external memory" not in quick.timing.bottleneck
    )


@pytest.mark.parametrize(("style", "launches"), [("base", 1), ("pipelined", 1), ("folded", 5)])
def test_launches_cost_time(style, launches):
    """A kernel a layer; a reader, kernels that start by themselves and a writer at once; step
    reader, three readers and writer."""
    graph, plan = built(style)
    free, dear = (
        estimate(graph, plan, board=replace(BOARD, launch_us=us)).latency for us in (0, 1000)
    )
    assert dear - free == pytest.approx(launches * 1e-3)


@pytest.mark.parametrize(
    ("partial_sums", "outputs", "expected"),
    [(1, 1, 8), (1, 2, 4), (1, 3, 3), (2, 3, 2), (1, 8, 1), (8, 1, 1)],
)
def test_an_accumulator_waits_for_the_adder(partial_sums, outputs, expected):
    """Eight cycles, less what the partial sums and the outputs that take turns cover."""
    graph = hlsgen.load_graph(
        parse(
            f"(float[1,16,4,4] x, float[{outputs},16,1,1] w) => (float[1,{outputs},4,4] y) {{ "
            f"y = Conv(x, w) }}"
        )
    )
    kernel = KernelPlan("y", 1, 1, partial_sums=partial_sums)
    plan = Plan(graph.name, "pac_d5005", "pipelined", kernels=(kernel,))
    assert initiation_interval(graph.layers[0], graph, kernel, plan, BOARD) == expected


def test_a_gate_waits_for_its_map():
    """One pixel of the gate is there while the map's first pixel is not: the FIFO holds all its
    vectors."""
    text = (
        "(float[1,8,6,6] x, float[8,8,1,1] w) => (float[1,8,6,6] y) { g = "
        "GlobalAveragePool(x) s = Conv(g, w) y = Mul(x, s) }"
    )
    graph = hlsgen.load_graph(parse(text))
    last, times = graph.layers[-1], pixel_times(graph)
    gate, image = graph.layers[-2].output, graph.inputs[0].tensor
    assert last.inputs == (image, gate)
    assert depth(gate, last.name, 1, 1, graph, times) == 8 + MARGIN
    assert depth(image, last.name, 0, 2, graph, times) == 36 * 4 + MARGIN
