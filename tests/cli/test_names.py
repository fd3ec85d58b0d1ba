"""Names that reach a Makefile, a command or the kernel text can do no more than name something."""

import json
import subprocess
from dataclasses import asdict

import onnx
import pytest

from hlsgen.boards import board
from hlsgen.cli.main import main
from hlsgen.explore.farm import compile_design
from tests.support.networks import parse

CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"
HOSTILE = [
    "x\n$(shell touch P)",
    "$(shell touch P)",
    "x; touch P",
    "`touch P`",
    "a b",
    "'",
    "#",
    "x\\",
    "",
    "é",
    "-rf",
    "../../etc",
    "a/../b",
    "/etc/x",
]


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(parse(CONV), path)
    return str(path)


def build_for(described, model, tmp_path, style="base"):
    (tmp_path / "board.json").write_text(json.dumps(described))
    out = str(tmp_path / "design")
    return main(
        ["build", model, "--style", style, "--board", str(tmp_path / "board.json"), "--out", out]
    )


@pytest.mark.parametrize("field", ["name", "aoc_board", "aliases", "sdk", "sdk_versions"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_in_a_board_file(field, text, model, tmp_path, capsys):
    described = asdict(board("pac_a10"))
    described[field] = [text] if isinstance(described[field], (list, tuple)) else text
    assert build_for(described, model, tmp_path) == 2
    assert f"field '{field}' must be" in capsys.readouterr().err
    assert not (tmp_path / "design").exists()


@pytest.mark.parametrize("field", ["name", "family"])
def test_hostile_names_of_a_device(field, model, tmp_path, capsys):
    described = asdict(board("pac_a10"))
    described["device"] |= {field: "x\n$(shell touch P)"}
    assert build_for(described, model, tmp_path) == 2
    assert f"field '{field}' must be" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["9.1.2", "19.1", "21.1.3", "21.2"])
def test_versions_of_several_parts(version, model, tmp_path):
    assert build_for(asdict(board("pac_a10")) | {"sdk": version}, model, tmp_path, "folded") == 0
    makefile = (tmp_path / "design" / "Makefile").read_text()
    assert ("-march=emulator -board=" in makefile) == (version == "9.1.2")
    assert ("-ffp-reassoc" in makefile) == (version == "21.2")
    assert ("-fp-relaxed" in makefile) == (version != "21.2")


def test_a_hostile_title_stays_a_comment(model, tmp_path):
    described = asdict(board("pac_a10")) | {"title": "x\n#error\n*/ #error \\"}
    assert build_for(described, model, tmp_path) == 0
    (kernels,) = (tmp_path / "design" / "kernels").iterdir()
    assert [line for line in kernels.read_text().splitlines() if "#error" in line] == [
        "// model: base design for x?#error?*/ #error ?"
    ]


@pytest.mark.parametrize("name", ["$(shell touch P)", "x; touch P", "a b'c", "-rf"])
def test_hostile_names_of_models(name, tmp_path):
    onnx.save(parse(CONV), tmp_path / f"{name}.onnx")
    assert (
        main(
            [
                "build",
                str(tmp_path / f"{name}.onnx"),
                "--style",
                "base",
                "--out",
                str(tmp_path / "d"),
            ]
        )
        == 0
    )
    (kernels,) = (tmp_path / "d" / "kernels").iterdir()
    assert kernels.stem.replace("_", "a").isalnum()
    run = subprocess.run(
        ["make", "-n", "hardware"], cwd=tmp_path / "d", capture_output=True, text=True, check=True
    )
    assert f"kernels/{kernels.name} -o bin/{kernels.stem}.aocx" in run.stdout
    assert not list(tmp_path.rglob("P"))


@pytest.mark.parametrize(
    "name", ["an aoc", "aoc; touch P", "$(touch P)", "$$(shell touch P)", "a'oc", "`touch P`"]
)
def test_aoc_is_one_word(name, model, tmp_path):
    """An aoc of any name is run, and nothing else."""
    assert main(["build", model, "--style", "base", "--out", str(tmp_path / "d")]) == 0
    aoc = tmp_path / name
    aoc.write_text('#!/bin/sh\nfor word; do echo "[$word]"; done\n')
    aoc.chmod(0o755)
    outcome = compile_design(str(tmp_path / "d"), str(aoc), 0)
    assert outcome["status"] == 0
    assert "[-board=pac_s10_dc]" in (tmp_path / "d" / "aoc.log").read_text().splitlines()
    assert not list(tmp_path.rglob("P"))


@pytest.mark.parametrize("variable", ["AOC", "BOARD"])
def test_values_given_to_make_are_one_word(variable, model, tmp_path):
    assert main(["build", model, "--style", "base", "--out", str(tmp_path / "d")]) == 0
    command = ["make", "hardware", "AOC=echo", f"{variable}=true; touch P #"]
    subprocess.run(command, cwd=tmp_path / "d", capture_output=True, check=False)
    assert not list(tmp_path.rglob("P"))
