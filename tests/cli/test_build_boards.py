"""`build --boards`: what is refused, and what is said of one board."""

from types import SimpleNamespace

import onnx
import pytest

from hlsgen.accelerator.boards import Alone
from hlsgen.cli.build_boards import alone_lines
from hlsgen.cli.main import main
from tests.support.networks import parse

NETWORK = (
    "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { c = Conv(x, w) y = Softmax(c) }"
)


@pytest.mark.parametrize(
    "given, told",
    [
        ("--boards 0", "0 boards"),
        ("--boards 65 --board p520_max", "65 boards"),
        ("--boards 2", "pac_d5005: has no I/O channel number 0, which the topology chain joins"),
        ("--boards p520_max,pac_a10", "pac_a10: has no I/O channel"),
        ("--boards 2 --board p520_max --style folded", "--style: a folded design has no channels"),
        ("--boards 2 --board p520_max --copies 2", "--copies: is not for several boards"),
        ("--boards 2 --board p520_max --fps 3", "--fps: is not for several boards"),
        ("--boards 2 --board p520_max --audit", "--audit: is not for several boards"),
        ("--boards p520_max,p520", "unknown board 'p520'"),
        ("--boards 2 --board p520_max --topology star", "unknown topology"),
        ("--boards ,", "0 boards"),
        ("--boards 2 --board p520_max --explain", "--explain: is not for several boards"),
        ("--boards p520_max,p520_max --board p520_max", "--board: is one kind of board"),
        ("--topology ring", "--topology: is how --boards are cabled"),
    ],
)
def test_what_cannot_be_is_refused(given, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    onnx.save(parse(NETWORK), "net.onnx")
    assert main(["build", "net.onnx", *given.split()]) == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    "boards, copies, together, told",
    [
        (2, 1, 100.0, "one board is enough"),
        (1, 2, 200.0, "each board has the whole network"),
        (2, 1, 150.0, "2 boards with that design each would reach 200 images a second"),
        (2, 1, 250.0, ""),
    ],
)
def test_what_one_board_reaches_is_told(boards, copies, together, told):
    alone = Alone("pipelined", SimpleNamespace(throughput=100.0, latency=0.001))
    found = {"boards": [{}] * boards, "copies": copies, "throughput_fps": together}
    first, *more = alone_lines(alone, found)
    assert f"{together / 100:.2f} times as much" in first
    assert [told in line for line in more] == [True] * bool(told)


def test_bitstreams_of_an_earlier_build_are_put_aside_and_that_is_told(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    given = ["--boards", "2", "--board", "p520_max", "--style", "pipelined", "--out", "s"]
    onnx.save(parse(NETWORK), "net.onnx")
    assert main(["build", "net.onnx", *given]) == 0
    (tmp_path / "s" / "board_1" / "bin").mkdir()
    (tmp_path / "s" / "board_1" / "bin" / "net.aocx").write_bytes(b"of the earlier kernels")
    onnx.save(
        parse(NETWORK.replace("[4,3,3,3]", "[8,3,3,3]").replace("[1,4,6,6]", "[1,8,6,6]")),
        "net.onnx",
    )
    capsys.readouterr()
    assert main(["build", "net.onnx", *given]) == 0
    assert "made of earlier kernels is in s/compiled.old" in capsys.readouterr().out
    assert not (tmp_path / "s" / "board_1" / "bin").exists()
