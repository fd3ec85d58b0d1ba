"""The verdict, without a device: every image, layer and output counts, wherever the fault is."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hlsgen.host import validation
from hlsgen.host.compare import compare
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import DeadlockError, HostError
from hlsgen.host.executor import complete
from hlsgen.host.manifest import SCHEMA, Buffer, Layout, Manifest, Port, Result, Run, Weights

IMAGES, LAYERS, OUTPUTS = 3, ("first", "second"), ("y", "z")


class Design:
    """A design of two layers, whose results are in tapped buffers, and two outputs."""

    def __init__(self, tap=False):
        self.manifest = SimpleNamespace(
            dtype="float32",
            buffers={"memory": Buffer(54, "float32", tap=tap)},
            layers=[
                Result(n, "conv", (), f"t_{n}", Layout("memory", 2, 3, 3, 1, 0, 2)) for n in LAYERS
            ],
        )

    def check_inputs(self, inputs):
        return IMAGES


def right(name, image):
    return (
        np.random.default_rng([len(name), ord(name[0]), image])
        .standard_normal((2, 3, 3))
        .astype(np.float32)
    )


def reference(image):
    return {f"t_{n}": right(n, image) for n in LAYERS}, {n: right(n, image)[None] for n in OUTPUTS}


def result_of(outputs):
    return SimpleNamespace(
        outputs=outputs,
        design_outputs=outputs,
        device="a device",
        build_seconds=0.0,
        image_seconds=[0.0],
    )


def verdict_with(monkeypatch, faults, strict=False, tap=False):
    """The verdict on a device that gives what is right, but for `faults`: (name, image) to what is
    added to one of its values. Also the runs that it took."""
    runs = []

    def value(name, image):
        array = right(name, image)
        array[1, 2, 0] += faults.get((name, image), 0)
        return array

    def run(design, inputs, *, strict, on_layers, **options):
        runs.append(strict)
        for image in range(IMAGES):
            on_layers(image, {n: value(n, image) for n in LAYERS if not (tap and strict)})
        outputs = {n: np.stack([value(n, i) for i in range(IMAGES)]) for n in OUTPUTS}
        return result_of(outputs)

    monkeypatch.setattr(validation, "run", run)
    verdict, _ = validation.validate(Design(tap), {}, reference, strict=strict)
    return verdict, runs


def test_a_right_design_is_right(monkeypatch):
    verdict, runs = verdict_with(monkeypatch, {})
    assert (
        verdict["ok"]
        and verdict["first_wrong_layer"] is None
        and verdict["images"] == IMAGES
        and runs == [False]
    )
    assert verdict["output"]["max_abs_error"] == 0 and set(verdict["output"]["by_name"]) == set(
        OUTPUTS
    )


@pytest.mark.parametrize("amount", [0.1, np.nan, np.inf])
@pytest.mark.parametrize("image", range(IMAGES))
@pytest.mark.parametrize("name", [*LAYERS, *OUTPUTS])
def test_one_wrong_value_of_one_image_is_enough(name, image, amount, monkeypatch):
    verdict, _ = verdict_with(monkeypatch, {(name, image): amount})
    assert verdict["ok"] is False
    assert verdict["first_wrong_layer"] == (name if name in LAYERS else None)
    parts = {layer["name"]: layer for layer in verdict["layers"]} | verdict["output"]["by_name"]
    assert [n for n, part in parts.items() if not part["ok"]] == [name]
    # The figure that is shown is that of the worst image and output.
    shown = parts[name]["max_abs_error"]
    assert shown == "inf" if not np.isfinite(amount) else shown == pytest.approx(amount, rel=1e-5)
    assert verdict["output"]["max_abs_error"] == (shown if name in OUTPUTS else 0)
    json.dumps(verdict)


def test_the_first_wrong_layer_is_the_first_of_the_network(monkeypatch):
    verdict, _ = verdict_with(monkeypatch, {("second", 0): 1, ("first", 2): 1})
    assert verdict["first_wrong_layer"] == "first"


def test_kernels_that_start_by_themselves_are_looked_into_by_a_run_before(monkeypatch):
    verdict, runs = verdict_with(monkeypatch, {("second", 1): 1}, strict=True, tap=True)
    assert runs == [False, True] and verdict["first_wrong_layer"] == "second"
    assert verdict_with(monkeypatch, {}, strict=True)[1] == [True]


def test_outputs_of_both_runs_count(monkeypatch):
    """What the first run got right does not excuse the second."""

    def run(design, inputs, *, strict, on_layers, **options):
        for image in range(IMAGES):
            on_layers(image, {n: right(n, image) for n in LAYERS if not strict})
        outputs = {
            n: np.stack([right(n, i) for i in range(IMAGES)]) + np.float32(strict) for n in OUTPUTS
        }
        return result_of(outputs)

    monkeypatch.setattr(validation, "run", run)
    assert not validation.validate(Design(tap=True), {}, reference, strict=True)[0]["ok"]


def test_a_deadlock_is_a_verdict(monkeypatch):
    def run(*arguments, **options):
        raise DeadlockError(["reader", "writer"], 1.0)

    monkeypatch.setattr(validation, "run", run)
    verdict, outputs = validation.validate(Design(), {}, reference)
    assert (
        verdict["ok"] is False and verdict["unfinished"] == ["reader", "writer"] and outputs == {}
    )


def test_outputs_of_an_earlier_run_do_not_outlive_a_deadlock(monkeypatch):
    def run(design, inputs, *, strict, on_layers, **options):
        if strict:
            raise DeadlockError(["reader"], 1.0)
        for image in range(IMAGES):
            on_layers(image, {n: right(n, image) for n in LAYERS})
        return result_of({n: np.stack([right(n, i) for i in range(IMAGES)]) for n in OUTPUTS})

    monkeypatch.setattr(validation, "run", run)
    verdict, outputs = validation.validate(Design(tap=True), {}, reference, strict=True)
    assert not verdict["ok"] and verdict["unfinished"] == ["reader"] and outputs == {}


def test_the_scale_of_an_error_is_the_largest_value():
    """1e-4 of it is accepted, however many values there are, and shapes must be equal."""
    wanted = np.full((10, 10), 2.0, np.float32)
    off = wanted.copy()
    off[3, 4] += 4e-4
    found = compare(off, wanted)
    assert not found.ok and found.max_rel_error == pytest.approx(2e-4, rel=1e-3)
    off[3, 4] = 2.0 + 1e-4
    assert compare(off, wanted).ok and not compare(off[:1], wanted[:, :1]).ok
    assert not compare(wanted[:1, :1], wanted[:1, :1].reshape(1)).ok


def test_a_kernel_that_failed_is_no_result():
    """OpenCL reports failures as negative states, 0 as complete."""
    assert complete("k", SimpleNamespace(command_execution_status=0))
    assert not complete("k", SimpleNamespace(command_execution_status=1))
    with pytest.raises(HostError, match="kernel k failed"):
        complete("k", SimpleNamespace(command_execution_status=-5))


def port(name, *shape):
    return Port(name, (1, *shape), shape, "float32", (), Layout("memory", 1, 1, 12, 1, 0, 1))


def design_on_disk(folder, **changes):
    manifest = Manifest(
        schema=SCHEMA,
        generator="a test",
        name="k",
        board="pac_d5005",
        style="base",
        dtype="float32",
        files=(),
        kernels=("k.cl",),
        options=(),
        weights=Weights("weights", 8, ()),
        buffers={"memory": Buffer(12, "float32")},
        inputs=(port("x", 3, 4), port("z", 2)),
        outputs=(port("y", 2),),
        layers=(),
        batched=False,
        runs={"sequential": Run((), (), (), ())},
    )
    (folder / "design.json").write_text(replace(manifest, **changes).to_json())
    (folder / "k.cl").write_text("")
    (folder / "weights").write_bytes(bytes(8))
    return folder


@pytest.mark.parametrize("size", [0, 7, 9])
def test_weights_of_another_length_are_refused(size, tmp_path):
    design_on_disk(tmp_path)
    (tmp_path / "weights").write_bytes(bytes(size))
    with pytest.raises(HostError, match="not 8 bytes"):
        HostDesign(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((2, 3, 4))}, "float64"),
        ({"x": np.zeros((2, 4, 3), np.float32)}, "shape"),
        ({"x": np.zeros((2, 12), np.float32)}, "shape"),
        ({"x": np.zeros((0, 3, 4), np.float32)}, "shape"),
        ({"x": np.zeros((3, 3, 4), np.float32)}, "different numbers"),
        ({"w": np.zeros((2, 2), np.float32)}, "needed"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(changes, words, tmp_path):
    design = HostDesign(design_on_disk(tmp_path))
    inputs = {"x": np.zeros((2, 3, 4), np.float32), "z": np.zeros((2, 2), np.float32)}
    assert design.check_inputs(inputs) == 2
    with pytest.raises(HostError, match=words):
        design.check_inputs(inputs | changes)


def test_integers_must_be_equal():
    reference = np.full((3, 4), 200, np.uint8)
    result = reference.copy()
    assert compare(result, reference).ok
    result[1, 2] = 201
    found = compare(result, reference)
    assert not found.ok and found.wrong == "[1, 2]: 201 in place of 200"
    assert found.max_abs_error == 1 and found.max_rel_error == 1 / 200
