"""The C++ host computes what the Python host does, from the same design directories."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hlsgen.host.devices import library
from hlsgen.host.hashes import file_hash
from hlsgen.host.images import random_images
from hlsgen.host.runner import run
from tests.support.networks import build, parse
from tests.support.paths import ROOT

PROBE = "#include <CL/cl.h>\nint main() { return clGetPlatformIDs(0, nullptr, nullptr) == 1; }\n"
# Channels that fill no vector.
PLAIN = """(float[1,3,9,8] x, float[6,3,3,3] a, float[5,24] w) => (float[1,5] y) {
  c = Conv<strides=[2,2], pads=[1,1,1,1]>(x, a) r = Relu(c)
  m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r) f = Flatten(m)
  y = Gemm<transB=1>(f, w) }"""
# Two inputs, one of them with its channels last; two outputs, one of them a map.
PORTS = """(float[1,6,4,2] x, float[1,2,6,4] z, float[4,2,3,3] a)
  => (float[1,4,6,4] y, float[1,6,4,2] t) {
  u = Transpose<perm=[0,3,1,2]>(x) s = Add(u, z) y = Conv<pads=[1,1,1,1]>(s, a)
  t = Transpose<perm=[0,2,3,1]>(s) }"""
# Pictures of bytes, scaled in the network.
BYTES = """(uint8[1,3,6,6] x, float[1,3,1,1] varm, float[4,3,3,3] a) => (float[1,4,4,4] y) {
  f = Cast<to=1>(x) g = Div(f, varm) y = Conv(g, a) }"""
# A residual block behind a stem: its first layers may be a pipeline a launch ahead.
BLOCK = """(float[1,3,12,10] x, float[16,3,3,3] a, float[16,16,3,3] b) => (float[1,16,6,5] y) {
  s = Conv<strides=[2,2], pads=[1,1,1,1]>(x, a) r = Relu(s) t = Conv<pads=[1,1,1,1]>(r, b)
  y = Add(t, r) }"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """The program, built by its Makefile."""
    folder = tmp_path_factory.mktemp("cpp")
    (folder / "probe.cpp").write_text(PROBE)
    probe = ["g++", str(folder / "probe.cpp"), "-o", str(folder / "probe"), "-lOpenCL"]
    if not shutil.which("g++") or not shutil.which("make"):
        pytest.skip("no C++ compiler: apt-get install g++ make")
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no OpenCL: apt-get install opencl-c-headers ocl-icd-opencl-dev")
    shutil.copytree(ROOT / "host" / "cpp", folder / "cpp")
    command = ["make", "-C", str(folder / "cpp"), "CXXFLAGS=-O0 -Wall -Wextra -Werror"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cpp" / "hlsgen_host"


def launched(host, *arguments):
    environment = os.environ | {"OCL_ICD_VENDORS": str(library("emulator"))}
    command = [str(word) for word in (host, *arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


# Model, how it is built, images, how the program is told to run it.
DESIGNS = {
    "pipelined": (parse(PLAIN), {"style": "pipelined"}, 3, ("--repeat", "2")),
    "two images a launch": (
        parse(PORTS, inputs=("x", "z")),
        {"style": "folded", "images": 2},
        3,
        (),
    ),
    "a launch ahead": (
        parse(BLOCK),
        {"style": "hybrid", "pins": {("prefix", "layers"): 1}},
        8,  # kernels that overtake the writing of inputs read old ones, now and then
        ("--concurrent",),
    ),
    "bytes": (parse(BYTES), {"style": "base"}, 2, ()),
}


@pytest.mark.emulator
@pytest.mark.parametrize("name", DESIGNS)
def test_outputs_are_those_of_the_python_host(name, host, tmp_path):
    model, options, images, words = DESIGNS[name]
    design = build(model, tmp_path / "design", **options)
    if name == "a launch ahead":
        assert design.run("concurrent").ahead
    inputs, given = random_images(design, images), []
    for number, (port, array) in enumerate(inputs.items()):
        # Bytes as they are do as well.
        file = tmp_path / f"{number}.{'raw' if name.startswith('two') else 'npy'}"
        array.tofile(file) if file.suffix == ".raw" else np.save(file, array)
        given.append(f"{port}={file}")
    command = (design.path, *given, "--output", tmp_path, "--device", "emulator", *words)
    done = launched(host, *command)
    assert done.returncode == 0, done.stderr
    wanted = run(design, inputs).outputs
    for port, values in wanted.items():
        found = np.load(tmp_path / f"{port}.npy")
        assert found.dtype == values.dtype and found.shape == values.shape
        np.testing.assert_allclose(found, values, atol=2e-6 * np.abs(values).max())
    count = images * (2 if "--repeat" in words else 1)
    assert f"{count} images on Intel(R) FPGA Emulation Device" in done.stdout


@pytest.mark.emulator
def test_what_is_refused(host, tmp_path):
    design = build(parse(PLAIN), tmp_path / "design", "pipelined")
    x = np.zeros((1, 3, 9, 8), np.float32)
    wrong = {
        "of the network's shape": x[:, :, 1:],
        "int64, the network needs float32": x.astype(np.int64),
        "C order": np.asfortranarray(x),
        "NaN": np.full_like(x, np.nan),
        "infinities": np.full(x.shape, 1e300),
    }
    for word, array in wrong.items():
        np.save(tmp_path / "x.npy", array)
        done = launched(host, design.path, tmp_path / "x.npy", "--device", "emulator")
        assert done.returncode == 2 and word in done.stderr, word
    np.save(tmp_path / "x.npy", x)
    weights = design.path / design.manifest.weights.file
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    done = launched(host, design.path, tmp_path / "x.npy", "--device", "emulator")
    assert done.returncode == 2 and "weights is not what build wrote" in done.stderr
    weights.write_bytes(before)
    for arguments, word in {
        (design.path,): "usage",
        (design.path, tmp_path / "x.npy", "--gone"): "unknown option --gone",
        (design.path, tmp_path / "x.npy"): "no OpenCL device board",
        (tmp_path, tmp_path / "x.npy"): "design.json: cannot be read",
    }.items():
        done = launched(host, *arguments)
        assert done.returncode == 2 and word in done.stderr, word
    kernels = Path(design.path / design.manifest.kernels[0])
    kernels.write_text(kernels.read_text().replace("read_channel_intel", "0 + gone("))
    done = launched(host, design.path, tmp_path / "x.npy", "--device", "emulator")
    assert done.returncode == 2 and "do not compile" in done.stderr


HASHES = """#include <iostream>
#include "design.hpp"
int main(int, char** words) try {
    std::cout << hlsgen::sha256(hlsgen::read_file(words[1])) << std::endl;
    hlsgen::check_bitstream(words[2], words[3]);
    const hlsgen::Shape shape{1, 1};
    hlsgen::read_images(words[4], shape, hlsgen::type_named("int32"));
} catch (const std::exception& error) { std::cout << error.what() << std::endl; return 2; }
"""


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_hashes_tell_what_does_not_belong_together(tmp_path):
    """Padding begins anew at 56 and 64 bytes."""
    (tmp_path / "hashes.cpp").write_text(HASHES)
    program, header = tmp_path / "hashes", f"-I{ROOT / 'host' / 'cpp'}"
    command = ["g++", "-std=c++17", "-O0", header, str(tmp_path / "hashes.cpp"), "-o", str(program)]
    subprocess.run(command, check=True)
    file, image, kernel = (tmp_path / name for name in ("file", "a.aocx", "k.cl"))
    numbers = tmp_path / "numbers.npy"
    notes = tmp_path / "a.aocx.sources"

    def told():
        words = (program, file, tmp_path, image, numbers)
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
        return done.stdout.splitlines(), done.returncode

    kernel.write_text("kernel")
    np.save(numbers, np.array([[1 << 24]], np.int32))
    for size in (0, 55, 56, 63, 64, 1000):
        file.write_bytes(bytes(range(256)) * 4 if size == 1000 else b"\xff" * size)
        assert told() == ([file_hash(file)], 0)
    notes.write_text(f"{file_hash(kernel)}  k.cl\n")
    assert told()[1] == 0
    np.save(numbers, np.array([[-(1 << 24) - 1]], np.int32))
    assert told()[1] == 2 and "float32 rounds" in told()[0][1]
    kernel.write_text("edited")
    assert "was compiled from another k.cl" in told()[0][1]
