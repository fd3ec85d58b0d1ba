"""What `bench` makes of the times that it measures."""

from types import SimpleNamespace

import pytest

from hlsgen.host import bench


@pytest.mark.parametrize(
    "batched, design_images, of_one, launch",
    [
        (True, 1, 1, 1),
        (True, 1, 3, 3),  # a launch takes all of what is one image to the network
        (False, 4, 1, 4),
        (False, 4, 3, 4),
    ],
)
def test_the_latency_is_that_of_a_whole_launch(
    batched, design_images, of_one, launch, monkeypatch, tmp_path
):
    """A design whose launches take half a second an image."""
    manifest = SimpleNamespace(
        batched=batched, images=design_images, cut=SimpleNamespace(images=of_one)
    )
    design = SimpleNamespace(manifest=manifest, path=tmp_path)

    def run(design, inputs, repeat=1, **_):
        count = inputs * of_one
        return SimpleNamespace(
            device="a board", kernel_seconds=count * 0.5, image_seconds=[0.5] * repeat
        )

    monkeypatch.setattr(bench, "random_images", lambda design, count: count)
    monkeypatch.setattr(bench, "run", run)
    found = bench.bench(design, images=8, launches=5)
    assert (found.launch, found.images, found.kernels) == (launch, 8 * of_one, 2.0)
    assert found.latencies == (launch * 0.5,) * 5
