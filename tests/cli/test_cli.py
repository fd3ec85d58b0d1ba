"""The command line as scripts and people use it."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.cli.main import COMMANDS, main
from hlsgen.zoo import network


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    path = tmp_path_factory.mktemp("lenet") / "lenet5.onnx"
    assert main(["zoo", "lenet5", "-o", str(path)]) == 0
    return path


def output_of(arguments, capsys, status=0):
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == status
    return capsys.readouterr().out


def files(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.mark.parametrize("command", [c.NAME for c in COMMANDS])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert done.value.code == 0 and f"example: hlsgen {command}" in text and "--json" in text


@pytest.mark.emulator
def test_build_validate_run(lenet, tmp_path, capsys):
    built = json.loads(
        output_of(["build", lenet, "--out", tmp_path / "d", "--style", "folded", "--json"], capsys)
    )
    assert built["ok"] and built["style"] == "folded" and len(built["layers"]) == 8
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "Makefile",
        "design.json",
        "kernels",
        "model.onnx",
        "plan.json",
        "prediction.json",
        "weights",
    ]

    verdict = json.loads(output_of(["validate", tmp_path / "d", "--samples", 2, "--json"], capsys))
    assert (
        verdict["ok"]
        and verdict["images"] == 2
        and verdict["seconds"] > 0
        and "FPGA" in verdict["device"]
    )
    assert [layer["name"] for layer in verdict["layers"]] == [
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "fc1",
        "fc2",
        "fc3",
        "softmax",
    ]
    assert set(verdict["layers"][0]) == {"name", "op", "max_abs_error", "max_rel_error", "ok"}
    assert verdict["output"]["ok"] and verdict["onnxruntime"]["max_abs_error"] < 1e-4

    images = np.random.default_rng(0).standard_normal((3, 1, 28, 28), dtype=np.float32)
    np.save(tmp_path / "x.npy", images)
    assert (
        json.loads(
            output_of(
                [
                    "run",
                    tmp_path / "d",
                    "--input",
                    tmp_path / "x.npy",
                    "--output",
                    tmp_path / "y.npy",
                    "--json",
                ],
                capsys,
            )
        )["images"]
        == 3
    )
    assert np.load(tmp_path / "y.npy").shape == (3, 10)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy").sum(axis=1), 1, rtol=1e-4)
    assert (
        json.loads(
            output_of(["validate", tmp_path / "d", "--input", tmp_path / "x.npy", "--json"], capsys)
        )["images"]
        == 3
    )


@pytest.mark.emulator
def test_text_for_people(lenet, tmp_path, capsys):
    text = output_of(["build", lenet, "--out", tmp_path / "d", "-v"], capsys)
    assert "The pipelined design was chosen" in text and "conv1" in text and "\x1b" not in text
    text = output_of(["validate", tmp_path / "d"], capsys)
    assert "RIGHT: all 8 layers checked" in text and "onnxruntime" in text


@pytest.mark.emulator
def test_status_1_when_wrong(lenet, tmp_path, capsys):
    output_of(["build", lenet, "--out", tmp_path / "d", "--style", "base"], capsys)
    kernels = tmp_path / "d" / "kernels" / "lenet5.cl"
    kernels.write_text(kernels.read_text().replace("fmax(output[i], 0.0f)", "output[i]", 1))
    verdict = json.loads(output_of(["validate", tmp_path / "d", "--json"], capsys, status=1))
    assert not verdict["ok"] and verdict["first_wrong_layer"] == "conv1"
    assert "WRONG: the first wrong layer is conv1" in output_of(
        ["validate", tmp_path / "d"], capsys, status=1
    )


@pytest.mark.slow
@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
def test_building_is_deterministic(style, lenet, tmp_path):
    for name in ("a", "b"):
        # A process of its own with another hash seed: no order may depend on it.
        command = [
            sys.executable,
            "-m",
            "hlsgen",
            "build",
            str(lenet),
            "--style",
            style,
            "--out",
            str(tmp_path / name),
        ]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": "1" if name == "a" else "2"},
        )
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_saved_plan_builds_the_same(lenet, tmp_path, capsys):
    output_of(
        ["build", lenet, "--style", "pipelined", "--board", "pac_a10", "--out", tmp_path / "a"],
        capsys,
    )
    output_of(
        ["build", lenet, "--plan", tmp_path / "a" / "plan.json", "--out", tmp_path / "b"], capsys
    )
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.emulator
def test_edited_plan_is_obeyed(lenet, tmp_path, capsys):
    output_of(["build", lenet, "--style", "folded", "--out", tmp_path / "a"], capsys)
    plan = json.loads((tmp_path / "a" / "plan.json").read_text())
    plan["engines"]["sizes"]["convolution"] |= {"tile_vectors": 512, "tile_pixels": 200}
    for step in plan["steps"]:
        if step["layer"] == "conv1":
            step |= {"tile_height": 7, "tile_width": 26}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    output_of(["build", lenet, "--plan", tmp_path / "plan.json", "--out", tmp_path / "b"], capsys)
    assert "vec tiles[1024] BLOCKS(" in (tmp_path / "b" / "kernels" / "lenet5.cl").read_text()
    assert json.loads(output_of(["validate", tmp_path / "b", "--json"], capsys))["ok"]


def test_python_api(tmp_path):
    onnx.save(network("lenet5"), tmp_path / "m.onnx")
    graph = hlsgen.load_graph(tmp_path / "m.onnx", shapes={"input": (1, 1, 28, 28)})
    plan = hlsgen.schedule(graph, board="pac_a10", style="folded")
    design = hlsgen.generate(graph, plan, tmp_path / "d")
    assert (
        isinstance(graph, hlsgen.Graph)
        and isinstance(plan, hlsgen.Plan)
        and isinstance(design, hlsgen.Design)
    )
    assert (
        design.path.is_dir()
        and design.manifest.board == "pac_a10"
        and "convolution_engine" in design.source
    )
    assert set(graph.network.nodes) == {layer.name for layer in graph.layers}


def test_zoo_is_seeded(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert main(["zoo", "lenet5", "--seed", str(seed), "-o", str(tmp_path / name)]) == 0
    assert (
        (tmp_path / "a").read_bytes()
        == (tmp_path / "b").read_bytes()
        != (tmp_path / "c").read_bytes()
    )


def test_lenet5_is_the_published_one():
    graph = hlsgen.load_graph(network("lenet5"))
    assert sum(w.size for layer in graph.layers for w in layer.weights.values()) == 60074


@pytest.mark.emulator
def test_boards_and_doctor(capsys):
    names = {b["name"] for b in json.loads(output_of(["boards", "--json"], capsys))["boards"]}
    assert {"pac_d5005", "pac_a10", "de10_nano"} <= names
    report = json.loads(output_of(["doctor", "--json"], capsys))
    assert report["ok"] and any(
        d["option"] == "emulator" and d["channels"] for d in report["devices"]
    )


@pytest.mark.emulator
def test_doctor_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("hlsgen.host.devices.library", lambda kind: None)
    report = json.loads(output_of(["doctor", "--json"], capsys, status=1))
    assert not report["ok"] and any(
        "pip install" in m["remedy"] for m in report["missing"] if m["kind"] == "emulator"
    )
