"""Base designs: what the model counts, loops and units of global memory, is what the audit finds in
the text."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.audit.design import audit_text
from hlsgen.boards import board
from hlsgen.kernel.plain import PlainNest
from hlsgen.kernel.values import FLOAT
from hlsgen.model.layered_timing import addition_interval, passes_of
from hlsgen.model.plain_loops import nest_cycles
from hlsgen.model.structure import structure
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from hlsgen.types import INT32
from tests.support.networks import parse

# Every kind of loop: sums through three loops, two, one, none; a bias and an activation after them.
NETWORK = """
(float[1, 4, 12, 12] x, float[6, 4, 3, 3] w1, float[6] b1, float[6, 1, 3, 3] w2,
 float[8, 6, 1, 1] w3, float[5, 8] w4) => (float[1, 5] y)
{
  a = Conv<pads = [1, 1, 1, 1]>(x, w1, b1)
  r = Relu(a)
  d = Conv<group = 6, pads = [1, 1, 1, 1]>(r, w2)
  j = Add(r, d)
  m = MaxPool<kernel_shape = [3, 3], strides = [2, 2]>(j)
  p = Conv(m, w3)
  g = GlobalAveragePool(p)
  f = Flatten(g)
  y = Gemm<transB = 1>(f, w4)
}
"""


@pytest.fixture(scope="module")
def design():
    graph = hlsgen.load_graph(parse(NETWORK))
    plan = hlsgen.schedule(graph, style="base")
    return graph, plan


@pytest.fixture(scope="module")
def kernels(design, tmp_path_factory):
    made = hlsgen.generate(*design, tmp_path_factory.mktemp("base") / "design")
    return {k.name: k for k in audit_text(made.source)}


def test_loops_of_the_text_are_those_of_the_model(design, kernels):
    graph, plan = design
    for layer in graph.layers:
        counted = operator(layer.op).layered_nests(layer, graph, plan.kernel(layer.name))
        passes = passes_of(layer, graph.output_tensor(layer), plan)
        found = [nest.plain for nest in kernels[layer.name].nests]
        assert found == [*counted, *passes], layer.name


def test_no_sum_waits_for_memory(design, kernels):
    """The scratch buffer is never read, and an addition's latency is all that a loop waits for."""
    latency = board(design[1].board).device.add_latency
    for kernel in kernels.values():
        assert not any(u.argument == "scratch" and not u.store for u in kernel.units)
        assert kernel.interval[1] <= latency


def test_who_waits_for_sums_says_so(design):
    """The convolution of a window over several channels; no other."""
    times = hlsgen.estimate(*design).timing.layers
    assert [time.name for time in times if time.bound == "additions"] == ["a"]


def test_units_of_the_text_are_those_of_the_model(design, kernels):
    counted = {k.name: len(k.lsus) for k in structure(*design).kernels}
    assert {name: len(kernel.units) for name, kernel in kernels.items()} == counted


def test_additions_wait_for_each_other_as_their_type_and_the_flags_say(design):
    plan, device = design[1], board(design[1].board).device
    relaxed = replace(plan, style="pipelined", disabled=())
    wide, integer = KernelPlan("a", input_width=8), replace(FLOAT, accumulator=INT32)
    assert addition_interval(FLOAT, wide, plan, device) == 8 * device.add_latency
    assert addition_interval(FLOAT, wide, relaxed, device) == device.add_latency
    assert addition_interval(integer, wide, plan, device) == 1


@pytest.mark.parametrize(
    ("nest", "cycles"),
    [
        (PlainNest(10), 10),
        (PlainNest(10, runs=5), 10 + 4 * 9),
        (PlainNest(10, (64,)), 10 * 65),
        (PlainNest(2, (64,)), 4 * 64),  # two sums do not fill the interval
        (PlainNest(10, (3, 3)), 10 * 13),
        (PlainNest(10, (8, 3, 3)), 10 * 24 * (4 * 2 + 22)),
    ],
)
def test_cycles_of_a_nest(nest, cycles):
    assert nest_cycles(nest, interval=4) == cycles
