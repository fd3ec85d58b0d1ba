"""Networks as people build them and torch exports them, right on the emulator."""

import pytest

from tests.support.networks import assert_right, build

pytest.importorskip("torch")

from tests.support.torch_networks import NETWORKS, exported

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize("name", NETWORKS)
def test_right_in_a_folded_design(name, tmp_path):
    assert_right(build(exported(name), tmp_path / "design", "folded"))


def test_normalisation_and_gelu_in_parts(tmp_path):
    """Opset 13 has neither LayerNormalization nor Gelu."""
    assert_right(build(exported("convnext", opset=13), tmp_path / "design", "folded"))
