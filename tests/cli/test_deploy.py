"""`deploy`: the archive runs where there is no hlsgen, its README's commands work as printed, and
it tells right from wrong."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.cli.main import main
from hlsgen.host.bench import Benchmark, Prediction, bench, read_prediction
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from tests.support.environments import lend, new_environment, required
from tests.support.networks import parse
from tests.support.paths import ROOT

NETWORK = """(float[1,3,8,8] x, float[4,3,3,3] a, float[5,144] w) => (float[1,5] y) {
  c = Conv(x, a) r = Relu(c) f = Flatten(r) g = Gemm<transB=1>(f, w) y = Softmax(g) }"""
# Built and run by tests/host/test_cpp.py.
CPP = ROOT / "host" / "cpp"
CUT = """(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4] y) {
  c = Conv(x, w) y = Det(c) }"""
EMULATOR = ("intel-opencl-fpga-emu-rt", "intel-opencl-rt", "intel-cmplr-lib-rt")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A design, and its archive unpacked in an empty folder, with a Python that has what the
    archive asks for."""
    folder = tmp_path_factory.mktemp("deploy")
    onnx.save(parse(NETWORK), folder / "net.onnx")
    (folder / "names.txt").write_text("cat\ndog\nhorse\nship\ntree\n")
    design, archive = folder / "net_design", folder / "net_board.tar.gz"
    assert main(["build", str(folder / "net.onnx"), "--out", str(design), "-q"]) == 0
    options = ["--samples", "3", "--prepare", "imagenet", "--labels", str(folder / "names.txt")]
    assert main(["deploy", str(design), "-o", str(archive), "-q", *options]) == 0
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "there", filter="data")
    there = folder / "there" / "net_board"
    site = new_environment(folder / "env")
    lend(required([*(there / "requirements.txt").read_text().split(), *EMULATOR]), site)
    python = folder / "env" / "bin" / "python"
    return SimpleNamespace(
        design=design, archive=archive, there=there, options=options, python=python
    )


def run(made, *command, where=None):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [made.python, *command],
        cwd=where or made.there,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_same_design_same_bytes(made, tmp_path):
    again = tmp_path / "net_board.tar.gz"
    assert main(["deploy", str(made.design), "-o", str(again), "-q", *made.options]) == 0
    assert again.read_bytes() == made.archive.read_bytes()
    zipped = [tmp_path / "net_board.zip", tmp_path / "2" / "net_board.zip"]
    zipped[1].parent.mkdir()
    for archive in zipped:
        assert main(["deploy", str(made.design), "-o", str(archive), "-q", *made.options]) == 0
    assert zipped[0].read_bytes() == zipped[1].read_bytes()
    with zipfile.ZipFile(zipped[0]) as packed:
        names = packed.namelist()
        assert all((made.there.parent / name).read_bytes() == packed.read(name) for name in names)
    with tarfile.open(made.archive) as packed:
        assert packed.getnames() == names


def test_the_rest_of_a_network_that_was_cut_is_taken_along(made, tmp_path):
    onnx.save(parse(CUT), tmp_path / "cut.onnx")
    command = ["build", str(tmp_path / "cut.onnx"), "--style", "base", "-q"]
    assert main([*command, "--out", str(tmp_path / "cut_design")]) == 0
    hlsgen.load(tmp_path / "cut_design").deploy(tmp_path / "cut.zip")
    with zipfile.ZipFile(tmp_path / "cut.zip") as packed:
        assert "cut/design/tail.onnx" in packed.namelist()
        assert b"onnxruntime" in packed.read("cut/requirements.txt")
        assert "tail.onnx" in packed.read("cut/README.md").decode()
    assert "onnxruntime" not in (made.there / "requirements.txt").read_text()


def test_what_is_refused(made, tmp_path, capsys):
    for name, word in (("net.rar", "is no name of an archive"), (".zip", "no name of an archive")):
        assert main(["deploy", str(made.design), "-o", str(tmp_path / name)]) == 2
        assert word in capsys.readouterr().err
    assert main(["deploy", str(made.design), "-o", str(made.archive)]) == 2
    assert "--force" in capsys.readouterr().err
    gone = str(tmp_path / "gone")
    assert main(["deploy", str(made.design), "-o", f"{gone}.zip", "--labels", gone]) == 2
    assert main(["deploy", str(made.design), "-o", f"{gone}.zip", "--prepare", gone]) == 2
    assert not list(tmp_path.iterdir())


def test_what_aoc_made_is_taken_along(made, tmp_path):
    design = tmp_path / "d"
    shutil.copytree(made.design, design)
    (design / "bin").mkdir()
    (design / "bin" / "net.aocx").write_bytes(b"image")
    (design / "bin" / "net.aocx.sources").write_bytes(b"note")
    hlsgen.load(design).deploy(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as packed:
        assert packed.read("b/design/bin/net.aocx") == b"image"
        assert packed.read("b/design/bin/net.aocx.sources") == b"note"
        text = packed.read("b/README.md").decode()
    assert "make -C design hardware" in (made.there / "README.md").read_text()
    assert "hardware" not in text


@pytest.mark.emulator
def test_its_commands_work_as_printed(made):
    """On the emulator in place of the board, with the packages that it names installed."""
    assert run(made, "-c", "import hlsgen").returncode == 1
    lines = re.findall(r"^    (.*)", (made.there / "README.md").read_text(), re.M)
    assert [line for line in lines if not line.startswith("python ")] == [
        "make -C design hardware",
        "make -C host/cpp",
        "host/cpp/hlsgen_host design images.npy --output .",
    ]
    for name in ("Makefile", "hlsgen_host.cpp", "design.hpp", "picojson.h"):
        assert (made.there / "host" / "cpp" / name).read_bytes() == (CPP / name).read_bytes()
    ran = [line.split()[1:] for line in lines if line.startswith("python ") and " pip " not in line]
    assert len(ran) == 4
    for words in ran:
        words = [word.replace("board", "emulator") for word in words]
        words += [] if "--device" in words else ["--device", "emulator"]
        done = run(made, *words)
        assert done.returncode == 0, (words, done.stderr)
    assert (made.there / "outputs.npz").is_file()
    assert "y: right" in done.stdout and re.search(
        r"image 2:\n  (cat|dog|horse|ship|tree) ", done.stdout
    )
    (setting,) = (line for line in lines if "intel" in line)
    pinned = (ROOT / "setup.cfg").read_text()
    assert all(f"{word};" in pinned for word in setting.split()[4:])


@pytest.mark.emulator
def test_wrong_outputs_and_missing_devices_end_it(made, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(made.there, copy)
    assert run(made, "run.py", "--device", "board", where=copy).returncode == 2
    arrays = dict(np.load(copy / "reference.npz"))
    arrays["output/1/y"] += 0.01
    (copy / "reference.npz").unlink()
    with zipfile.ZipFile(copy / "reference.npz", "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array)
    done = run(made, "run.py", "--device", "emulator", where=copy)
    assert done.returncode == 1 and "y: WRONG" in done.stdout


@pytest.mark.emulator
def test_bytes_are_prepared_there_as_here(made, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    np.save(tmp_path / "x.npy", images)
    there = tmp_path / "there.npz"
    options = ("--device", "emulator", "--output", str(there))
    done = run(made, "run.py", str(tmp_path / "x.npy"), *options)
    assert done.returncode == 0 and "x.npy 1:" in done.stdout, done.stderr
    x = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with hlsgen.load(made.design) as accelerator:
        here = accelerator.predict(np.moveaxis(x, -1, 1).astype(np.float32))
    np.testing.assert_allclose(np.load(there)["y"], here, rtol=1e-4)


@pytest.mark.emulator
def test_bench_measures_beside_the_prediction(made):
    command = ("-m", "host", "bench", "design", "--images", "5", "--launches", "3")
    found = json.loads(run(made, *command, "--json").stdout)
    predicted = hlsgen.load(made.design).estimate
    assert found["predicted"]["throughput"] == predicted.throughput
    assert found["predicted"]["low"] <= predicted.throughput <= found["predicted"]["high"]
    assert found["latency_ms"]["p50"] <= found["latency_ms"]["p99"] and found["launches"] == 3
    assert found["kernel_images_per_second"] >= found["end_to_end_images_per_second"] > 0
    ratio = found["kernel_images_per_second"] / predicted.throughput
    assert found["measured_to_predicted"] == pytest.approx(ratio)
    with pytest.raises(HostError, match="0 images"):
        bench(HostDesign(made.design), images=0)


def test_what_bench_says(tmp_path):
    measured = Benchmark("a board", 8, 2, 400.0, 100.0, (0.004, 0.005), None)
    assert "400 (kernels), 100 (end to end), 8 images" in measured.lines()[1]
    assert "p50 4.5, p90 4.9, p99 4.99; a launch of 2 images, 2 times" in measured.lines()[2]
    assert "no prediction.json" in measured.lines()[3] and read_prediction(tmp_path) is None
    (tmp_path / "prediction.json").write_text(Prediction(500.0, 450.0, 550.0, 0.004).to_json())
    beside = replace(measured, prediction=read_prediction(tmp_path)).lines()
    assert "500 images/s (450 to 550), 4 ms" in beside[3] and "0.8 of the prediction" in beside[4]
    (tmp_path / "prediction.json").write_text("{}")
    with pytest.raises(HostError, match="throughput is missing"):
        read_prediction(tmp_path)
