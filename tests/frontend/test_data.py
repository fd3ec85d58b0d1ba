"""Labelled pictures: formats, parts, known names, and onnxruntime on many at once."""

import gzip
import json
import struct

import numpy as np
import pytest
from PIL import Image

from hlsgen.data.evaluate import Score, any_batch, run
from hlsgen.data.known import KNOWN, locate
from hlsgen.data.parts import parted
from hlsgen.data.pictures import read_pictures, read_stored
from hlsgen.errors import ModelError
from hlsgen.host.pictures import Preparation
from tests.support.networks import parse

SHAPE = (1, 1, 28, 28)


def write_idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    with gzip.open(path, "wb") as file:
        file.write(header + array.astype(np.uint8).tobytes())


def test_parts_of_idx_files(tmp_path):
    for part, count in (("train", 5), ("t10k", 3)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", np.full((count, 28, 28), count))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.full(count, count))
    assert len(read_stored(tmp_path, SHAPE, part="train").images) == 5
    assert len(read_stored(tmp_path, SHAPE, part="test").images) == 3
    assert set(read_pictures(tmp_path, SHAPE).labels) == {
        3
    }  # pictures to judge by are the test pictures


def test_parts_of_npz_files(tmp_path):
    names = {"x_train": 6, "x_test": 2}
    arrays = {name: np.zeros((count, 28, 28), np.uint8) for name, count in names.items()}
    np.savez(tmp_path / "keras.npz", **arrays, y_train=np.arange(6)[:, None], y_test=np.arange(2))
    train, test = (
        read_stored(tmp_path / "keras.npz", SHAPE, part=part) for part in ("train", "test")
    )
    assert train.labels.tolist() == list(range(6)) and test.inputs().shape == (2, 1, 28, 28)
    np.savez(tmp_path / "plain.npz", images=arrays["x_test"], labels=[0, 1])
    assert read_stored(tmp_path / "plain.npz", SHAPE, part="test") is None
    assert len(read_stored(tmp_path / "plain.npz", SHAPE, part="train").images) == 2


def test_parts_of_image_folders(tmp_path):
    for part, count in (("train", 3), ("val", 1)):
        for label in ("cat", "dog"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("L", (28, 28), number).save(folder / f"{number}.png")
    assert read_stored(tmp_path, SHAPE, part="train").labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert read_stored(tmp_path, SHAPE, part="test").labels.tolist() == [0, 1]


def test_cifar(tmp_path):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (2, 3, 32, 32), np.uint8), np.array([7, 2], np.uint8)
    for name in ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"):
        (tmp_path / name).write_bytes(
            b"".join(
                bytes([label]) + image.tobytes()
                for image, label in zip(images, labels, strict=True)
            )
        )
    train = read_stored(tmp_path, (1, 3, 32, 32), part="train")
    assert train.labels.tolist() == [7, 2, 7, 2] and np.array_equal(train.images[:2], images)
    assert len(read_stored(tmp_path, (1, 3, 32, 32), part="test").images) == 2
    (tmp_path / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match="truncated"):
        read_stored(tmp_path, (1, 3, 32, 32), part="test")


def test_digits_of_the_npm_package(tmp_path):
    for digit in range(10):
        pixels = [digit / 255] * (28 * 28 * (digit + 1))
        (tmp_path / f"{digit}.json").write_text(json.dumps({"data": pixels}))
    stored = read_stored(tmp_path, SHAPE, part="train")
    assert np.array_equal(stored.images[:, 0, 0, 0], stored.labels) and len(stored.images) == 55
    assert read_stored(tmp_path, SHAPE, part="test") is None
    (tmp_path / "3.json").write_text("{}")
    with pytest.raises(ModelError, match=r"3\.json"):
        read_stored(tmp_path, SHAPE)


def test_grey_pictures_fill_all_channels_and_the_frame(tmp_path):
    np.savez(tmp_path / "p.npz", images=np.full((2, 28, 28), 255, np.uint8), labels=[0, 1])
    inputs = read_stored(
        tmp_path / "p.npz", (1, 3, 32, 32), Preparation(255, (0.5,), (0.5,))
    ).inputs()
    assert inputs.shape == (2, 3, 32, 32)
    assert (inputs[:, :, 2:30, 2:30] == 1).all() and (inputs[:, :, :2] == -1).all()


def test_known_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HLSGEN_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in KNOWN:
        if name != "fashion-mnist":
            with pytest.raises(ModelError, match="what to do"):
                locate(name)
        (tmp_path / "sets" / name).mkdir(parents=True)
        monkeypatch.setenv("HLSGEN_DATA", str(tmp_path / "sets"))
        assert locate(name) == tmp_path / "sets" / name
        monkeypatch.setenv("HLSGEN_DATA", str(tmp_path))
    with pytest.raises(ModelError, match="no such file"):
        locate("nothing")


@pytest.mark.parametrize("shape", ["[1,-1]", "[1,12]", "[-1,12]"])
def test_many_pictures_at_once_are_the_same_as_one_by_one(shape):
    """Also where the network has the one image built in."""
    count = shape.count(",") + 1
    model = parse(
        "(float[1,3,2,2] x, float[12,4] w) => (float[1,4] y) "
        f"{{ s = Constant<value = int64[{count}] {{{shape.strip('[]')}}}>() r = "
        f"Reshape(x, s) y = MatMul(r, w) }}"
    )
    inputs = np.random.default_rng(0).standard_normal((70, 3, 2, 2), dtype=np.float32)
    assert any_batch(model) is not None
    found = run(model, inputs)
    one = np.concatenate([run(model, inputs[i : i + 1]) for i in range(len(inputs))])
    assert found.shape == (70, 4) and np.allclose(found, one, rtol=1e-4, atol=1e-6)


def save_pictures(folder, *shades):
    for number, shade in enumerate(shades):
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(folder / f"{number}.png")


def test_a_folder_with_training_pictures_alone(tmp_path):
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "train" / name, 10, 20)
    inputs, judges = parted(tmp_path, (1, 3, 8, 8), Preparation(), 2)
    assert len(inputs) == len(judges.inputs) == 2


def test_a_class_may_be_called_like_a_part(tmp_path):
    for name in ("bus", "train", "valley"):
        save_pictures(tmp_path / name, 10, 20)
    inputs, judges = parted(tmp_path, (1, 3, 8, 8), Preparation(), 3)
    assert len(inputs) == 3 and set(judges.labels) == {0, 1, 2}
    assert len(read_pictures(tmp_path, (1, 3, 8, 8)).inputs) == 6


def test_pictures_of_a_network_with_channels_last(tmp_path):
    """As TensorFlow's are exported."""
    save_pictures(tmp_path / "a", [10, 20, 30])
    for where in (tmp_path, tmp_path / "x.npz"):
        if where.suffix:
            np.savez(where, input=np.full((1, 8, 8, 3), [10, 20, 30], np.uint8))
        found = read_pictures(where, (1, 8, 8, 3), Preparation(scale=1.0, mean=(1.0, 2.0, 3.0)))
        np.testing.assert_array_equal(found.inputs, np.full((1, 8, 8, 3), [9, 18, 27]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pictures_of_numbers_that_are_none_are_refused(value, tmp_path):
    np.savez(tmp_path / "x.npz", input=np.full((2, 3, 8, 8), value, np.float32))
    with pytest.raises(ModelError, match="NaN"):
        read_pictures(tmp_path / "x.npz", (1, 3, 8, 8))


def test_intervals_of_shares_are_shares():
    for pictures in range(1, 40):
        for right in (0, pictures):
            low, high = Score(right, pictures).interval
            assert 0 <= low < high <= 1
