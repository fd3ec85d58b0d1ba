"""Networks of which the host computes a head, a tail or both: right end to end, against the user's
own file in onnxruntime."""

import json
import shutil
import sys

import numpy as np
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen import validation
from hlsgen.frontend import cut
from hlsgen.frontend.cut import host_models
from hlsgen.host import __main__ as host_main
from hlsgen.host.archive import load_arrays
from hlsgen.host.errors import HostError
from hlsgen.host.network import Network
from tests.support.cut_networks import BRANCHES, BYTES, DETECTOR, LOOP, MIDDLE
from tests.support.networks import parse, random_inputs, run_onnxruntime

pytestmark = pytest.mark.emulator
NETWORKS = {"detector": DETECTOR, "middle": MIDDLE, "branches": BRANCHES, "loop": LOOP}


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector") / "design"
    with hlsgen.compile(parse(DETECTOR), style="folded", out=folder) as made:
        yield made


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_right_end_to_end(name):
    model = parse(NETWORKS[name])
    inputs = random_inputs(parse(NETWORKS[name].replace("[N,", "[1,")), images=2)
    with hlsgen.compile(model, style="pipelined") as made:
        verdict = made.validate(inputs)
        assert verdict.ok and verdict.record["onnxruntime"]["ok"]
        outputs = made.execute(inputs).outputs
    for image in range(2):
        wanted = run_onnxruntime(model, {n: a[image : image + 1] for n, a in inputs.items()})
        for output, array in wanted.items():
            found = np.asarray(outputs[output][image], array.dtype)
            np.testing.assert_allclose(found, array.reshape(found.shape), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["detector", "middle"])
def test_a_fixed_batch_that_the_host_takes_at_once(name):
    """The design computes its images one by one; a suppression, and a maximum over everything, take
    the whole batch."""
    text = NETWORKS[name].replace("[N,", "[1,").replace("[1,", "[2,").replace("{1, 6", "{2, 6")
    model = parse(text)
    with hlsgen.compile(model, style="pipelined") as made:
        assert made.design.manifest.cut.images == 2
        given = {n: (2, *shape[1:]) for n, shape in made.inputs.items()}
        inputs = {n: np.random.default_rng(0).standard_normal(s, "f4") for n, s in given.items()}
        verdict = made.validate(inputs)
        assert verdict.ok and verdict.record["onnxruntime"]["ok"]
        assert made.compare(inputs).ok
        outputs = made.execute(inputs).outputs
    for group in range(2):
        wanted = run_onnxruntime(model, {n: a[group] for n, a in inputs.items()})
        for output, array in wanted.items():
            found = np.asarray(outputs[output][group], array.dtype)
            np.testing.assert_allclose(found, array.reshape(found.shape), rtol=1e-4, atol=1e-6)


def test_bytes_go_through_a_head():
    with hlsgen.compile(parse(BYTES, inputs=("x0",)), style="folded") as made:
        assert made.inputs == {"x0": (1, 12, 12, 3)}
        assert made.validate(samples=2).ok
        assert made.compare().ok


def test_a_tail_that_computes_otherwise_than_the_file_is_found(monkeypatch):
    def wrong(network, stages):
        head, tail = host_models(network, stages)
        (most,) = (t for t in tail.graph.initializer if t.name == "most")
        most.CopyFrom(numpy_helper.from_array(np.array(1), "most"))
        return head, tail

    monkeypatch.setattr(cut, "host_models", wrong)
    with hlsgen.compile(parse(DETECTOR), style="folded") as made:
        verdict = made.validate()
    assert all(layer.ok for layer in verdict.layers) and not verdict.ok


@pytest.fixture(scope="module")
def ranked():
    """Eight results that are equal but for rounding where all channels of the input are, and their
    order; images that are such."""
    weights = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    shuffled = np.stack([np.roll(weights, 5 * turn) for turn in range(8)]).reshape(8, 64, 1, 1)
    model = parse("""(float[1,64,4,4] x, float[8,64,1,1] w) => (int64[1,8] order)
      <int64[1] all = {8}> {
        a = Conv(x, w) g = GlobalAveragePool(a) f = Flatten(g) v, order = TopK(f, all)
      }""")
    (given,) = (t for t in model.graph.initializer if t.name == "w")
    given.CopyFrom(numpy_helper.from_array(shuffled, "w"))
    image = np.random.default_rng(1).standard_normal((4, 1, 4, 4)).astype(np.float32)
    with hlsgen.compile(model, style="folded") as made:
        yield made, {"x": np.repeat(image, 64, axis=1)}


def test_near_ties_of_a_tail_are_told_and_right(ranked):
    made, inputs = ranked
    verdict = made.validate(inputs)
    assert verdict.ok
    assert "images: the host's part decides otherwise" in verdict.record["onnxruntime_note"]
    clear = {"x": np.random.default_rng(2).standard_normal((1, 64, 4, 4)).astype(np.float32)}
    assert not made.validate(clear).record["onnxruntime_note"]


def test_what_cannot_be_shown_to_be_a_tie_is_wrong(ranked, monkeypatch):
    """Such as where onnxruntime does not know the values at which the design ends."""
    made, inputs = ranked

    def lost(*arguments):
        raise RuntimeError("Graph output (f) does not exist in the graph.")

    monkeypatch.setattr(validation, "with_outputs", lost)
    verdict = made.validate(inputs)
    assert not verdict.ok and not verdict.record["onnxruntime_refusal"]


def test_a_part_is_audited(ranked, detector):
    """As what it is: a part that ends elsewhere than its network."""
    for made in (ranked[0], detector):
        assert made.audit().ok


def test_near_ties_excuse_no_mixture_of_images(ranked, monkeypatch):
    made, inputs = ranked
    after = Network.after
    monkeypatch.setattr(
        Network, "after", lambda self, values, results: {
            name: array[::-1] for name, array in after(self, values, results).items()
        }
    )  # fmt: skip
    assert not made.validate(inputs).ok


def test_a_tail_that_was_edited_is_refused(detector, tmp_path):
    folder = tmp_path / "design"
    shutil.copytree(detector.path, folder)
    with open(folder / "tail.onnx", "ab") as file:
        file.write(b" ")
    with pytest.raises(HostError, match=r"tail\.onnx is not what build wrote"):
        hlsgen.load(folder)


def test_outputs_of_different_sizes_come_image_by_image(detector, tmp_path):
    images = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)
    images[1] *= 0.01
    images[2] = 0
    picked = detector.run(["picked"], {"x": images})[0]
    apart = [detector.run(["picked"], {"x": image[None]})[0][0] for image in images]
    assert picked.dtype == object and len({array.shape for array in apart}) > 1
    for found, wanted in zip(picked, apart, strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.savez(tmp_path / "in.npz", x=images)
    command = ["run", str(detector.path), str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    assert host_main.main(command) == 0
    stored = load_arrays(tmp_path / "out.npz")
    np.testing.assert_array_equal(stored["picked/1"], apart[1])
    assert stored["best"].shape == (3, 5)


def test_the_manifest_tells_of_the_cut(detector):
    manifest = json.loads((detector.path / "design.json").read_text())
    assert {"tail.onnx", "model.onnx"} <= set(manifest["files"])
    assert manifest["cut"]["tail"] == "tail.onnx" and "head" not in manifest["cut"]
    assert [port["name"] for port in manifest["outputs"]] == ["boxes", "p"]
    found = detector.data()["on_host"]
    assert (found["start"], found["parts"], found["bytes"]) == (["x"], ["tail"], 2400)
    assert "tail in onnxruntime: 0.0% of the multiply-accumulates, 2,400 bytes" in str(
        detector.summary
    )
    detector.report()
    page = (detector.path / "report.html").read_text()
    assert "NonMaxSuppression is not supported" in page


def test_without_onnxruntime_it_says_what_to_install(detector, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with hlsgen.load(detector.path) as made, pytest.raises(HostError, match="pip install onnx"):
        made.execute({"x": np.zeros((1, 3, 12, 12), np.float32)})


def test_a_tail_that_is_gone_is_told(detector, tmp_path):
    folder = tmp_path / "design"
    shutil.copytree(detector.path, folder)
    (folder / "tail.onnx").unlink()
    with pytest.raises(HostError, match=r"tail\.onnx is missing"):
        hlsgen.load(folder)


def test_a_design_is_replaced_with_its_parts(detector, tmp_path):
    folder = tmp_path / "design"
    shutil.copytree(detector.path, folder)
    whole = parse("(float[1,3,6,6] x, float[4,3,3,3] w) => (float[1,4,4,4] y) { y = Conv(x, w) }")
    hlsgen.compile(whole, style="pipelined", out=folder).close()
    assert not (folder / "tail.onnx").exists()
    assert hlsgen.load(folder).design.manifest.cut is None
