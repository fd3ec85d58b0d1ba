"""Layers that are alike share their options, so that a deep chain of equal layers costs little more
than a short one."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.model.pipelined_timing import lead
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal, check_goal
from hlsgen.schedule.pipelined import options, problem
from hlsgen.schedule.pipelined.choices import tensor_classes
from hlsgen.sparsify import sparsify
from hlsgen.zoo import network
from tests.emulator.test_skip import NETWORK as SKIPPING
from tests.support.networks import parse


def test_equal_layers_without_bias_are_built_once(monkeypatch):
    """Their bias is all zeros, and that is nothing to skip."""
    graph = hlsgen.load_graph(
        parse(
            "(float[1,8,6,6] x, float[8,8,3,3] a, float[8,8,3,3] b, float[8,8,3,3] c, "
            "float[8,8,3,3] d) => (float[1,8,6,6] y) "
            "{ s = Conv<pads=[1,1,1,1]>(x, a) t = Conv<pads=[1,1,1,1]>(s, b) "
            "u = Conv<pads=[1,1,1,1]>(t, c) y = Conv<pads=[1,1,1,1]>(u, d) }"
        )
    )
    built = []
    every = problem.layer_options
    monkeypatch.setattr(
        problem,
        "layer_options",
        lambda layer, *rest: built.append(layer.name) or every(layer, *rest),
    )
    hlsgen.schedule(graph, style="pipelined")
    assert built == ["s", "y"]  # no kernel reads what the last one writes


def test_kernels_that_pins_leave_are_costed_once(monkeypatch):
    """A sparse network is searched with zeros skipped, then without: the kernels that multiply by
    all weights are the same."""
    graph = hlsgen.load_graph(sparsify(parse(SKIPPING), "relative", sparsity=0.85).model)
    built, costed = [], options.option_cost

    def cost(layer, graph, board, plan, kernel):
        built.append(kernel)
        return costed(layer, graph, board, plan, kernel)

    monkeypatch.setattr(options, "option_cost", cost)
    plan = hlsgen.schedule(graph, style="pipelined")
    assert any(kernel.nonzeros_per_lane for kernel in plan.kernels)
    assert len(built) == len(set(built))


def test_kernels_with_weights_on_chip_are_costed_once(monkeypatch):
    """Those of a prefix are those of a pipeline whose weights may come through banks' readers."""
    graph = hlsgen.load_graph(parse(
        "(float[1,16,6,6] x, float[16,16,3,3] a, float[16,16,3,3] b) => (float[1,16,6,6] y) "
        "{ s = Conv<pads=[1,1,1,1]>(x, a) y = Conv<pads=[1,1,1,1]>(s, b) }"
    ))  # fmt: skip
    target, goal, classes = board("pac_d5005"), check_goal(Goal()), tensor_classes(graph)
    plan, cache = Plan(graph.name, "pac_d5005", "pipelined"), options.OptionCache()
    sharing = replace(plan, weight_readers=2)
    every = problem.build_problem(graph, target, sharing, goal, classes, cache)
    alone = problem.build_problem(graph, target, plan, goal, classes, streams=False)
    monkeypatch.delattr(options, "option_cost")
    prefix = problem.build_problem(graph, target, plan, goal, classes, cache, streams=False)
    assert prefix.options == alone.options
    for name, found in every.options.items():
        assert any(option.bytes for option in found)
        assert prefix.options[name] == tuple(option for option in found if not option.bytes)


@pytest.mark.parametrize("model", ["network", "sparse"])
def test_what_a_kernel_needs_first_is_its_own(model):
    """It is worked out once for all kernels of a layer that work in as many row tiles."""
    graph = hlsgen.load_graph(
        network("mobilenetv1", size=32, width=0.25)
        if model == "network"
        else sparsify(parse(SKIPPING), "relative", sparsity=0.85).model
    )
    plan, target = Plan(graph.name, "pac_d5005", "pipelined"), board("pac_d5005")
    classes = tensor_classes(graph)
    found = problem.build_problem(graph, target, plan, check_goal(Goal()), classes)
    for layer in graph.layers:
        for option in found.options[layer.name]:
            assert option.lead == lead(layer, graph, option.kernel), option
