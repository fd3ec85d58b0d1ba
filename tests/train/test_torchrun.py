"""`train` as torchrun starts it: its options reach it, and failures are told in words."""

import onnx
import pytest
from torch.distributed.run import get_args_parser

from hlsgen.cli.main import main, parser
from hlsgen.errors import PlanError, TrainingError
from hlsgen.train.launch import take_part
from tests.support.networks import parse

NETWORK = "(float[1,4] x, float[4,2] w) => (float[1,2] y) { y = MatMul(x, w) }"


def train_options():
    """All options of `train`."""
    commands = next(action for action in parser()._actions if action.choices)
    return [name for action in commands.choices["train"]._actions for name in action.option_strings]


def test_torchrun_passes_options_on():
    """It takes an option that begins like two of its own for a mistake, even behind the program's
    name."""
    options = [name for name in train_options() if name not in ("-h", "--help", "--log")]
    assert "--log-folder" in options
    for name in options:
        found = get_args_parser().parse_args(["-m", "hlsgen", "train", "m.onnx", name, "1"])
        assert found.training_script_args == ["train", "m.onnx", name, "1"], name


def test_a_number_of_workers_other_than_torchrun_started(tmp_path, monkeypatch, capsys):
    onnx.save(parse(NETWORK), tmp_path / "m.onnx")
    command = [
        "train",
        str(tmp_path / "m.onnx"),
        "--data",
        "nowhere",
        "-o",
        str(tmp_path / "o.onnx"),
    ]
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main([*command, "--workers", "3"]) == 2
    assert "torchrun started 2" in capsys.readouterr().err
    assert not (tmp_path / "o.onnx.training").exists()


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (
            RuntimeError("Connection closed by peer [127.0.0.1]"),
            TrainingError,
            "worker 2 of 3: lost its neighbour",
        ),
        (MemoryError(), TrainingError, "worker 2 of 3: out of memory"),
        (PlanError("no such layer"), PlanError, "no such layer"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
    ],
)
def test_what_a_worker_raises(error, raised, words):
    def entry(rank, world, store):
        assert (rank, world, store) == (1, 3, "env://")
        raise error

    with pytest.raises(raised, match=words):
        take_part(entry, 1, 3)
