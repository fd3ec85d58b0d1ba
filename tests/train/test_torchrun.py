"""`train` as torchrun starts it: its options reach it, and failures are told in words."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from torch.distributed.run import get_args_parser

from hlsgen.cli.main import main, parser
from hlsgen.errors import PlanError, TrainingError
from hlsgen.train.launch import take_part
from tests.support.networks import parse

NETWORK = "(float[1,1,4,4] x, float[16,8] w, float[8,2] v) => (float[1,2] y) { f = Flatten(x) d = MatMul(f, w) y = MatMul(d, v) }"


@pytest.fixture
def command(tmp_path):
    """A run of two workers, without its last options."""
    onnx.save(parse(NETWORK), tmp_path / "m.onnx")
    images = np.random.default_rng(0).integers(0, 255, (32, 4, 4), np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(32) % 2)
    options = ["train", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "-o", tmp_path / "o.onnx", "--epochs", 1]
    return [str(option) for option in (*options, "--batch", 4, "--cut", "d")]


def torchrun(command, *options):
    """Start two workers; their status and what they said."""
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "hlsgen"]
    return subprocess.run([*start, *command, *options], capture_output=True, text=True, timeout=120, check=False)


def train_options():
    """All options of `train`."""
    commands = next(action for action in parser()._actions if action.choices)
    return [name for action in commands.choices["train"]._actions for name in action.option_strings]


def test_torchrun_passes_options_on():
    """It takes an option that begins like two of its own for a mistake, even behind the program's name."""
    options = [name for name in train_options() if name not in ("-h", "--help", "--log")]
    assert "--log-folder" in options
    for name in options:
        found = get_args_parser().parse_args(["-m", "hlsgen", "train", "m.onnx", name, "1"])
        assert found.training_script_args == ["train", "m.onnx", name, "1"], name


def test_a_run_with_a_folder_for_its_log(command, tmp_path):
    result = torchrun(command, "--log-folder", str(tmp_path / "log"))
    assert result.returncode == 0, result.stderr
    assert {"losses.csv", "epochs.csv", "checkpoint.pt"} <= {path.name for path in (tmp_path / "log").iterdir()}


def test_a_worker_that_loses_another_says_so(command):
    result = torchrun(command, "--lr", "1000000")
    assert result.returncode != 0 and "the loss is" in result.stderr
    assert "cli/main.py" not in result.stderr, result.stderr  # a traceback of ours; torchrun adds one of its own


def test_a_number_of_workers_other_than_torchrun_started(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main([*command[:-2], "--workers", "3"]) == 2
    assert "torchrun started 2" in capsys.readouterr().err
    assert not (tmp_path / "o.onnx.training").exists()


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (RuntimeError("Connection closed by peer [127.0.0.1]"), TrainingError, "worker 2 of 3: lost its neighbour"),
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
