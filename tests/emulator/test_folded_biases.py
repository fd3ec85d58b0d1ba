"""Biases and scales of the epilogue: in registers for small groups of output vectors, in a memory
for groups so large that a word may rest."""

import pytest

import hlsgen
from hlsgen.host.design import HostDesign
from hlsgen.kernel.memory import MEMORY_DISTANCE
from hlsgen.model.shared_kernels import bias_words
from hlsgen.schedule.goal import Goal
from tests.support.networks import assert_right_in_both_modes, parse

PLAIN = """(float[1,3,6,6] x, float[40,3,3,3] w, float[40] b, float[8,40,1,1] v,
float[8] c) => (float[1,8,4,4] y) {
    a = Conv(x, w, b) r = Relu(a) y = Conv(r, v, c) }"""
SCALED = """(float[1,3,6,6] x, float[40,3,3,3] w, float[40] b, float[40,1,1] m, float[8,40,1,1] v,
float[8] c) => (float[1,8,4,4] y) {
    a = Conv(x, w, b) r = Relu(a) s = Mul(r, m) y = Conv(s, v, c) }"""
PINS = {
    ("engines", "width"): 4,
    ("engines", "convolution.outputs"): 10,
    ("engines", "convolution.inputs"): 1,
}


@pytest.mark.emulator
@pytest.mark.parametrize("text", [PLAIN, SCALED], ids=["plain", "scaled"])
def test_biases_of_small_and_large_groups(text, tmp_path):
    graph = hlsgen.load_graph(parse(text))
    plan = hlsgen.schedule(graph, style="folded", goal=Goal(pins=PINS))
    kept, stored = bias_words(plan.steps)
    assert 1 < kept < MEMORY_DISTANCE <= stored
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    assert_right_in_both_modes(design, images=2)
