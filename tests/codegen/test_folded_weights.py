"""The order in which the engines take their weights, against a walk through it one by one."""

from itertools import product

import numpy as np

import hlsgen
from hlsgen.engines import engine
from tests.support.cases import case


def taken(name):
    """A step of a case's first layer, with its engine, the filters and what the engine takes."""
    graph = hlsgen.load_graph(case(name))
    plan = hlsgen.schedule(graph, board="de10_nano", style="folded")
    step = plan.steps[0]
    found, _ = engine(step.engine).weights(graph, step, plan.engines)
    return step, plan.engines, graph.layer(step.layer).weights["weight"], found


def test_of_the_array_group_by_group_word_by_word():
    step, engines, weight, found = taken("conv_pointwise")
    assert step.engine == "convolution"
    v, inputs = engines.width, engines.of(step.engine).inputs
    taps = -(-weight.shape[1] // v)
    loops = (step.groups, -(-taps // inputs), step.output_vectors, inputs, v, v)
    values = []
    for group, word, vector, tap, i, lane in product(*map(range, loops)):
        output = (group * step.output_vectors + vector) * v + lane
        channel = (word * inputs + tap) * v + i
        there = output < weight.shape[0] and channel < weight.shape[1]
        values.append(weight[output, channel, 0, 0] if there else 0)
    assert found.shape == (step.groups, len(values) // step.groups // v, v)
    assert np.array_equal(found.ravel(), np.array(values, np.float32))


def test_of_a_fully_connected_layer_output_vector_by_output_vector():
    step, engines, weight, found = taken("gemm_transposed")
    assert step.engine == "dense"
    v, burst = engines.width, engines.burst
    outputs, inputs = weight.shape[:2]
    lanes = -(-(-(-inputs // v) * v) // burst) * burst
    values = []
    for vector, i, lane in product(
        range(step.groups * step.output_vectors), range(lanes), range(v)
    ):
        output = vector * v + lane
        values.append(weight[output, i, 0, 0] if output < outputs and i < inputs else 0)
    assert np.array_equal(found.ravel(), np.array(values, np.float32))
