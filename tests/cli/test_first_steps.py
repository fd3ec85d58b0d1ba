"""A model's file alone is enough to build; boards go by aoc's names too; misspelt names get a
suggestion."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import onnx
import pytest

import hlsgen
from hlsgen.boards import board, board_names, boards
from hlsgen.cli.main import main
from hlsgen.explore.points import grid
from hlsgen.host.__main__ import parser
from tests.support.networks import parse

CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model in a folder of its own, and the current folder beside it."""
    (tmp_path / "models").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "models" / "small net.v2.onnx"
    onnx.save(parse(CONV), path)
    return path


def test_the_model_alone_is_enough(model, capsys):
    assert main(["build", str(model)]) == 0
    assert "small net.v2_design: " in capsys.readouterr().out
    manifest = json.loads(Path("small net.v2_design/design.json").read_text())
    assert manifest["board"] == "pac_d5005" and [p.name for p in Path().iterdir()] == [
        "small net.v2_design"
    ]
    assert (
        main(["build", str(model), "--style", "base"]) == 0
    )  # an earlier design there is replaced
    assert json.loads(Path("small net.v2_design/design.json").read_text())["style"] == "base"


@pytest.mark.parametrize("name", ["photo.png", "design.json"])
def test_a_default_directory_is_never_over_foreign_files(name, model, capsys):
    mine = Path("small net.v2_design")
    mine.mkdir()
    (mine / name).write_text('{"files": ["design.json"], "generator": "a hand"}')
    assert main(["build", str(model), "--style", "base"]) == 2
    assert "holds no design of hlsgen's" in capsys.readouterr().err
    assert [p.name for p in mine.iterdir()] == [name] and "a hand" in (mine / name).read_text()


def test_a_file_that_a_new_design_would_hide_is_kept(model, capsys):
    assert main(["build", str(model), "--style", "base", "--out", "d"]) == 0
    Path("d/kernels/other.cl").write_text("mine")
    onnx.save(parse(CONV), "other.onnx")
    assert main(["build", "other.onnx", "--style", "base", "--out", "d"]) == 2
    assert "d/kernels/other.cl" in capsys.readouterr().err
    assert (
        Path("d/kernels/other.cl").read_text() == "mine"
        and Path("d/kernels/small_net_v2.cl").is_file()
    )


def test_names_of_boards_are_unambiguous():
    given = [name for b in boards().values() for name in {b.name, b.aoc_board, *b.aliases}]
    assert len(given) == len(set(given)) == len(board_names())
    assert {"pac_s10_dc", "pac_a10", "a10gx", "p520_hpc_sg280l"} <= set(given)


def test_a_board_goes_by_every_name(model, tmp_path):
    for name, own in board_names().items():
        assert board(name) is own
    graph = hlsgen.load_graph(model)
    plan = hlsgen.schedule(graph, board="pac_s10_dc", style="base")
    assert plan == hlsgen.schedule(graph, board="pac_d5005", style="base")
    assert main(["build", str(model), "--board", "a10gx", "--style", "base", "--out", "d"]) == 0
    assert json.loads(Path("d/plan.json").read_text())["board"] == "a10_devkit"
    edited = json.loads(Path("d/plan.json").read_text()) | {"board": "pac_s10_dc"}
    Path("plan.json").write_text(json.dumps(edited))
    assert main(["build", str(model), "--plan", "plan.json", "--out", "d"]) == 0
    assert json.loads(Path("d/design.json").read_text())["board"] == "pac_d5005"
    points = grid(["pac_s10_dc", "pac_d5005"], ["base"], ["throughput"], [1.0], 0, "")
    assert [point.board for point in points] == ["pac_d5005"]


def test_a_board_file_keeps_its_path(model, tmp_path):
    described = asdict(board("pac_a10")) | {"name": "mine", "aoc_board": "mine"}
    del described["aliases"]  # optional
    Path("mine.json").write_text(json.dumps(described))
    assert (
        hlsgen.schedule(hlsgen.load_graph(model), board="mine.json", style="base").board
        == "mine.json"
    )


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["build", "m.onnx", "--board", "pac_s10dc"], "'pac_s10_dc'"),
        (["build", "m.onnx", "--board", "PAC_D5005"], "'pac_d5005'"),
        (["build", "m.onnx", "--style", "pipeline"], "'pipelined'"),
        (["buidl", "m.onnx"], "'build'"),
        (["zoo", "resnet-50", "-o", "m.onnx"], "'resnet50'"),
        (["explore", "m.onnx", "--styles", "fold", "--out", "x"], "'folded'"),
    ],
)
def test_near_misses_get_a_suggestion(arguments, suggestion, model, capsys):
    onnx.save(parse(CONV), "m.onnx")
    try:
        status = main(arguments)
    except SystemExit as left:
        status = left.code
    assert status == 2 and f"did you mean {suggestion}?" in capsys.readouterr().err


def test_names_far_from_all_get_none(model, capsys):
    assert main(["build", str(model), "--board", "zx81"]) == 2
    message = capsys.readouterr().err
    assert "did you mean" not in message and "pac_d5005" in message


def test_a_missing_torch_is_named_with_its_cpu_build(model):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from hlsgen.cli.main import main; sys.exit(main(['train', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code, str(model), "--data", "d", "-o", "out.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "training needs torch" in done.stderr
    assert "hlsgen[train]" in done.stderr and "download.pytorch.org/whl/cpu" in done.stderr


def test_the_host_calls_itself_by_the_name_that_works(capsys):
    assert parser().prog == "python -m hlsgen.host"
    with pytest.raises(SystemExit):
        main(["reference", "--help"])
    assert "python -m hlsgen.host check" in capsys.readouterr().out
