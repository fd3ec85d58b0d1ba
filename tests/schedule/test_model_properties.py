"""What holds of the model whatever the plan: no rate above the roofline, no layer slower with more
units, no simulation faster than the law."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import hlsgen
from benchmarks.model import logic
from hlsgen.boards import board, boards
from hlsgen.model.calibration import default_calibration
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import pipelined_cycles
from hlsgen.model.resources import Caps, clock_of
from hlsgen.model.simulate import simulate
from hlsgen.model.times import LayerTime
from hlsgen.model.timing import design_timing
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import WIDTHS, Choice, tensor_classes
from hlsgen.schedule.pipelined.planner import SLOWER, complete
from hlsgen.schedule.provenance import headline, throughput_band
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


@pytest.mark.parametrize("style", ["folded", "hybrid", "base"])
@pytest.mark.parametrize("name", ["squeeze_and_excitation", "lenet5"])
def test_no_style_passes_its_roofline(style, name):
    graph = graph_of(name)
    predicted = estimate(graph, hlsgen.schedule(graph, "pac_a10", style))
    assert predicted.throughput <= predicted.roofline_fps


def test_a_layer_cannot_work_in_more_cycles_than_it_has():
    LayerTime("right", 10.0, 10.0, 0.0, "compute")
    with pytest.raises(AssertionError):
        LayerTime("wrong", 10.0, 10.1, 0.0, "compute")


@pytest.mark.parametrize("resource", ["alms", "blocks", "dsps"])
@pytest.mark.slow
def test_more_of_a_board_is_never_slower(resource):
    """The slowest kernel of the best design, with more and more of one resource."""
    graph, found = graph_of("lenet5"), []
    for share in (0.3, 0.45, 0.63, 0.8, 0.9):
        goal = Goal(caps=replace(Caps(0.9, 0.9, 0.9), **{resource: share}))
        plan = hlsgen.schedule(graph, "pac_a10", "pipelined", goal=goal)
        predicted = estimate(graph, plan)
        assert predicted.resources.fits(board("pac_a10"), goal.caps)
        found.append(max(item.cycles for item in predicted.timing.layers))
    # A design of a few more cycles may be taken, where it leaves the clock higher.
    for slower, faster in pairwise(found):
        assert faster <= slower * (1 + max(SLOWER))


def test_memory_is_never_better_than_its_best_nor_worse_than_its_worst():
    for target in boards().values():
        shares = [target.sustained_bandwidth(n) for n in range(1, 40)]
        assert shares == sorted(shares, reverse=True)
        for n, share in enumerate(shares, 1):
            worst, best = target.at_worst(), target.at_best()
            assert worst.sustained_bandwidth(n) <= share <= best.sustained_bandwidth(n)


@pytest.mark.parametrize(
    ("name", "style"), [("lenet5", "pipelined"), ("add_residual", "folded"), ("lenet5", "hybrid")]
)
def test_the_band_holds_the_rate_and_is_made_of_its_parts(name, style):
    graph = graph_of(name)
    plan = hlsgen.schedule(graph, style=style)
    predicted = headline(graph, plan, default_calibration())
    low, high = throughput_band(graph, plan, predicted, default_calibration())
    assert low < predicted.throughput < high
    r, target = predicted.resources, board("pac_d5005")
    slow = design_timing(graph, plan, target.at_worst(), r.fmax_low).throughput
    fast = design_timing(graph, plan, target.at_best(), r.fmax_high).throughput
    assert low <= slow and high <= fast
    if plan.engines is None:  # held by what the simulation with its FIFOs shows
        pace = plan.copies * 1e6 / plan.evidence.interval
        assert (low, high) == (min(slow, r.fmax_low * pace), min(fast, r.fmax_high * pace))
    else:
        assert (low, high) == (slow, fast)


def test_published_clocks_lie_within_the_band():
    """Whole designs on Stratix 10: eight of ten clocks between 0.82 and 1.14 of the line."""
    within = []
    for sample in logic.designs():
        target = board(sample.board)
        if target.device.family == "stratix10":
            alm, _, blocks, dsps, _ = sample.fitted
            line = clock_of(
                alm + target.reserved_alms,
                blocks + target.reserved_blocks,
                dsps,
                target,
                default_calibration(),
            )
            ratio = float(re.search(r"\((\S+) MHz\)", sample.kernel)[1]) / line
            within.append(target.device.fmax_low_ratio <= ratio <= target.device.fmax_high_ratio)
    assert len(within) == 14 and sum(within) / len(within) >= 0.75


def test_the_search_adds_up_what_a_design_costs():
    """A board with hardly more ALMs than the smallest design takes is enough for the search."""
    graph, target = graph_of("lenet5"), board("de10_nano")
    small = hlsgen.schedule(graph, target.name, "pipelined", goal=Goal("resources", 1.0))
    taken = estimate(graph, small).resources.alms_upper
    cap = 1.002 * taken / target.device.alms
    plan = hlsgen.schedule(graph, target.name, "pipelined", goal=Goal(caps=Caps(alms=cap)))
    assert estimate(graph, plan).resources.alms_upper <= 1.002 * taken
