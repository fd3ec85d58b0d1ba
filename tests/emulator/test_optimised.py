"""Small networks are emulated without the compiler's optimisation; these are emulated with it as
well."""

import itertools

import pytest

from hlsgen.sparsify import sparsify
from tests.codegen.test_golden import AHEAD, NETWORKS, SPARSITY, STRIPS
from tests.support.cases import case
from tests.support.networks import NO_PREFIX, assert_right, build, parse

pytestmark = pytest.mark.emulator

# One for each engine of folded designs that the golden networks lack.
ENGINES = ["max_pool", "lrn", "gemm", "conv_dilated_strided", "conv_depthwise_dilated"]


@pytest.mark.parametrize(
    ("name", "style", "images", "pins"),
    [
        *(
            (name, style, 1, {})
            for name, style in itertools.product(NETWORKS, ["base", "pipelined", "folded"])
        ),
        ("separable", "hybrid", 1, NO_PREFIX),
        ("ahead", "hybrid", 2, {("prefix", "layers"): 2}),
        ("residual", "folded", 4, {}),
        ("row_tiles", "pipelined", 1, STRIPS),
    ],
)
def test_golden_networks(name, style, images, pins, tmp_path):
    text = (NETWORKS | {"ahead": AHEAD, "row_tiles": NETWORKS["residual"]})[name]
    model = sparsify(parse(text), "relative", sparsity=SPARSITY.get(name, 0.0)).model
    design = build(model, tmp_path / "design", style, board="pac_a10", images=images, pins=pins)
    assert_right(design, images=2, optimise=True)


@pytest.mark.parametrize("name", ENGINES)
def test_engines(name, tmp_path):
    assert_right(build(case(name), tmp_path / "design", "folded"), images=2, optimise=True)


@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_at_true_fifo_depth(style, tmp_path):
    design = build(case("branches_of_different_length"), tmp_path / "design", style)
    assert_right(design, images=2, strict=True, optimise=True)
