"""`flow`: what a file may say, which steps run and why, and going on after a break."""

import json
from dataclasses import asdict

import numpy as np
import onnx
import pytest

from hlsgen.cli.flow_file import read_flow
from hlsgen.cli.main import main
from hlsgen.files import held
from hlsgen.flow import LOCK, MANIFEST, Manifest, Origin, Record, digest
from hlsgen.train.trainer import Trainer
from tests.support.networks import parse
from tests.support.paths import ROOT

NETWORK = """(float[1,1,4,4] x, float[16,12] a, float[12] ab, float[12,3] b, float[3] bb)
=> (float[1,3] y) { f = Flatten(x) p = Gemm(f, a, ab) r = Relu(p) y = Gemm(r, b, bb) }"""
FLOW = """
model = "m.onnx"
data = "d.npz"
out = "out"
pictures = 20
[train]
workers = 1
epochs = 3
batch = 16
lr = 0.2
[sparsify]
sparsity = 0.5
[build]
style = "pipelined"
[validate]
[audit]
[report]
"""
STEPS = ["train", "sparsify", "build", "validate", "audit", "report"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A network, and pictures whose brightest rows tell their class."""
    folder = tmp_path_factory.mktemp("inputs")
    onnx.save(parse(NETWORK), folder / "m.onnx")
    random = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", 96), ("test", 40)):
        labels = np.arange(count) % 3
        images = random.integers(0, 120, (count, 4, 4), np.uint8)
        for label in range(3):
            images[labels == label, label : label + 2] += np.uint8(100)
        parts |= {f"{part}_images": images, f"{part}_labels": labels}
    np.savez(folder / "d.npz", **parts)
    return folder


@pytest.fixture
def folder(inputs, tmp_path):
    """A flow that is still to run."""
    for name in ("m.onnx", "d.npz"):
        (tmp_path / name).write_bytes((inputs / name).read_bytes())
    (tmp_path / "flow.toml").write_text(FLOW)
    return tmp_path


def run(folder, capsys, *words, status=0):
    """What a flow tells, by step: whether it ran."""
    assert main(["flow", str(folder / "flow.toml"), "--json", *words]) == status
    told = json.loads(capsys.readouterr().out)
    if "steps" not in told:
        return told
    return {
        s["step"]: s.get("why", s.get("state") == "ran")
        for s in told["steps"]
        if s["step"] != "model"
    }


def change(folder, old, new):
    text = (folder / "flow.toml").read_text()
    assert old in text
    (folder / "flow.toml").write_text(text.replace(old, new))


@pytest.mark.emulator
def test_steps_run_when_what_they_follow_from_changes(folder, capsys):
    """From nothing; once more; with another option; with a result lost or changed; with a step
    more. What --dry-run says comes true."""
    assert run(folder, capsys, "--dry-run") == dict.fromkeys(STEPS, "not done yet")
    assert not (folder / "out").exists()
    assert run(folder, capsys) == dict.fromkeys(STEPS, True)
    manifest = json.loads((folder / "out" / MANIFEST).read_text())["steps"]
    assert list(manifest) == ["model", *STEPS]
    start, trained, sparse = (manifest[n]["accuracy"]["share"] for n in ("model", *STEPS[:2]))
    assert trained > 0.7 > start and sparse > start
    seen = manifest["validate"]["accuracy"]
    assert seen["pictures"] == seen["same_as_onnxruntime"] == 20 and seen["share"] > 0.5
    assert manifest["sparsify"]["origin"]["inputs"]["trained.onnx"] == digest(
        folder / "out" / "trained.onnx"
    )
    assert manifest["train"]["result"]["accuracy"] == trained
    assert (folder / "out/trained.onnx.training/curves.png").is_file()

    assert run(folder, capsys) == dict.fromkeys(STEPS, False)
    change(folder, "sparsity = 0.5", "sparsity = 0.6")
    said = run(folder, capsys, "--dry-run")
    assert said["train"] == "" and said["sparsify"] == "another sparsity"
    assert (
        said["build"] == "sparsify runs"
        and said["report"] == "build runs, validate runs, audit runs"
    )
    assert run(folder, capsys) == {name: name != "train" for name in STEPS}

    (folder / "out" / "sparse.onnx").unlink()
    assert run(folder, capsys, "--dry-run")["sparsify"] == "sparse.onnx is missing"
    # The same network comes again, so nothing follows.
    assert run(folder, capsys) == {name: name == "sparsify" for name in STEPS}
    change(folder, "[report]", "")
    (folder / "out" / "design" / "audit.json").write_text("{}")
    assert run(folder, capsys) == {name: name == "audit" for name in STEPS[:-1]}


@pytest.mark.slow
def test_a_flow_that_is_interrupted_goes_on(folder, capsys, monkeypatch):
    """Ctrl-C after the second epoch: one line, status 130; the third one alone is left to train."""
    change(folder, FLOW[FLOW.index("[sparsify]") :], "")
    change(folder, "pictures = 20", "")
    save, run_epoch, epochs = Trainer.save_checkpoint, Trainer.run_epoch, []

    def interrupted(self, epoch):
        save(self, epoch)
        if epoch == 2:
            raise KeyboardInterrupt

    def counted(self, epoch):
        epochs.append(epoch)
        run_epoch(self, epoch)

    monkeypatch.setattr(Trainer, "run_epoch", counted)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save_checkpoint", interrupted)
        assert main(["flow", str(folder / "flow.toml")]) == 130
    assert capsys.readouterr().err.splitlines() == ["error: interrupted"]
    assert run(folder, capsys, "--dry-run") == {"train": "was broken off"}
    assert run(folder, capsys) == {"train": True} and epochs == [0, 1, 2]
    whole = (folder / "out" / "trained.onnx").read_bytes()
    (folder / "out" / MANIFEST).unlink()
    assert run(folder, capsys) == {"train": True} and epochs == [0, 1, 2, 0, 1, 2]
    assert (folder / "out" / "trained.onnx").read_bytes() == whole


def test_one_flow_at_a_time_in_a_folder(folder, capsys):
    """Whoever comes second is told so, changes nothing, and may look; a file that a dead flow left
    shuts nobody out."""
    change(folder, FLOW[FLOW.index("[train]") :], "[zoo]\nnetwork = 'lenet5'\n")
    change(folder, 'model = "m.onnx"\ndata = "d.npz"\n', "")
    change(folder, "pictures = 20", "")
    out = folder / "out"
    out.mkdir()
    with held(out / LOCK, "flow", ""):
        assert main(["flow", str(folder / "flow.toml")]) == 2
        assert "flow.toml, out = " in (told := capsys.readouterr().err)
        assert "another flow is writing there" in told
        assert [path.name for path in out.iterdir()] == [LOCK]
        assert run(folder, capsys, "--dry-run") == {"zoo": "not done yet"}
    (out / LOCK).touch()
    assert run(folder, capsys) == {"zoo": True}
    assert {path.name for path in out.iterdir()} == {"model.onnx", MANIFEST}


def test_a_wrong_design_ends_the_flow(folder, capsys, monkeypatch):
    change(folder, FLOW[FLOW.index("[train]") : FLOW.index("[build]")], "")
    monkeypatch.setattr("hlsgen.cli.validate.execute", lambda options, console: 1)
    assert run(folder, capsys, status=1) == dict.fromkeys(["build", *STEPS[3:]], False) | {
        "build": True
    }
    assert "validate" not in json.loads((folder / "out" / MANIFEST).read_text())["steps"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[sparsify]", "[sparsfy]", "flow.toml, sparsfy: a flow has no 'sparsfy'; did you mean"),
        ("epochs = 3", "epoch = 3", "[train] epoch: `hlsgen train` has no option 'epoch'; did you"),
        ("epochs = 3", "epochs = 'x'", "flow.toml, [train] epochs: invalid int value: 'x'"),
        ("epochs = 3", "epochs = true", "[train] epochs: True is not a value"),
        ("epochs = 3", "cut = 2026-01-01", "[train] cut: is neither a number nor a text"),
        ("epochs = 3", "cut = [{}]", "[train] cut: is neither a number nor a text"),
        ("epochs = 3", "keep_zeros = 3", "[train] keep_zeros: 3 is not true or false"),
        ("epochs = 3", "hybrid = 2.5", "flow.toml, [train] hybrid: 2.5 is not between"),
        ("epochs = 3", "out = 'x'", "[train] out: the flow decides that"),
        ("epochs = 3", "cut = 'a'", "not allowed with argument"),
        ("sparsity = 0.5", "", "[sparsify] sparsity: how sparse?"),
        ("style = \"pipelined\"", "style = 'folde'", "[build] style: invalid choice: 'folde'"),
        ("style = \"pipelined\"", "boards = 2", "[build] boards: the flow decides that"),
        ("model = \"m.onnx\"", "", "flow.toml, model: which network"),
        ("model = \"m.onnx\"", "model = 'n.onnx'", "n.onnx: no such file"),
        ("[build]\nstyle = \"pipelined\"\n", "", "[validate]: there is no design"),
        ("pictures = 20", "pictures = '20'", "flow.toml, pictures: '20' is not a whole number"),
        ("[train]", "[train", "flow.toml: cannot be read"),
        ("data = \"d.npz\"", "data = 'nothing'", "nothing: no such file"),
    ],
)  # fmt: skip
def test_files_that_are_refused(old, new, words, folder, capsys):
    """Before anything runs, with file, field and remedy."""
    change(folder, old, new)
    assert main(["flow", str(folder / "flow.toml")]) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("error:") == 1
    assert not (folder / "out" / "trained.onnx").exists()


def test_files_elsewhere_count_too(folder, tmp_path_factory, monkeypatch):
    """A path is relative to the file, else to where the command runs: what lies there is an input,
    so that its content counts."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("p.toml", "d.npz"):
        (elsewhere / name).write_text("scale = 1.0")
    monkeypatch.chdir(elsewhere)
    change(folder, "[train]", "prepare = 'p.toml'\n[train]")
    files = read_flow(folder / "flow.toml").files["train"]
    assert files["prepare"].resolve() == elsewhere / "p.toml" and files["data"] == folder / "d.npz"


def test_reasons(tmp_path):
    (tmp_path / "a").write_text("a")
    before = Origin({"x": 1}, {"in": "1"}, "1")
    manifest = Manifest(tmp_path, {"s": Record("", before, {"a": digest(tmp_path / "a")}, 0, "")})
    assert manifest.why("s", before) == ""
    assert manifest.why("t", before) == "not done yet"
    assert manifest.why("s", Origin({"x": 1}, {"in": "1"}, "2")) == "hlsgen 2 in place of 1"
    assert manifest.why("s", Origin({"x": 1, "y": 2}, {"in": "1"}, "1")) == "another y"
    assert manifest.why("s", Origin({"x": 1}, {"in": "2"}, "1")) == "in changed"
    (tmp_path / "a").write_text("b")
    assert manifest.why("s", before) == "a was changed by hand"
    manifest.write()
    assert Manifest.read(tmp_path).steps == manifest.steps
    assert not manifest.start("s", "", before) and Manifest.read(tmp_path).start("s", "", before)
    assert Manifest.read(tmp_path).why("s", before) == "was broken off"
    good = json.loads((tmp_path / MANIFEST).read_text())
    record = json.loads(json.dumps(asdict(Record("", before, {"a": "1"}, 0, ""))))
    for bad in (
        "nothing",
        "[" * 100_000,
        json.dumps(good | {"schema": 2}),
        json.dumps(good | {"started": {"step": "s"}}),
        json.dumps(good | {"steps": {"s": record | {"outputs": ["a"]}}}),
        json.dumps(good | {"steps": {"s": record | {"origin": {"options": [], "inputs": {}}}}}),
    ):
        (tmp_path / MANIFEST).write_text(bad)
        found = Manifest.read(tmp_path)
        assert found.steps == {} and found.why("s", before) == "not done yet"


@pytest.mark.emulator
def test_from_training_to_the_chip(tmp_path, capsys):
    """The example in short: ten kinds of bars in place of pictures."""
    random = np.random.default_rng(0)
    labels = np.arange(1500) % 10
    images = random.integers(0, 80, (1500, 28, 28), np.uint8)
    for kind in range(5):
        images[labels == kind, 4 * kind + 3 : 4 * kind + 7] += np.uint8(150)
        images[labels == kind + 5, :, 4 * kind + 3 : 4 * kind + 7] += np.uint8(150)
    np.savez(
        tmp_path / "bars.npz",
        train_images=images[:1200],
        train_labels=labels[:1200],
        test_images=images[1200:],
        test_labels=labels[1200:],
    )
    text = (ROOT / "examples" / "train_to_chip.toml").read_text()
    for old, new in (
        ('"fashion-mnist"', '"bars.npz"'),
        ("pictures = 500", "pictures = 40"),
        ("epochs = 6", "epochs = 5"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "flow.toml").write_text(text)
    assert main(["flow", str(tmp_path / "flow.toml"), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {step["step"]: step["accuracy"] for step in json.loads(lines[-1])["steps"]}
    assert told["train"]["share"] > 0.95 > told["zoo"]["share"]
    assert told["validate"]["share"] > 0.9 and told["validate"]["same_as_onnxruntime"] == 40
    folder = tmp_path / "train_to_chip"
    assert {"trained.onnx.training", "tuned.onnx.training", "design"} <= {
        path.name for path in folder.iterdir()
    }
