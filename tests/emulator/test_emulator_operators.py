"""Every operator in every style on the Intel FPGA emulator, checked against numpy and
onnxruntime."""

import pytest

from hlsgen.errors import PlanError
from tests.support.cases import CASES, case
from tests.support.networks import assert_right, build

pytestmark = pytest.mark.emulator

# Strict emulation runs all kernels at once over FIFOs of their true depth: slow, so besides the
# other only where sizing matters.
BRANCHING = [
    "add_residual",
    "add_of_additions",
    "sum_of_three",
    "concat_nested_and_reused",
    "branches_of_different_length",
    "strided_branches",
    "two_outputs",
    "joins_in_a_row",
    "squeeze_and_excitation",
    "broadcast_over_channels",
    "max_min",
    "split",
    "channel_shuffle",
    "depth_to_space",
    "resize_linear",
    "instance_normalization",
]


# What a style cannot take.
PRODUCTS = [
    "matmul_by_its_own_transpose",
    "matmul_of_two_inputs",
    "matmul_of_two_inputs_shared",
    "matmul_of_two_inputs_broadcast",
    "attention",
    "matmul_constants_a_batch",
    "gemm_of_maps",
    "conv_of_two_inputs",
    "einsum_of_two_inputs",
]
MOVED_EVERYWHERE = ["reshape_unaligned", "layer_normalization_of_all", "grid_sample"]
REFUSED = {(name, "pipelined") for name in (*MOVED_EVERYWHERE, *PRODUCTS)}


@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
@pytest.mark.parametrize("name", CASES)
def test_operator(name, style, tmp_path):
    if (name, style) in REFUSED:
        with pytest.raises(PlanError, match=f"{style} design, layer .*: cannot take it"):
            build(case(name), tmp_path / "design", style)
        assert build(case(name), tmp_path / "design", "auto").manifest.style in ("folded", "hybrid")
        return
    design = build(case(name), tmp_path / "design", style)
    assert_right(design, images=2)
    if name in BRANCHING and style != "base":
        assert_right(design, images=2, strict=True)
