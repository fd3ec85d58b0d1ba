"""What holds of the model whatever the plan: no rate above the roofline, no layer slower with more
units, no simulation faster than the law."""

from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import pipelined_cycles
from hlsgen.model.simulate import simulate
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from hlsgen.schedule.pipelined.choices import WIDTHS, Choice, tensor_classes
from hlsgen.schedule.pipelined.planner import complete
from hlsgen.zoo import network
from tests.support.cases import case
from tests.support.plans import zoo_plan

NAMES = [
    "add_residual",
    "branches_of_different_length",
    "conv_grouped",
    "conv_depthwise",
    "squeeze_and_excitation",
]


def graph_of(name):
    return hlsgen.load_graph(network("lenet5") if name == "lenet5" else case(name))


def random_choice(graph, random):
    """Legal widths and options for every layer, drawn at random; None where the draw is not
    legal."""
    classes = tensor_classes(graph)
    widths = {
        representative: int(random.choice(WIDTHS))
        for representative in sorted(set(classes.values()))
    }
    unrolled = frozenset(layer.name for layer in graph.layers if random.random() < 0.5)
    lane_folding, vectors_per_cycle = {}, {}
    for layer in graph.layers:
        op, kernel = (
            operator(layer.op),
            KernelPlan(
                layer.name,
                widths[classes[layer.inputs[0]]],
                widths[classes[layer.output]],
                layer.name in unrolled,
            ),
        )
        for tensor, width in (
            *((graph.tensors[name], kernel.input_width) for name in layer.inputs),
            (graph.output_tensor(layer), kernel.output_width),
        ):
            if not op.legal_widths(layer, tensor, width):
                return None
        lane_folding[layer.name] = int(random.choice(op.lane_folding_options(layer, kernel)))
        vectors_per_cycle[layer.name] = int(
            random.choice(
                op.vectors_per_cycle_options(
                    layer, graph, replace(kernel, lane_folding=lane_folding[layer.name])
                )
            )
        )
    return Choice(widths, unrolled, lane_folding, vectors_per_cycle=vectors_per_cycle)


@pytest.mark.parametrize("name", [*NAMES, "lenet5"])
def test_random_designs_obey_roofline_and_law(name):
    graph = graph_of(name)
    empty, classes, random = (
        hlsgen.schedule(graph, style="pipelined"),
        tensor_classes(graph),
        np.random.default_rng(5),
    )
    found = 0
    while found < 20:
        choice = random_choice(graph, random)
        if choice is None:  # not legal
            continue
        plan = complete(graph, empty, classes, choice)
        predicted = estimate(graph, plan)
        assert predicted.throughput <= predicted.roofline_fps
        assert all(item.utilisation <= 1 for item in predicted.timing.layers)
        if name != "lenet5":  # small enough to simulate again and again
            simulated = simulate(graph, plan, 4)
            assert not simulated.deadlocked
            assert simulated.interval >= predicted.timing.cycles * (1 - 1e-9)
        found += 1


@pytest.mark.parametrize("name", [*NAMES, "lenet5"])
def test_more_units_never_take_more_cycles(name):
    """Of two kernels that differ in one width, window or number of vectors at once, the one with
    more units is no slower."""
    graph, target = graph_of(name), board("pac_d5005")
    plan = (
        zoo_plan("lenet5", "pipelined")[1]
        if name == "lenet5"
        else hlsgen.schedule(graph, style="pipelined")
    )
    compared = 0
    for layer in graph.layers:
        op = operator(layer.op)
        kernels = {}
        for width in WIDTHS:
            for output in WIDTHS if not op.same_width(layer) else (width,):
                legal = all(op.legal_widths(layer, graph.tensors[t], width) for t in layer.inputs)
                if not legal or not op.legal_widths(layer, graph.output_tensor(layer), output):
                    continue
                for unrolled in (False, True):
                    kernel = KernelPlan(layer.name, width, output, unrolled)
                    steps, outs = op.reduction(layer, graph, kernel)
                    sums = 1
                    while sums * outs < 8 and sums < steps:
                        sums *= 2
                    kernels[width, output, unrolled] = pipelined_cycles(
                        layer, graph, replace(kernel, partial_sums=sums), plan, target
                    )
        for (width, output, unrolled), cycles in kernels.items():
            for wider in (
                (2 * width, output, unrolled),
                (width, 2 * output, unrolled),
                (width, output, True),
            ):
                if wider in kernels:
                    compared += 1
                    assert kernels[wider] <= cycles, (layer.name, wider)
    assert compared
