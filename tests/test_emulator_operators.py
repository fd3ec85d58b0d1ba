"""Every operator in every style on the Intel FPGA emulator, checked against numpy and onnxruntime."""

import pytest

from tests.cases import CASES, case
from tests.networks import assert_right, build

# Strict emulation runs all kernels at once over FIFOs of their true depth: slow, so only where sizing matters.
BRANCHING = [
    "add_residual",
    "add_of_additions",
    "sum_of_three",
    "concat_nested_and_reused",
    "branches_of_different_length",
    "strided_branches",
    "two_outputs",
    "joins_in_a_row",
]


@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
@pytest.mark.parametrize("name", CASES)
def test_operator(name, style, tmp_path):
    assert_right(build(case(name), tmp_path / "design", style), images=2)


@pytest.mark.parametrize("style", ["pipelined", "folded"])
@pytest.mark.parametrize("name", BRANCHING)
def test_branches_at_true_fifo_depth(name, style, tmp_path):
    assert_right(build(case(name), tmp_path / "design", style), images=2, strict=True)
