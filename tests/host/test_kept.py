"""A worker runs the design of the latest run again without building; a validation starts anew."""

from dataclasses import replace

import numpy as np
import pytest

from hlsgen.host.errors import HostError
from hlsgen.host.runner import run, worthwhile
from hlsgen.host.session import Session
from tests.support.cases import case
from tests.support.networks import build, images_for, parse

PREFIX = """(float[1,3,9,9] x, float[16,3,3,3] a, float[16] ab, float[16,16,3,3] b) =>
(float[1,16,3,3] y) {
  stem = Conv<pads=[1,1,1,1]>(x, a, ab) stem_relu = Relu(stem)
  pooled = MaxPool<kernel_shape=[3,3], strides=[3,3]>(stem_relu)
  y = Conv<pads=[1,1,1,1]>(pooled, b) }"""


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["base", "pipelined", "folded", "hybrid"])
def test_a_design_stays_on_its_device(style, tmp_path):
    """Runs after the first build nothing, and give what a new process gives, whatever was computed
    before."""
    pins = {("prefix", "layers"): 2} if style == "hybrid" else {}
    design = build(parse(PREFIX), tmp_path / "design", style, pins=pins)
    images = [{"x": value} for value in np.split(images_for(design, 9)["x"], 3)]
    with Session() as session:
        runs = [run(design, batch, session=session) for batch in images]
    assert [r.build_seconds > 0 for r in runs] == [True, False, False]
    for batch, kept in zip(images, runs, strict=True):
        np.testing.assert_array_equal(
            kept.outputs["y"], run(design, batch, session=Session(keep=0)).outputs["y"]
        )


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["base", "pipelined"])
def test_batches_of_any_size_are_served(style, tmp_path):
    """A smaller batch builds nothing, a larger one at most once a doubling."""
    design = build(case("max_pool"), tmp_path / "design", style)
    images = images_for(design, 9)["x"]
    with Session() as session:
        runs = [run(design, {"x": images[:n]}, session=session) for n in (2, 1, 3, 4, 9, 2)]
    built = [True, False, style == "pipelined", False, style == "pipelined", False]
    assert [r.build_seconds > 0 for r in runs] == built
    for found, count in zip(runs, (2, 1, 3, 4, 9, 2), strict=True):
        np.testing.assert_array_equal(found.outputs["y"], runs[4].outputs["y"][:count])


@pytest.mark.emulator
def test_an_optimised_program_serves_small_work_too(tmp_path):
    design = build(case("max_pool"), tmp_path / "design", "base")
    with Session() as session:
        runs = [
            run(design, images_for(design), session=session, optimise=optimise)
            for optimise in (False, True, False)
        ]
    assert [r.build_seconds > 0 for r in runs] == [True, True, False]


@pytest.mark.emulator
def test_another_design_at_the_same_place_is_built(tmp_path):
    design = build(case("max_pool"), tmp_path / "design", "folded")
    inputs = images_for(design)
    file = design.path / design.manifest.kernels[0]
    with Session() as session:
        first = run(design, inputs, session=session)
        text = file.read_text()
        file.write_text(text.replace("fmax(", "fmin("))
        second = run(design, inputs, session=session)
        file.write_text(text)
        third = run(design, inputs, session=session)
        weights = design.path / "weights"
        weights.write_bytes(weights.read_bytes())
        fourth = run(design, inputs, session=session)
    assert all(r.build_seconds > 0 for r in (first, second, third, fourth))
    assert not np.array_equal(first.outputs["y"], second.outputs["y"])
    np.testing.assert_array_equal(first.outputs["y"], third.outputs["y"])


@pytest.mark.emulator
def test_a_validation_starts_anew(tmp_path):
    """With poisoned buffers, after a run of the same design and after another validation."""
    design = build(case("max_pool"), tmp_path / "design", "base")
    layers = []
    with Session() as session:
        run(design, images_for(design), session=session)
        runs = [
            run(
                design,
                images_for(design),
                on_layers=lambda _, found: layers.append(found),
                session=session,
            )
            for _ in range(2)
        ]
    assert all(r.build_seconds > 0 for r in runs)
    assert layers[0].keys() == layers[1].keys() != set()
    assert all(np.array_equal(layers[0][name], layers[1][name]) for name in layers[0])


def test_large_work_is_optimised(tmp_path, monkeypatch):
    design = build(case("conv_plain"), tmp_path / "design", "base")
    assert design.manifest.multiply_accumulates == 5 * 7 * 5 * 27
    monkeypatch.delenv("HLSGEN_EMULATOR_OPTIMISE", raising=False)
    assert not worthwhile(design, 1) and worthwhile(design, 100_000)
    monkeypatch.setenv("HLSGEN_EMULATOR_OPTIMISE", "1")
    assert worthwhile(design, 1)
    monkeypatch.setenv("HLSGEN_EMULATOR_OPTIMISE", "0")
    assert not worthwhile(design, 100_000)
    monkeypatch.setenv("HLSGEN_EMULATOR_OPTIMISE", "yes")
    with pytest.raises(HostError, match="set it to 0 or 1"):
        worthwhile(design, 1)
    monkeypatch.delenv("HLSGEN_EMULATOR_OPTIMISE")
    # Of an earlier build.
    design.manifest = replace(design.manifest, multiply_accumulates=None)
    assert worthwhile(design, 1)
