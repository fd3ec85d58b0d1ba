"""The command line as a shell: what it takes where nothing is named, what programs and terminals
get."""

import json
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from hlsgen.cli import console as console_module
from hlsgen.cli import explore
from hlsgen.cli.columns import wrapped_rows
from hlsgen.cli.console import Console, command, progress_text
from hlsgen.cli.designs import chosen
from hlsgen.cli.main import COMMANDS, main
from hlsgen.errors import UsageError
from hlsgen.progress import Progress, listening, stage
from tests.support.networks import parse

CONV = (
    "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { c = Conv(x, w) y = Softmax(c) }"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a model whose name wants quotes."""
    monkeypatch.chdir(tmp_path)
    onnx.save(parse(CONV), "my net.onnx")
    return tmp_path


def output_of(arguments, capsys, status=0):
    capsys.readouterr()
    assert main(arguments) == status
    return capsys.readouterr().out


def test_the_only_design_is_meant(folder, capsys):
    assert main(["report"]) == 2 and "no design in this folder" in capsys.readouterr().err
    build = output_of(["build", "my net.onnx", "--style", "base"], capsys)
    printed = build.rsplit("Next: ", 1)[1].strip()
    assert shlex.split(printed) == ["hlsgen", "validate", "my net_design"]
    for arguments in (["report"], ["report", "my net"], ["audit"]):
        assert json.loads(output_of([*arguments, "--json"], capsys))["design"] == "my net_design"
    output_of(["build", "my net.onnx", "--style", "base", "--out", "other_design"], capsys)
    assert main(["audit"]) == 2
    assert "name one: my net_design, other_design" in capsys.readouterr().err
    assert json.loads(output_of(["report", "other", "--json"], capsys))["design"] == "other_design"


def test_a_build_ends_in_a_few_lines(folder, capsys):
    text = output_of(["build", "my net.onnx", "--audit"], capsys)
    titles = [line.split()[0] for line in text.splitlines()[:-1]]
    wanted = ["style", "images/s", "latency", "resources", "bottleneck", "validation", "audit"]
    assert [title for title in titles if title in wanted] == wanted
    assert len(text.splitlines()) <= 13 and "audit       CLEAN" in text
    why = output_of(["build", "my net.onnx", "--explain"], capsys)
    assert "design was chosen: it reaches" in " ".join(why.split())
    assert all(len(line) <= 80 for line in why.splitlines())


@pytest.mark.emulator
def test_a_build_may_validate(folder, capsys):
    found = json.loads(output_of(["build", "my net.onnx", "--validate", "--json"], capsys))
    assert found["ok"] and found["validation"]["ok"] and found["audit"] is None
    assert found["layers"][0]["name"] == "c" and found["kernels"] and found["throughput_low_fps"]


def test_defaults_of_zoo_and_explore(folder, capsys, monkeypatch):
    monkeypatch.setattr(explore, "executor", lambda *_: ThreadPoolExecutor(1))
    output_of(["zoo", "lenet5"], capsys)
    assert Path("lenet5.onnx").is_file()
    arguments = ["explore", "my net.onnx", "--boards", "pac_d5005", "--styles", "base"]
    text = output_of([*arguments, "--shares", "1"], capsys)
    assert Path("my net_explored/results.json").is_file()
    assert all(len(line) <= 80 for line in text.splitlines() if "written" not in line)


def test_force_overwrites_what_is_there(folder, capsys):
    Path("lenet5.onnx").write_text("mine")
    assert main(["zoo", "lenet5"]) == 2 and "--force" in capsys.readouterr().err
    assert Path("lenet5.onnx").read_text() == "mine"
    output_of(["zoo", "lenet5", "--force"], capsys)
    output_of(["zoo", "lenet5"], capsys)  # the same again is nothing to be lost
    output_of(["build", "my net.onnx", "--style", "base"], capsys)
    for name in ("y.npz", "reference.npz"):
        Path(name).write_text("mine")
    np.save("x.npy", np.zeros((1, 3, 8, 8), np.float32))
    for arguments in (["run", "--input", "x.npy", "--output", "y.npz"], ["reference"]):
        assert main(arguments) == 2 and "--force" in capsys.readouterr().err
    output_of(["reference", "--force"], capsys)
    assert Path("y.npz").read_text() == "mine" != Path("reference.npz").read_bytes()


def test_only_pages_of_hlsgen_are_overwritten_unasked(folder, capsys):
    output_of(["build", "my net.onnx", "--style", "base"], capsys)
    for arguments in (["report", "-o"], ["audit", "--html"]):
        page = Path(f"{arguments[0]}.html")
        page.write_text("mine")
        assert main([*arguments, str(page)]) == 2 and "--force" in capsys.readouterr().err
        assert page.read_text() == "mine"
        output_of([*arguments, str(page), "--force"], capsys)
        output_of([*arguments, str(page)], capsys)
        assert "</html>" in page.read_text()


@pytest.mark.parametrize(
    "arguments",
    [["build"], ["buidl", "m"], ["zoo", "lenet5", "--size", "x"], ["build", "m", "--style", "z"]],
)
def test_usage_errors_are_json_too(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--json"])
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert left.value.code == 2 and found["ok"] is False and found["error"] in err


def test_quiet(folder, capsys):
    assert output_of(["build", "my net.onnx", "--style", "base", "-q"], capsys) == ""
    assert output_of(["boards", "-q"], capsys) == ""
    assert main(["build", "absent.onnx", "-q"]) == 2 and "no such file" in capsys.readouterr().err


def test_colours_can_be_switched_off(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    Console(False).say("right", "green")
    assert "\x1b[32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    Console(False).say("right", "green")
    assert "\x1b[32m" not in capsys.readouterr().out


def test_tables_fit_and_cut_no_word(capsys):
    for arguments in (["boards"], ["boards", "p520_hpc"], ["ops"]):
        text = output_of(arguments, capsys)
        assert max(map(len, text.splitlines())) <= 80
    words = set(text.split())
    assert "GlobalAveragePool" in words
    rows = [["name", "1,234"], ["a-long-name that goes on", "5"]]
    assert wrapped_rows(rows, ["left", "right"], 19) == [
        ["name          1,234"],
        ["a-long-name       5", "that goes on"],
    ]
    assert wrapped_rows([["unbreakable"]], ["left"], 4) == [["unbreakable"]]


def test_progress_is_told_now_and_then(folder, capsys, monkeypatch):
    monkeypatch.setattr(console_module, "PAUSE", 0.0)
    capsys.readouterr()
    assert main(["build", "my net.onnx"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("reading the network, ") and lines[0].endswith(" s")
    searched = [line for line in lines if line.startswith("folded search: best so")]
    assert searched and ", bound " in searched[0] and ", gap " in searched[0]
    monkeypatch.setattr(console_module, "PAUSE", 10.0)
    assert main(["build", "my net.onnx"]) == 0 and capsys.readouterr().err == ""


def test_progress_reaches_the_listener_alone():
    heard = []
    stage("nobody listens")
    with listening(heard.append):
        stage("searching", 100.0, 125.0)
    stage("nobody listens")
    assert heard == [Progress("searching", 100.0, 125.0)] and heard[0].gap == 0.25
    assert progress_text(heard[0]) == "searching: best so far 100 images/s, bound 125, gap 25%"
    assert progress_text(Progress("reading")) == "reading"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["va"], ["validate"]),
        (["build", "--st"], ["--style"]),
        (["build", "--style", "f"], ["folded"]),
        (["build", "--board", "pac_a"], ["pac_a10"]),
        (["zoo", "lenet"], ["lenet5"]),
        (["boards", "pac_a"], ["pac_a10"]),
        (["build", "my"], ["my net.onnx"]),
    ],
)
def test_a_shell_completes(words, completed, folder, capsys):
    script = output_of(["completion", "bash"], capsys)
    line = shlex.join(["hlsgen", *words])
    code = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; _hlsgen\n"
    code += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == completed


def test_every_command_can_be_completed(capsys):
    script = output_of(["completion", "zsh"], capsys)
    assert script.startswith("autoload") and all(f"{c.NAME}\\ -*)" in script for c in COMMANDS)


def test_commands_are_quoted():
    assert command("validate", Path("a b")) == "hlsgen validate 'a b'"


def test_a_system_is_found_as_a_design_is(tmp_path, monkeypatch):
    """By itself where it is the only one, and by its network's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.hlsgen" / "board_1").mkdir(parents=True)
    (tmp_path / "net.hlsgen" / "system.json").write_text("{}")
    (tmp_path / "net.hlsgen" / "board_1" / "design.json").write_text("{}")
    assert chosen(None) == chosen("net") == Path("net.hlsgen")
    (tmp_path / "net_design").mkdir()
    (tmp_path / "net_design" / "design.json").write_text("{}")
    assert chosen("net") == Path("net_design")
    with pytest.raises(UsageError, match="2 designs"):
        chosen(None)
