"""Nothing that belongs to an earlier design, board file, calibration, model or hlsgen is taken for
a new one's; nothing is lost."""

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from hlsgen.boards import board
from hlsgen.cli.main import main
from hlsgen.errors import HlsgenError
from hlsgen.explore import identity as identities
from hlsgen.explore.evaluate import evaluate
from hlsgen.explore.execute import run_points
from hlsgen.explore.farm import compile_all, compile_design, compiled_before
from hlsgen.explore.points import Point, grid
from hlsgen.explore.results import plot
from hlsgen.model.calibration import default_calibration
from tests.cli.test_explore import Counting
from tests.support.networks import parse

CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"
WIDER = "(float[1,3,8,8] x, float[6,3,3,3] w) => (float[1,6,6,6] y) { y = Conv(x, w) }"
AOC = (
    '#!/bin/sh\n[ -e "{fail}" ] && exit 3\nwhile [ $# -gt 1 ]; do [ "$1" = -o ] && '
    'echo image > "$2"; shift; done\n'
)


@pytest.fixture
def aoc(tmp_path):
    """A stand-in that writes its output, or fails while a file named `fail` is there."""
    script = tmp_path / "aoc"
    script.write_text(AOC.format(fail=tmp_path / "fail"))
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def design(tmp_path, aoc):
    """A compiled design, with a verdict and a report, and a file of the user's."""
    build(CONV, tmp_path)
    folder = tmp_path / "design"
    assert compile_design(str(folder), aoc, 0)["images"] == ["bin/model.aocx"]
    (folder / "notes.txt").write_text("mine")
    for name in ("validation.json", "report.html"):
        (folder / name).write_text("of the earlier design")
    return folder


def build(text, tmp_path, seed=0, *options):
    onnx.save(parse(text, seed=seed), tmp_path / "model.onnx")
    command = [
        "build",
        tmp_path / "model.onnx",
        "--style",
        "base",
        "--out",
        tmp_path / "design",
        *options,
    ]
    assert main([str(word) for word in command]) == 0


def test_other_kernels_put_the_compiled_ones_aside(design, tmp_path, capsys):
    build(WIDER, tmp_path)
    assert "compiled.old; compile this design anew" in capsys.readouterr().out
    assert {p.name for p in design.iterdir()} == {
        "Makefile",
        "compiled.old",
        "design.json",
        "kernels",
        "model.onnx",
        "notes.txt",
        "plan.json",
        "prediction.json",
        "weights",
    }
    old = design / "compiled.old"
    assert {str(p.relative_to(old)) for p in old.rglob("*")} == {
        "bin",
        "bin/model.aocx",
        "bin/model.aocx.sources",
        "aoc.json",
        "aoc.log",
    }
    (design / "bin").mkdir()
    (design / "bin" / "model.aocx").write_text("another")
    build(CONV, tmp_path)
    assert (design / "compiled.old.2" / "bin" / "model.aocx").read_text() == "another"
    assert (old / "bin" / "model.aocx").read_text() == "image\n" and not (design / "bin").exists()


def test_another_board_puts_the_compiled_ones_aside(design, tmp_path):
    build(CONV, tmp_path, 0, "--board", "pac_a10")
    assert not (design / "bin").exists() and (design / "compiled.old" / "bin").is_dir()


def test_other_weights_of_the_same_kernels_keep_the_bitstream(design, tmp_path):
    """Weights are no part of a bitstream: it is right for the new design, and make finds it up to
    date."""
    before = (design / "weights").read_bytes()
    build(CONV, tmp_path, seed=5)
    assert (design / "weights").read_bytes() != before
    assert (design / "bin" / "model.aocx").is_file() and not (design / "compiled.old").exists()
    assert not (design / "validation.json").exists() and not (design / "report.html").exists()
    assert subprocess.run(["make", "-q", "hardware"], cwd=design, check=False).returncode == 0


def test_kernels_edited_by_hand_make_their_bitstream_another(design, tmp_path):
    (kernels,) = (design / "kernels").iterdir()
    kernels.write_text(kernels.read_text() + "// edited, compiled\n")
    build(CONV, tmp_path)
    assert (
        not (design / "bin").exists() and (design / "compiled.old" / "bin" / "model.aocx").is_file()
    )


def test_files_beside_the_kernels_are_no_other_kernels(design, tmp_path):
    (design / "kernels" / "mine.cl").write_text("mine")
    build(CONV, tmp_path)
    assert (design / "bin" / "model.aocx").is_file() and (
        design / "kernels" / "mine.cl"
    ).read_text() == "mine"


def test_a_compile_that_fails_is_no_compile(design, tmp_path, aoc):
    (tmp_path / "fail").touch()
    os.utime(design / "Makefile")
    outcome = compile_design(str(design), aoc, 0)
    assert outcome["status"] != 0 and outcome["images"] == []
    (tmp_path / "fail").unlink()
    pool = Counting()
    assert compile_all([design], pool, aoc)[0]["status"] == 0 and pool.submitted == 1


def test_what_was_compiled_is_compiled_again_after_any_change(design, aoc, tmp_path):
    def compiles(with_aoc=aoc):
        pool = Counting()
        assert compile_all([design], pool, with_aoc)[0]["status"] == 0
        return pool.submitted

    assert compiles() == 0
    (kernels,) = (design / "kernels").iterdir()
    kernels.write_text(kernels.read_text() + "// edited\n")
    assert compiles() == 1 and compiles() == 0
    other = tmp_path / "other_aoc"
    other.write_text(Path(aoc).read_text())
    other.chmod(0o755)
    assert compiles(str(other)) == 1
    whole = json.loads((design / "aoc.json").read_text())
    changes = {"tries": None, "log": None, "images": [3], "status": False}
    for key, value in changes.items():
        part = {k: v for k, v in (whole | {key: value}).items() if v is not None}
        (design / "aoc.json").write_text(json.dumps(part))
        assert compiled_before(design, aoc, "hardware") is None, key
    (design / "aoc.json").write_text("{cut off")
    assert compiles() == 1
    (design / "bin" / "model.aocx").unlink()
    assert compiles() == 1


def test_an_interrupted_compile_is_no_compile(design, aoc, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("hlsgen.explore.farm.run_group", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compile_design(str(design), aoc, 0)
    assert not (design / "aoc.json").exists()


# ---- explore


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(parse(CONV), path)
    return path


def explored(model, tmp_path, *, calibration="", name="pac_a10"):
    """How many points had to be predicted, and the only result."""
    pool = Counting()
    (result,) = run_points(
        model, grid([name], ["base"], ["throughput"], [1.0], 0, calibration), tmp_path / "out", pool
    )
    return pool.submitted, result


def test_results_of_another_board_file_of_the_same_name(model, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(asdict(board("pac_a10"))))
    first = explored(model, tmp_path, name=str(path))
    assert explored(model, tmp_path, name=str(path)) == (0, first[1])
    path.write_text(json.dumps(asdict(board("de10_nano"))))
    submitted, result = explored(model, tmp_path, name=str(path))
    assert submitted == 1 and result["fmax"] != first[1]["fmax"]


def test_results_of_another_calibration_of_the_same_name(model, tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text(default_calibration().to_json())
    _, first = explored(model, tmp_path, calibration=str(path))
    path.write_text(replace(default_calibration(), packing=2.0).to_json())
    submitted, result = explored(model, tmp_path, calibration=str(path))
    assert submitted == 1 and result["alms"] > first["alms"]


def test_results_of_another_hlsgen(model, tmp_path, monkeypatch):
    explored(model, tmp_path)
    monkeypatch.setattr(identities, "code_digest", lambda: "another")
    assert explored(model, tmp_path)[0] == 1


def test_results_of_other_external_data(tmp_path):
    """The model's own file is the same, byte for byte."""
    model = parse(CONV)
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    before = (tmp_path / "m.onnx").read_bytes()
    explored(tmp_path / "m.onnx", tmp_path)
    np.zeros(4 * 3 * 3 * 3, np.float32).tofile(tmp_path / "w.bin")
    assert (tmp_path / "m.onnx").read_bytes() == before and explored(tmp_path / "m.onnx", tmp_path)[
        0
    ] == 1


def test_a_model_that_changes_meanwhile_is_refused(model):
    with pytest.raises(HlsgenError, match="has changed"):
        evaluate(str(model), "0123", Point("pac_a10", "base"), "4567")


@pytest.mark.slow
def test_designs_of_another_model_are_not_compiled(model, tmp_path, aoc):
    """The same command on a model file with other content compiles the new network."""
    command = [
        "explore",
        str(model),
        "--boards",
        "pac_a10",
        "--styles",
        "base",
        "--shares",
        "1",
        "--jobs",
        "1",
    ]
    command += ["--compile", aoc, "--out", str(tmp_path / "out")]
    assert main(command) == 0
    onnx.save(parse(WIDER), model)
    assert main(command) == 0
    texts = [path.read_text() for path in (tmp_path / "out" / "designs").glob("*/kernels/*.cl")]
    assert len(set(texts)) == 2
    assert len(list((tmp_path / "out" / "designs").glob("*/bin/*.aocx"))) == 2


def test_nothing_is_explored_into_foreign_files(model, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results.csv").write_text("mine")
    assert main(["explore", str(model), "--out", str(tmp_path / "mine")]) == 2
    assert "holds no exploration" in capsys.readouterr().err
    assert {p.name: p.read_text() for p in (tmp_path / "mine").iterdir()} == {"results.csv": "mine"}


def test_no_picture_of_an_earlier_run_is_left(model, tmp_path):
    (tmp_path / "pareto.png").write_text("of an earlier run")
    assert (
        plot([], tmp_path / "pareto.png", "none") == [] and not (tmp_path / "pareto.png").exists()
    )


def test_two_board_files_of_one_name_are_refused(model, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.json").write_text(json.dumps(asdict(board("pac_a10"))))
    names = ",".join(str(tmp_path / folder / "mine.json") for folder in ("a", "b"))
    assert main(["explore", str(model), "--boards", names, "--out", str(tmp_path / "out")]) == 2
    assert "have the same name" in capsys.readouterr().err
