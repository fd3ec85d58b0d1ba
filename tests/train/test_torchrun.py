"""`train` as torchrun starts it: its options reach it, and failures are told in words."""

import json
import os
import re
import shlex
import socket
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
from tests.support.paths import ROOT

NETWORK = """(float[1,4] x, float[4,3] v, float[3,2] w) => (float[1,2] y) {
a = MatMul(x, v) b = Relu(a) y = MatMul(b, w) }"""


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


def documented():
    """The command lines of docs/training.md that begin with torchrun."""
    text = (ROOT / "docs" / "training.md").read_text().replace("\\\n", "")
    return [shlex.split(line) for line in re.findall(r"^    (torchrun .*)$", text, re.M)]


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
def test_documented_commands_run(nodes, tmp_path):
    """As they stand, both machines of a run on this one; the reporting worker alone tells of it."""
    onnx.save(parse(NETWORK), tmp_path / "net.onnx")
    random = np.random.default_rng(0)
    pictures = random.standard_normal((300, 4)).astype(np.float32)
    np.savez(tmp_path / "pictures.npz", images=pictures, labels=np.arange(300) % 2)
    lines = [line for line in documented() if ("--nnodes" in line) == (nodes == 2)]
    assert len(lines) == nodes
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    here = {"HOST": "127.0.0.1", "29500": port}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *(here.get(w, w) for w in line[1:])],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in lines
    ]
    told = [process.communicate(timeout=600) for process in running]
    assert [process.returncode for process in running] == [0] * nodes, told
    assert sum("test pictures right in onnxruntime" in out for out, _ in told) == 1
    folder = tmp_path / ("trained.onnx.training" if nodes == 1 else "run")
    run = json.loads((folder / "run.json").read_text())
    assert len(run["workers"]) == 2 and len(run["cuts"]) == 1
    assert {"losses.csv", "epochs.csv", "checkpoint.pt"} <= {p.name for p in folder.iterdir()}
    onnx.checker.check_model(onnx.load(tmp_path / "trained.onnx"))


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
