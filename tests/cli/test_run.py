"""`run` takes arrays as users have them, pictures and folders of them, and names the classes."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from hlsgen.cli.main import main
from hlsgen.host.__main__ import main as host_main
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.images import read_images
from hlsgen.host.pictures import PLAIN, PREPARATIONS, Preparation, read_preparation
from tests.support.networks import parse, run_onnxruntime

# Wider than high, so that no layout is taken for another.
NETWORK = """(float[1,3,8,12] x, float[6,288] w) => (float[1,6] y) {
  f = Flatten(x) g = Gemm<transB=1>(f, w) y = Softmax(g) }"""
BYTES = np.random.default_rng(0).integers(0, 256, (4, 8, 12, 3), np.uint8)
CHANNELS_FIRST = np.moveaxis(BYTES, -1, 1)
IMAGENET = PREPARATIONS["imagenet"]


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    onnx.save(parse(NETWORK), folder / "net.onnx")
    arguments = ["build", str(folder / "net.onnx"), "--style", "base", "-q"]
    assert main([*arguments, "--out", str(folder / "net_design")]) == 0
    return folder / "net_design"


@pytest.fixture
def here(design, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(design, *names, preparation=PLAIN):
    found = read_images(HostDesign(design), [str(name) for name in names], preparation)
    return found.inputs["x"], found.names


@pytest.mark.parametrize(
    "array",
    [
        CHANNELS_FIRST,
        BYTES,
        BYTES.astype(np.float32) / 255,
        BYTES.astype(np.float64) / 255,
        (CHANNELS_FIRST / 255).astype(np.float16),
    ],
)
def test_layouts_and_types_of_arrays(array, design, here):
    np.save("x.npy", array)
    found, names = read(design, "x.npy")
    assert found.dtype == np.float32 and names == tuple(f"x.npy {n}" for n in range(4))
    np.testing.assert_allclose(found, CHANNELS_FIRST / np.float32(255), atol=3e-4)
    np.save("one.npy", array[2])
    one, names = read(design, "one.npy")
    np.testing.assert_array_equal(one, found[2:3])
    assert names == ("one.npy",)


def test_pictures_and_folders(design, here):
    Path("pictures/more").mkdir(parents=True)
    for number, name in enumerate(("b.png", "a.png", "more/c.png")):
        Image.fromarray(BYTES[number]).save(f"pictures/{name}")
    Path("pictures/notes.txt").write_text("no picture")
    found, names = read(design, "pictures")
    assert names == ("a.png", "b.png", "c.png")
    np.testing.assert_allclose(found, CHANNELS_FIRST[[1, 0, 2]] / np.float32(255), rtol=1e-6)
    again, _ = read(design, "pictures/b.png", "pictures", preparation=Preparation(scale=1.0))
    np.testing.assert_array_equal(again, CHANNELS_FIRST[[0, 1, 0, 2]])
    grey = Image.fromarray(BYTES[0, ..., 0]).resize((24, 16))
    grey.save("grey.jpg")
    assert read(design, "grey.jpg")[0].shape == (1, 3, 8, 12)


@pytest.mark.parametrize("kind", ["float", "uint8"])
def test_pictures_of_a_network_with_channels_last(kind, tmp_path, monkeypatch):
    """As TensorFlow's are exported."""
    monkeypatch.chdir(tmp_path)
    cast = "z = Cast<to=1>(x) y" if kind == "uint8" else "y"
    text = f"({kind}[1,8,12,3] x) => (float[1,3,8,12] y) {{ {cast} = "
    onnx.save(
        parse(f"{text}Transpose<perm=[0,3,1,2]>({'z' if kind == 'uint8' else 'x'}) }}"), "last.onnx"
    )
    assert main(["build", "last.onnx", "--style", "base", "-q"]) == 0
    Image.fromarray(BYTES[0]).save("cat.png")
    np.save("cat.npy", BYTES[0])
    design = Path("last_design")
    found, _ = read(design, "cat.png", preparation=IMAGENET)
    array, _ = read(design, "cat.npy", preparation=IMAGENET)
    assert found.shape == array.shape == (1, 8, 12, 3)
    same, _ = read(design, "cat.png")
    scale = np.uint8(1) if kind == "uint8" else np.float32(255)
    np.testing.assert_array_equal(same[0], BYTES[0] / scale)
    if kind == "float":
        wanted = (BYTES[0] / 255 - np.array(IMAGENET.mean)) / np.array(IMAGENET.deviation)
        np.testing.assert_allclose(array[0], wanted, atol=1e-5)


def test_a_preparation_by_name(design, here):
    np.save("x.npy", BYTES)
    found, _ = read(design, "x.npy", preparation=IMAGENET)
    assert IMAGENET.side((1, 3, 224, 224)) == 256 and IMAGENET.side((1, 3, 32, 32)) == 37
    assert (
        Preparation(resize=40).side((1, 3, 32, 32)) == 40 and Preparation().side((1, 1, 8, 8)) == 0
    )
    spread = np.array(IMAGENET.mean), np.array(IMAGENET.deviation)
    wanted = np.moveaxis((BYTES / 255 - spread[0]) / spread[1], -1, 1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("scale = 0", "scale must be more than 0"),
        ("deviation = [0.2, 0]", "deviation must be more than 0"),
        ("mean = []", "mean must have a number"),
        ('mean = ["x"]', r"mean\[0\] must be float"),
        ("scale = nan", "scale must be float"),
        ("resize = -1", "resize must not be negative"),
        ("crop = 1.5", "crop must be a share"),
        ("width = 3", "width is unknown"),
    ],
)
def test_a_preparation_that_makes_no_numbers_is_refused(text, word, tmp_path):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(HostError, match=word):
        read_preparation(tmp_path / "p.toml")


def test_what_is_no_picture_is_refused(design, here):
    Path("x.png").write_text("no picture")
    Path("empty").mkdir()
    for name, word in (("x.png", "cannot be read as a picture"), ("empty", "no pictures")):
        with pytest.raises(HostError, match=word):
            read(design, name)
    np.save("right.npy", CHANNELS_FIRST.astype(np.float32))
    np.save("small.npy", np.zeros((1, 3, 8, 11), np.float32))
    with pytest.raises(HostError, match="1, 3, 8, 11"):
        read(design, "right.npy", "small.npy")
    Path("right.npy").rename("named.npz")
    Path("broken.npz").write_bytes(b"PK\3\4 no archive")
    for name in ("named.npz", "broken.npz"):
        with pytest.raises(HostError, match="cannot be read"):
            read(design, name)
    np.save("nan.npy", np.full((3, 8, 12), np.nan))
    with pytest.raises(HostError, match="NaN"):
        read(design, "nan.npy")


@pytest.mark.emulator
def test_classes_are_named(design, here, capsys):
    Image.fromarray(BYTES[0]).save("cat.png")
    Path("labels.txt").write_text("ant\nbee\ncat\ndog\n")
    arguments = ["run", str(design), "--input", "cat.png", "--labels", "labels.txt"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    scores = run_onnxruntime(parse(NETWORK), {"x": CHANNELS_FIRST[:1] / np.float32(255)})["y"][0]
    order = np.argsort(-scores)[:5]
    names = ["ant", "bee", "cat", "dog", "class 4", "class 5"]
    assert lines[1].split()[0] == "cat.png" and len(lines) == 7
    for line, number in zip(lines[1:], order, strict=False):
        assert names[number] in line and line.endswith(f"{scores[number]:.4g}"), lines
    (design / "labels.txt").write_text("\n".join(names))
    assert main([*arguments[:4], "--json", "--output", "y.npy"]) == 0
    found = json.loads(capsys.readouterr().out)
    (best, *_) = found["classes"][0]["classes"]
    assert best["label"] == names[order[0]] and best["class"] == order[0]
    assert np.load("y.npy").shape == (1, 6)


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "1e7"])
def test_a_time_limit_that_is_none_is_refused(limit, design, here, capsys):
    np.save("x.npy", BYTES)
    assert main(["run", str(design), "--input", "x.npy", "--timeout", limit]) == 2
    assert f"a timeout of {float(limit):g} seconds" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_what_holds_no_named_arrays_is_refused_by_the_host_alone(name, design, here, capsys):
    if name == "x.npy":
        np.save(name, BYTES)
    else:
        Path(name).write_bytes(b"PK\3\4 no archive")
    for arguments in (["run", str(design), name, "y.npz"], ["check", str(design), name]):
        assert host_main(arguments) == 2
        assert f"{name}: cannot be read" in capsys.readouterr().err
    assert not Path("y.npz").exists()


def test_reference_takes_as_many_images_as_validate(design, here, capsys):
    np.save("x.npy", BYTES)
    arguments = ["reference", str(design), "--input", "x.npy", "--samples"]
    assert main([*arguments, "3"]) == 0
    with np.load("reference.npz") as stored:
        assert stored["input/x"].shape == (3, 3, 8, 12)
    assert main([*arguments, "0", "--force"]) == 2
    assert "not a positive number of images" in capsys.readouterr().err
