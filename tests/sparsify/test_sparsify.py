"""Sparsification: exact counts, the definitions of the methods, the search, bad input, and the way
on to the emulator."""

import gzip
import json
import struct

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hlsgen.cli.main import main
from hlsgen.data.evaluate import Evaluator, Score
from hlsgen.data.pictures import read_pictures
from hlsgen.errors import ModelError, PlanError
from hlsgen.host.pictures import Preparation
from hlsgen.sparsify import METHODS, sparsify
from hlsgen.sparsify.norms import input_norms
from hlsgen.sparsify.search import Searcher
from hlsgen.sparsify.select import smallest
from hlsgen.sparsify.storage import stored_bytes
from hlsgen.zoo import network
from tests.support.networks import assert_right, build, parse, run_onnxruntime

NETWORK = """(float[1,3,8,8] x, float[8,3,3,3] a, float[8] ab, float[8,1,3,3] d,
float[12,8,1,1] b, float[432,10] f, float[10] fb)
=> (float[1,10] y) { t = Conv(x, a, ab) tr = Relu(t) u = Conv<group=8, pads=[1,1,1,1]>(tr, d)
v = Conv(u, b) g = Flatten(v) y = Gemm(g, f, fb) }"""
LAYERS = ("a", "b", "f")  # biases and depthwise filters are spared


@pytest.fixture
def model():
    return parse(NETWORK)


def weights(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def make(model, method, share):
    norms = input_norms(
        model, np.random.default_rng(0).standard_normal((4, 3, 8, 8), dtype=np.float32)
    )
    return sparsify(model, method, sparsity=share, norms=norms if method == "wanda" else None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.337, 0.5])
def test_exact_idempotent_and_nothing_else_changes(method, share, model):
    before = model.SerializeToString(deterministic=True)
    result = make(model, method, share)
    assert model.SerializeToString(deterministic=True) == before
    old, new = weights(model), weights(result.model)
    total = sum(old[name].size for name in LAYERS)
    zeros = sum(int((new[name] == 0).sum()) for name in LAYERS)
    assert zeros == round(share * total) == result.weights - result.kept
    assert result.sparsity == zeros / total
    for name, array in new.items():
        kept = array != 0 if name in LAYERS else np.ones(array.shape, bool)
        assert array[kept].tobytes() == old[name][kept].tobytes()
    assert (
        make(result.model, method, share).model.SerializeToString()
        == result.model.SerializeToString()
    )
    assert share or result.model.SerializeToString(deterministic=True) == before


def test_thresholds_by_definition(model):
    old = weights(model)
    flat = weights(sparsify(model, "flat", threshold=[0.05]).model)
    sloped = weights(sparsify(model, "triangular", threshold=[0.2, 0.02]).model)
    for name, tau in zip(LAYERS, (0.2, 0.11, 0.02), strict=True):
        np.testing.assert_array_equal(
            flat[name], np.where(np.abs(old[name]) <= np.float32(0.05), 0, old[name])
        )
        np.testing.assert_array_equal(
            sloped[name], np.where(np.abs(old[name]) <= np.float32(tau), 0, old[name])
        )


def test_relative_takes_the_same_share_of_every_layer(model):
    new = weights(make(model, "relative", 0.5).model)
    for name in LAYERS:
        assert abs(int((new[name] == 0).sum()) - new[name].size / 2) <= 1
    shares = weights(sparsify(model, "relative", shares=[0.0, 0.25, 1.0]).model)
    assert [int((shares[name] == 0).sum()) for name in LAYERS] == [0, 24, 4320]


def test_lamp_by_definition(model):
    old = weights(model)
    scores = []
    for name in LAYERS:
        w = old[name].ravel().astype(np.float64)
        scores.append(np.array([x * x / (w[np.abs(w) >= abs(x)] ** 2).sum() for x in w]))
    cut = np.sort(np.concatenate(scores))[999]
    new = weights(sparsify(model, "lamp", sparsity=1000 / 4632).model)
    for name, score in zip(LAYERS, scores, strict=True):
        gone = new[name].ravel() == 0
        assert (score[gone] <= cut * 1.00001).all() and (score[~gone] >= cut * 0.99999).all()


def test_wanda_by_definition():
    """In every filter the smallest |w| times its channel's norm."""
    model = parse("(float[1,4,5,5] x, float[6,4,1,1] w) => (float[1,6,5,5] y) { y = Conv(x, w) }")
    x = (
        np.random.default_rng(1).standard_normal((3, 4, 5, 5), dtype=np.float32)
        * np.array([9, 1, 1, 0.1], np.float32)[:, None, None]
    )
    norms = input_norms(model, x)
    np.testing.assert_allclose(
        norms["y"], np.sqrt((x.astype(float) ** 2).sum(axis=(0, 2, 3))), rtol=1e-6
    )
    new = weights(sparsify(model, "wanda", sparsity=0.5, norms=norms).model)["w"][:, :, 0, 0]
    score = np.abs(weights(model)["w"][:, :, 0, 0]) * norms["y"]
    for row, kept in zip(score, new != 0, strict=True):
        assert kept.sum() == 2 and row[kept].min() > row[~kept].max()


@pytest.mark.parametrize("method", ["flat", "triangular"])
def test_no_layer_is_wiped_out(method, model):
    small = weights(model)["b"] * np.float32(0.001)
    for tensor in model.graph.initializer:
        if tensor.name == "b":
            tensor.CopyFrom(numpy_helper.from_array(small, "b"))
    if method == "flat":
        with pytest.raises(PlanError, match="would wipe out layer v; it reaches at most"):
            make(model, method, 0.5)
        with pytest.raises(PlanError, match="not below its largest weight"):
            sparsify(model, "flat", threshold=[0.01])
    assert (weights(make(model, "lamp", 0.9).model)["b"] != 0).any()
    assert not (weights(make(model, "global", 0.5).model)["b"] != 0).any()


def test_selection_without_sorting():
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(n).astype(np.float32) for n in (1, 1000, 77)] + [
        np.zeros(5, np.float32)
    ]
    ordered = np.sort(np.abs(np.concatenate(arrays)))
    for count in (1, 5, 6, 500, 1083):
        assert smallest(arrays, count) == ordered[count - 1]


def test_stored_bytes_by_hand():
    values = np.zeros(1000, np.float32)
    assert stored_bytes(values) == 0
    values[[0, 300, 999]] = 1  # runs of 0, 299 and 698 zeros: one and two fillers
    assert stored_bytes(values) == min(4000, (3 + 1 + 2) * 5, 125 + 12)
    assert stored_bytes(np.ones(16, np.float32)) == 64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(method="flat", sparsity=1.5), "not between 0 and 1"),
        (dict(method="flat", sparsity=-0.1), "not between 0 and 1"),
        (dict(method="magic", sparsity=0.5), "unknown method"),
        (dict(method="flat"), "either a sparsity or thresholds"),
        (dict(method="triangular", threshold=[0.1]), "takes 2 thresholds"),
        (dict(method="relative", threshold=[0.1]), "takes no threshold"),
        (dict(method="relative", shares=[0.5]), "1 shares for 3 layers"),
        (dict(method="wanda", sparsity=0.5), "needs pictures"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense(options, words, model):
    with pytest.raises(PlanError, match=words):
        sparsify(model, **options)


def test_networks_that_cannot_be_sparsified(model):
    with pytest.raises(ModelError, match="no weights"):
        sparsify(parse("(float[1,3] x) => (float[1,3] y) { y = Relu(x) }"), "flat", sparsity=0.5)
    with pytest.raises(ModelError, match="no node or tensor"):
        sparsify(model, "flat", sparsity=0.5, spare=["elsewhere"])
    values = weights(model)["a"].copy()
    values[0, 0, 0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "a"))
    with pytest.raises(ModelError, match="node t: its weights hold values that are not finite"):
        sparsify(model, "flat", sparsity=0.5)


def test_spared_layers_stay(model):
    new = sparsify(model, "global", sparsity=0.5, spare=["f"])
    assert (weights(new.model)["f"] != 0).all() and [layer.name for layer in new.layers] == [
        "t",
        "v",
    ]
    assert {
        layer.name for layer in sparsify(model, "global", sparsity=0.5, depthwise=True).layers
    } == {"t", "u", "v", "y"}


# ---- search and pictures


def test_interval_is_wilsons():
    low, high = Score(90, 100).interval
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)


@pytest.fixture
def pictures(model, tmp_path):
    """200 pictures whose labels are the dense network's answers, so that it is right on all."""
    x = np.random.default_rng(3).standard_normal((200, 3, 8, 8), dtype=np.float32)
    labels = np.array(
        [int(run_onnxruntime(model, {"x": image[None]})["y"].argmax()) for image in x]
    )
    np.savez(tmp_path / "pictures.npz", input=x, labels=labels)
    return tmp_path / "pictures.npz"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.slow
def test_search_stays_within_the_budget(method, model, pictures):
    data = read_pictures(pictures, (1, 3, 8, 8))
    searcher = Searcher(model, Evaluator(model, data), 0.1, input_norms(model, data.inputs[:16]))
    found = searcher.search(method)
    right = sum(
        int(run_onnxruntime(found.result.model, {"x": image[None]})["y"].argmax()) == label
        for image, label in zip(data.inputs, data.labels, strict=True)
    )
    assert found.score == Score(right, 200) and right >= 180
    assert found.result.sparsity > 0.05


def test_relative_search_beats_one_share_for_all(model, pictures):
    data = read_pictures(pictures, (1, 3, 8, 8))
    searcher = Searcher(model, Evaluator(model, data), 0.1)
    alike = searcher.bisect("relative", lambda share: searcher.make("relative", share))
    assert searcher.search("relative").result.sparsity >= alike


@pytest.mark.slow
def test_command(model, pictures, tmp_path, capsys):
    onnx.save(model, tmp_path / "dense.onnx")
    dense, out = str(tmp_path / "dense.onnx"), str(tmp_path / "sparse.onnx")
    arguments = [
        "sparsify",
        dense,
        "-o",
        out,
        "--method",
        "global",
        "--max-loss",
        "10%",
        "--data",
        str(pictures),
    ]
    assert main([*arguments, "--curves", str(tmp_path / "curves"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (
        data["accuracy"]["share"] >= 0.9
        and data["dense_accuracy"]["share"] == 1.0
        and data["evaluations"] > 5
    )
    new = weights(onnx.load(out))
    assert sum(int((new[name] == 0).sum()) for name in LAYERS) == data["weights"] - data["kept"]
    lines = (tmp_path / "curves" / "curves.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == set(METHODS)
    assert (tmp_path / "curves" / "curves.png").stat().st_size > 5000
    assert main(["sparsify", dense, "--data", str(pictures), "--curves", f"{tmp_path}/curves"]) == 2
    assert "curves.csv: exists" in capsys.readouterr().err
    goal = ["--curves", f"{tmp_path}/new", "--sparsity", "0.5"]
    assert main(["sparsify", dense, "--data", str(pictures), *goal]) == 2
    assert "--sparsity: it says nothing without -o" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert main(arguments) == 2  # nothing is overwritten unless asked
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert "95% interval" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sparsity", "2"], "not between 0 and 1"),
        (["--max-loss", "5%"], "accuracy needs pictures"),
        (["--max-loss", "x", "--data", "."], "is no share"),
        (["--threshold", "a"], "not one or two numbers"),
        ([], "how sparse"),
        (["--sparsity", "0.5", "--lr", "0.1"], "--lr: it says nothing without --fine-tune"),
        (["--sparsity", "0.5", "--prepare", "unit"], "--prepare: it says nothing without --data"),
        (["--sparsity", "0.5", "--metric", "top5"], "--metric: it says nothing without --data"),
        (["--sparsity", "0.5", "--calibrate", "9"], "nothing without --reconstruct"),
    ],
)
def test_bad_options(options, words, model, tmp_path, capsys):
    onnx.save(model, tmp_path / "dense.onnx")
    assert (
        main(
            [
                "sparsify",
                str(tmp_path / "dense.onnx"),
                "-o",
                str(tmp_path / "out.onnx"),
                "--method",
                "flat",
                *options,
            ]
        )
        == 2
    )
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_labels_that_do_not_fit(model, tmp_path):
    x = np.zeros((2, 3, 8, 8), np.float32)
    np.savez(tmp_path / "bad.npz", input=x, labels=np.array([3, 10]))
    with pytest.raises(ModelError, match="labels from 3 to 10, the network has 10 classes"):
        Evaluator(model, read_pictures(tmp_path / "bad.npz", (1, 3, 8, 8)))
    np.savez(tmp_path / "bad.npz", input=x, labels=np.array([3]))
    with pytest.raises(ModelError, match="1 labels for 2 pictures"):
        read_pictures(tmp_path / "bad.npz", (1, 3, 8, 8))
    with pytest.raises(ModelError, match="the network takes"):
        read_pictures(tmp_path / "bad.npz", (1, 3, 9, 9))


def test_agreement_without_labels(model, tmp_path):
    np.savez(
        tmp_path / "plain.npz",
        input=np.random.default_rng(0).standard_normal((9, 3, 8, 8), dtype=np.float32),
    )
    assert Evaluator(
        model, read_pictures(tmp_path / "plain.npz", (1, 3, 8, 8)), "top5"
    ).reference == Score(9, 9)


def test_idx_files_and_image_folders(tmp_path):
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (5, 6, 6), dtype=np.uint8)
    (tmp_path / "idx").mkdir()
    with gzip.open(tmp_path / "idx" / "t10k-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">HBB3I", 0, 8, 3, 5, 6, 6) + images.tobytes())
    (tmp_path / "idx" / "t10k-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">HBBI", 0, 8, 1, 5) + bytes([4, 3, 2, 1, 0]))
    )
    data = read_pictures(tmp_path / "idx", (1, 1, 8, 8), Preparation(255, (0.5,), (0.25,)))
    assert data.labels.tolist() == [4, 3, 2, 1, 0]
    np.testing.assert_allclose(data.inputs[:, 0, 1:7, 1:7], (images / 255 - 0.5) / 0.25, atol=1e-5)
    for label, colour in (("cat", 10), ("dog", 200)):
        (tmp_path / "folder" / label).mkdir(parents=True)
        Image.fromarray(np.full((20, 30, 3), colour, np.uint8)).save(
            tmp_path / "folder" / label / "1.png"
        )
    data = read_pictures(tmp_path / "folder", (1, 3, 8, 8), Preparation(1.0))
    assert data.labels.tolist() == [0, 1] and data.inputs.shape == (2, 3, 8, 8)
    assert (data.inputs[0] == 10).all() and (data.inputs[1] == 200).all()
    (tmp_path / "idx" / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03\0\0"))
    with pytest.raises(ModelError, match="truncated"):
        read_pictures(tmp_path / "idx", (1, 1, 8, 8))


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_a_sparse_network_validates_on_the_emulator(style, tmp_path, capsys):
    onnx.save(network("lenet5"), tmp_path / "lenet.onnx")
    design = str(tmp_path / "design")
    assert (
        main(
            [
                "build",
                str(tmp_path / "lenet.onnx"),
                "--style",
                style,
                "--sparsify",
                "relative:0.73",
                "--out",
                design,
            ]
        )
        == 0
    )
    assert ", 73.0% of them zero" in capsys.readouterr().out
    assert main(["validate", design, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert (
        main(["build", str(tmp_path / "lenet.onnx"), "--sparsify", "relative", "--out", design])
        == 2
    )
    assert "METHOD:SHARE" in capsys.readouterr().err


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_a_sparse_mobilenet_validates_on_the_emulator(style, tmp_path):
    """Its pipelined kernels skip zeros."""
    model = sparsify(network("mobilenetv2", size=64, width=0.5), "relative", sparsity=0.85).model
    design = build(model, tmp_path / "design", style)
    assert ("zeros are skipped" in design.source) == (style == "pipelined")
    assert_right(design)


@pytest.mark.slow
def test_fine_tuning_keeps_the_zeros_and_learns(tmp_path, capsys):
    random = np.random.default_rng(0)
    labels = np.arange(640) % 10
    images = random.integers(0, 60, (640, 3, 8, 8), np.uint8)
    for label in range(10):
        images[labels == label, :, label % 8, :] += np.uint8(120 if label < 8 else 0)
        images[labels == label, :, :, label % 8] += np.uint8(120 if label >= 8 else 0)
    np.savez(
        tmp_path / "pictures.npz",
        train_images=images,
        train_labels=labels,
        test_images=images[:200],
        test_labels=labels[:200],
    )
    onnx.save(parse(NETWORK), tmp_path / "dense.onnx")
    command = [
        "sparsify",
        str(tmp_path / "dense.onnx"),
        "--sparsity",
        "0.6",
        "--data",
        str(tmp_path / "pictures.npz"),
        "--json",
    ]
    shares = []
    for name, options in (("plain.onnx", []), ("tuned.onnx", ["--fine-tune", "8", "--lr", "0.1"])):
        assert main([*command, *options, "-o", str(tmp_path / name)]) == 0
        shares.append(json.loads(capsys.readouterr().out)["accuracy"]["share"])
    assert shares[1] > 0.9 > shares[0]
    left = {path.name for path in (tmp_path / "tuned.onnx.training").iterdir()}
    assert {"sparse.onnx", "losses.csv", "epochs.csv", "curves.png", "checkpoint.pt"} <= left
    plain, tuned = (weights(onnx.load(tmp_path / name)) for name in ("plain.onnx", "tuned.onnx"))
    assert all(np.array_equal(plain[name] == 0, tuned[name] == 0) for name in LAYERS)
    assert main([*command[:4], "--fine-tune", "2", "-o", str(tmp_path / "no.onnx")]) == 2
    assert "labelled pictures" in capsys.readouterr().err
