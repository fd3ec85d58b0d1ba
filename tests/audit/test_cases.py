"""Designs of single operators are clean in every style; the prover runs the index code of those
that address by tables."""

import pytest

import hlsgen
from hlsgen.audit.findings import ERROR, NOTE
from tests.support.cases import case

# One of each kind of kernel.
NAMES = [
    "add_residual",
    "average_pool_excluding_pads",
    "broadcast_a_row",
    "channel_shuffle_wide",
    "conv_depthwise_mixed",
    "conv_transpose",
    "group_normalization",
    "lrn_two_sizes",
    "log_softmax",
    "prelu_and_scale",
    "resize_linear_corners",
    "squeeze_and_excitation",
]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pipelined", "folded"])
@pytest.mark.parametrize("name", NAMES)
def test_operators_are_clean(name, style, tmp_path):
    graph = hlsgen.load_graph(case(name))
    folder = hlsgen.generate(graph, hlsgen.schedule(graph, style=style), tmp_path / "design").path
    found = hlsgen.audit(folder)
    serious = ("unproved", "depth", "chosen-pointer")
    assert [f for f in found.findings if f.severity == ERROR or f.rule in serious] == []
    assert all(distance.proved for distance in found.distances)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("average_pool", "folded"),  # a product of two small counts
        ("constant_outputs", "pipelined"),  # nothing is kept of an input that is not read
        ("instance_normalization", "pipelined"),  # a factor and what is added to it are one unit
        ("where_of_constants", "pipelined"),  # 1 less a step is a choice
        ("reductions_over_channels", "pipelined"),  # a choice among twelve registers
    ],
)
def test_model_and_text_agree(name, style, tmp_path):
    graph = hlsgen.load_graph(case(name))
    folder = hlsgen.generate(graph, hlsgen.schedule(graph, style=style), tmp_path / "design").path
    assert [f for f in hlsgen.audit(folder).findings if f.severity != NOTE] == []


def test_dsps_that_multiply_alone(tmp_path):
    """A Cyclone V adds floats with logic: of four taps and a factor, the factor takes a DSP."""
    graph = hlsgen.load_graph(case("average_pool"))
    plan = hlsgen.schedule(graph, board="de10_nano", style="pipelined")
    found = hlsgen.audit(hlsgen.generate(graph, plan, tmp_path / "design").path)
    pooling = next(k for k in found.kernels if k.name == "y").arithmetic
    lanes = plan.kernel("y").output_width
    assert pooling.floats == {"fadd": 3 * lanes, "fmul": lanes} and pooling.dsps == lanes
    assert not [f for f in found.findings if f.rule == "dsps"]
