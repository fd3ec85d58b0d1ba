"""The one object: compiled, run, judged, kept."""

import gc
from pathlib import Path

import numpy as np
import pytest

import hlsgen
from hlsgen.accelerator.compare import compare_layers
from hlsgen.accelerator.results import LayerCheck, Trace
from hlsgen.errors import OutputError, UsageError
from hlsgen.host.errors import DeadlockError, HostError
from hlsgen.host.process import WorkerProcess
from tests.support.networks import parse, run_onnxruntime

SMALL = """(float[N,3,8,8] x, float[4,3,3,3] w, float[4] b, float[5,64] f) => (float[N,5] y) {
  a = Conv(x, w, b) r = Relu(a) p = MaxPool<kernel_shape=[2,2], strides=[2,2], pads=[1,1,1,1]>(r)
  flat = Flatten(p) y = Gemm<transB=1>(flat, f) }"""
TWO = "(float[1,3,4,4] x) => (float[1,3,4,4] y, float[1,3,4,4] z) { y = Relu(x) z = Neg(y) }"
IMAGES = np.random.default_rng(3).standard_normal((5, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return parse(SMALL)


@pytest.fixture(scope="module")
def accelerator(model):
    with hlsgen.compile(model, style="pipelined", name="small") as made:
        yield made


@pytest.fixture
def started(monkeypatch):
    """The worker processes that are started from now on."""
    processes, start = [], WorkerProcess.__init__

    def init(self, variables):
        start(self, variables)
        processes.append(self.child)

    monkeypatch.setattr(WorkerProcess, "__init__", init)
    return processes


def expected(model, images):
    return np.concatenate([run_onnxruntime(model, {"x": image[None]})["y"] for image in images])


@pytest.mark.emulator
def test_predict_takes_any_batch_with_one_process_and_one_program(model, started):
    with hlsgen.compile(model, style="pipelined") as made:
        wanted = expected(model, IMAGES)
        for images in (IMAGES[:2], IMAGES[:1], IMAGES, IMAGES[:3]):
            np.testing.assert_allclose(made.predict(images), wanted[: len(images)], rtol=1e-4)
        assert made.predict(IMAGES[0]).shape == (5,)
        assert made.execute({"x": IMAGES[:4]}).build_seconds == 0
        np.testing.assert_allclose(made.predict({"x": IMAGES[:1].astype(float)}), wanted[:1], 1e-4)
        assert len(started) == 1 and started[0].poll() is None
    assert started[0].returncode is not None


@pytest.mark.emulator
def test_a_crash_takes_one_call_along(model, started):
    with hlsgen.compile(model, style="base") as made:
        first = made.predict(IMAGES[:1])
        started[0].kill()
        started[0].wait()
        np.testing.assert_array_equal(made.predict(IMAGES[:1]), first)
        file = made.path / made.design.manifest.kernels[0]
        file.write_text(file.read_text().replace("for (", "while (true) for (", 1))
        made.timeout = 0.5
        with pytest.raises(DeadlockError):
            made.predict(IMAGES[:1])
    assert all(process.poll() is not None for process in started)


@pytest.mark.emulator
def test_nothing_is_left_of_one_that_is_dropped(model, started):
    made = hlsgen.compile(model, style="base")
    made.predict(IMAGES[0])
    folder = made.path
    assert folder.is_dir()
    del made
    gc.collect()
    assert started[0].poll() is not None and not folder.exists()


def test_inputs_that_do_not_fit_are_refused(accelerator):
    for wrong, word in (
        (IMAGES.astype(np.uint8), "is of type uint8"),
        (IMAGES[:, :, :7], r"\[5, 3, 7, 8\]"),
        ({"image": IMAGES}, "'image'"),
        (np.full((3, 8, 8), np.nan), "NaN"),
    ):
        with pytest.raises(HostError, match=word):
            accelerator.predict(wrong)


@pytest.mark.emulator
def test_several_outputs_come_from_run():
    model = parse(TWO)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    with hlsgen.compile(model, style="base") as made:
        with pytest.raises(HostError, match="2 outputs: y, z"):
            made.predict(x)
        y, z = made.run(None, {"x": x})
        (only,) = made.run(["z"], {"x": x})
        with pytest.raises(HostError, match="no output 'q'"):
            made.run(["q"], {"x": x})
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_array_equal(z, -y)
    np.testing.assert_array_equal(z, only)


@pytest.mark.emulator
def test_verdicts(accelerator):
    found = accelerator.validate(samples=2)
    assert found.ok and found.images == 2 and found.first_wrong_layer is None
    assert [type(layer) for layer in found.layers] == [LayerCheck] * 3
    assert repr(found).startswith("Validation(RIGHT: all 3 layers checked; ")
    assert "RIGHT: 3 layers, 2 images" in accelerator.summary.html()
    compared = accelerator.compare(IMAGES[:2])
    assert compared.ok and repr(compared) == "LayerComparison(3 layers as in onnxruntime)"


@pytest.mark.emulator
def test_compare_names_the_layer_that_is_off(model, tmp_path):
    made = hlsgen.compile(model, style="base", out=tmp_path / "d")
    file = made.path / made.design.manifest.kernels[0]
    text = file.read_text()
    file.write_text(text.replace("fmax(output[i], 0.0f)", "output[i]", 1))
    assert file.read_text() != text
    found = hlsgen.load(tmp_path / "d").compare(IMAGES[:1])
    assert not found.ok and not found.layers[0].ok
    assert "off onnxruntime's values, a first" in found.verdict


@pytest.mark.emulator
def test_trace_and_profile(accelerator, model):
    values = accelerator.trace(IMAGES[:2])
    assert {name: array.shape for name, array in values.items()} == {
        "a": (2, 4, 6, 6),
        "p": (2, 4, 4, 4),
        "y": (2, 5, 1, 1),
    }
    np.testing.assert_array_equal(values.outputs["y"], values["y"][:, :, 0, 0])
    profile = accelerator.profile(IMAGES[:2])
    conv = profile.values[0]
    assert (conv.name, conv.least) == ("a", 0.0) and conv.most == values["a"].max()
    assert conv.zeros == np.mean(values["a"] == 0) > 0
    assert [r.name for r in profile.weights] == ["a.weight", "a.bias", "y.weight", "y.bias"]
    for shown in (values, profile, accelerator):
        assert shown._repr_html_().startswith("<table>") and len(repr(shown)) < 120


def test_what_is_known_without_a_device(accelerator, tmp_path):
    assert accelerator.inputs == {"x": (1, 3, 8, 8)} and accelerator.outputs == {"y": (1, 5)}
    assert repr(accelerator.graph) == "Graph(small: 3 layers)"
    assert repr(accelerator.plan) == "Plan(small: pipelined on pac_d5005)"
    assert repr(accelerator.estimate).startswith("Estimate(") and accelerator.estimate.latency > 0
    report = accelerator.report(tmp_path / "page.html")
    assert report.page.read_text().startswith("<!DOCTYPE html>")
    low, high = (report.data[f"throughput_{end}_fps"] for end in ("low", "high"))
    assert low <= accelerator.estimate.throughput <= high
    audited = accelerator.audit()
    assert audited.ok and "CLEAN" in accelerator.summary.html()
    assert repr(audited).startswith("Audit(CLEAN: nothing in the text breaks ")


@pytest.mark.emulator
def test_a_saved_design_is_the_same(accelerator, tmp_path):
    place = accelerator.save(tmp_path / "kept")
    with hlsgen.load(place) as again:
        assert again.name == "small" and again.plan == accelerator.plan
        assert again.graph.layers == accelerator.graph.layers
        assert again.estimate == accelerator.estimate
        np.testing.assert_array_equal(again.predict(IMAGES), accelerator.predict(IMAGES))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("hours of work")
    with pytest.raises(hlsgen.HlsgenError, match="holds no design"):
        accelerator.save(tmp_path / "mine")
    with pytest.raises(HostError, match=r"no design\.json"):
        hlsgen.load(tmp_path / "mine")


def test_decisions_are_those_of_the_command_line(model):
    made = hlsgen.compile(
        model, style="pipelined", board="pac_a10", pins=["a.unroll_oc=2"], weights="float16"
    )
    assert made.plan.board == "pac_a10" and made.plan.kernel("a").output_width == 2
    assert made.plan.weights == "float16"
    assert all(layer.narrow for layer in made.graph.layers if layer.weights)
    again = hlsgen.compile(model, plan=made.plan)
    assert again.source == made.source
    sparse = hlsgen.compile(model, style="base", sparsify="relative:0.5")
    assert "50.0% of them zero" in sparse.summary.html()
    with pytest.raises(hlsgen.HlsgenError, match="METHOD:SHARE"):
        hlsgen.compile(model, sparsify="half")
    with pytest.raises(hlsgen.HlsgenError, match="int is no model"):
        hlsgen.compile(5)


@pytest.mark.emulator
def test_a_torch_module():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(
                torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
            )
            self.head = torch.nn.Linear(4, 5)

        def forward(self, x):
            return self.head(self.body(x).mean((2, 3)))

    module = Net().train()
    with pytest.raises(hlsgen.HlsgenError, match="needs an example"):
        hlsgen.compile(module)
    with hlsgen.compile(module, example=torch.zeros(1, 3, 8, 8), style="folded") as made:
        assert made.name == "net" and module.training and module.body.training
        with torch.no_grad():
            wanted = module.eval()(torch.from_numpy(IMAGES)).numpy()
        np.testing.assert_allclose(made.predict(IMAGES), wanted, rtol=1e-3, atol=1e-5)


def test_the_package_shows_its_interface():
    assert {"compile", "load", "Accelerator"} <= set(dir(hlsgen)) == set(hlsgen.__all__)
    assert all(getattr(hlsgen, name) for name in dir(hlsgen))
    assert (Path(hlsgen.__file__).parent / "py.typed").is_file()


def test_a_design_is_not_saved_into_itself(accelerator):
    before = sorted(accelerator.path.rglob("*"))
    with pytest.raises(OutputError, match="lies in the design itself"):
        accelerator.save(accelerator.path / "copies" / "first")
    assert sorted(accelerator.path.rglob("*")) == before


def test_nothing_that_was_compared_is_no_agreement(accelerator):
    with pytest.raises(HostError, match="no layer's value"):
        nothing = Trace({}, {"y": np.zeros((1, 5))})
        compare_layers(accelerator.graph, {"x": (1, 3, 8, 8)}, {"x": IMAGES[:1]}, nothing)


def test_caps_and_arrays_that_are_none(accelerator, model):
    with pytest.raises(UsageError, match="did you mean 'dsps'"):
        hlsgen.compile(model, caps={"dsp": 0.5})
    with pytest.raises(HostError, match="no array"):
        accelerator.predict([[1.0, 2.0], [3.0]])
