"""One network over several boards: every layer right on the emulator, one board after another and
all at once over pipes; what is broken on purpose is found."""

import pytest

import hlsgen
from hlsgen.boards.topology import topology
from hlsgen.host.system import SystemDesign
from hlsgen.schedule.goal import Goal
from hlsgen.system.build import generate_system
from hlsgen.system.search import plan_row
from hlsgen.zoo import network
from tests.support.networks import assert_right, parse

pytestmark = pytest.mark.emulator

# Residual, with 5 channels whose vectors are filled up; the pooled branch has fewer pixels.
RESIDUAL = """(float[1,3,10,10] x, float[5,3,3,3] a, float[5,5,3,3] b, float[8,5,1,1] c,
float[8,5,3,3] d, float[8,8,1,1] e, float[4,8] f) => (float[1,4] y, float[1,8,5,5] t) {
    p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p) r = Conv<pads=[1,1,1,1]>(q, b) s = Add(r, q)
    u = Relu(s) m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(u) v = Conv(m, c)
    w = Conv<pads=[1,1,1,1], strides=[2,2]>(u, d) t = Add(v, w) k = Conv(t, e)
    g = GlobalAveragePool(k) h = Flatten(g) y = Gemm<transB=1>(h, f) }"""


def built(model, ends, out, boards="p520_max"):
    graph = hlsgen.load_graph(model)
    ends = (*ends, len(graph.layers))
    plan = plan_row(graph, [boards] * len(ends), topology("chain"), Goal(), {}, ends)
    generate_system(graph, plan, out)
    return plan, SystemDesign(out)


def residual():
    return parse(RESIDUAL, inputs=("x",))


@pytest.mark.parametrize(
    "ends, tensors",
    [((1,), [1]), ((2,), [2]), ((3, 5), [1, 2]), ((4, 6), [2, 2])],
    ids=["one tensor", "a branch", "three boards", "one passes through"],
)
@pytest.mark.parametrize("strict", [False, True], ids=["fast", "strict"])
def test_residual(tmp_path, ends, tensors, strict):
    plan, design = built(residual(), ends, tmp_path / "s")
    assert [len(link.tensors) for link in design.system.links] == tensors
    verdict = assert_right(design, images=3, strict=strict)
    assert len(verdict["layers"]) == sum(len(graph.layers) for graph in plan.graphs)


def test_lenet_over_three_boards(tmp_path):
    _, design = built(network("lenet5"), (2, 4), tmp_path / "s")
    assert_right(design, images=2, strict=True)
