"""Networks with a fixed batch on the emulator, against the user's own model at its own batch."""

import numpy as np
import pytest

from hlsgen.frontend import batch
from hlsgen.host.runner import run
from hlsgen.own_model import OwnModel
from tests.support.batched_networks import batched_network
from tests.support.networks import assert_right, build, parse, verdict_of

pytestmark = pytest.mark.emulator

BACK = "<int64[1] b = {-1}, int64[1] e = {-1000000000}, int64[1] a = {0}, int64[1] s = {-1}>"
REVERSED = (
    f"(float[4,3,8,8] x) => (float[4,3,8,8] y) {BACK} {{ r = Relu(x) y = Slice(r, b, e, a, s) }}"
)
PLAIN = "(float[4,3,8,8] x, float[5,3,3,3] w) => (float[4,5,6,6] y) { c = Conv(x, w) y = Relu(c) }"


def test_a_batch_that_is_turned_round(tmp_path):
    assert_right(build(parse(REVERSED), tmp_path / "d"))


@pytest.mark.parametrize("images", [1, 4, 6])
def test_a_batch_of_images(tmp_path, images):
    """More images than a batch, or fewer: the last batch is filled up."""
    design = build(parse(PLAIN), tmp_path / "d")
    assert design.manifest.inputs[0].shape[1:] == (3, 8, 8)
    assert_right(design, images=images)


def test_a_batch_wrongly_taken_apart_is_wrong(tmp_path, monkeypatch):
    """Even by a single image: the others of its batch are not the same."""
    monkeypatch.setattr(batch, "nodes_along", lambda *arguments: {})
    verdict = verdict_of(build(parse(REVERSED), tmp_path / "d"))
    assert verdict["ok"] and not verdict["onnxruntime"]["ok"]


@pytest.mark.parametrize("seed", [0, 3, 8, 21])
def test_random_movements_of_a_batch(tmp_path, seed):
    model = batched_network(seed)
    design = build(model, tmp_path / "d", style="pipelined" if seed % 2 else "folded")
    (entry,) = design.manifest.inputs
    images = np.random.default_rng(seed).standard_normal((5, *entry.shape[1:]), np.float32)
    (found,) = run(design, {"x": images}).outputs.values()
    wanted = OwnModel(model, {"x": tuple(entry.model_shape)})({"x": images})["y"]
    np.testing.assert_allclose(found.ravel(), wanted.ravel(), rtol=1e-4, atol=1e-4)
