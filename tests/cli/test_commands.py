"""Every command that the documents show runs as it is typed, on small things by the names that the
documents take for granted. (Tutorial and how-to pages: test_guides.py.)"""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import hlsgen
from hlsgen.cli.main import main
from tests.cli.test_guides import BLOCK, DOCS, command_lines
from tests.support.cut_networks import DETECTOR
from tests.support.networks import parse
from tests.support.paths import ROOT

# `compare` of model.md needs a report of aoc's: tests/audit/test_compare.py runs it.
ELSEWHERE = {"tutorial.md", "model.md", *(path.name for path in (DOCS / "how-to").iterdir())}
KINDS, PICTURES = 10, 150  # a minibatch has 128, a tenth are for the test
# Ten kinds of pictures 28x28 in two stages, named as `--cut` of the documents names them.
NETWORK = """(float[1,1,28,28] x, float[4,1,3,3] a, float[6,4,3,3] b, float[10,150] w)
  => (float[1,10] y) {
    c = Conv(x, a) relu3 = Relu(c) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(relu3)
    d = Conv(p, b) e = Relu(d) pool4 = MaxPool<kernel_shape=[2,2], strides=[2,2]>(e)
    f = Flatten(pool4) y = Gemm<transB=1>(f, w) }"""


def commands():
    """The pages and their commands, in order, each once."""
    pages: dict[str, list[str]] = {}
    for param in command_lines():
        page, line = param.id.split()[0], param.values[0].removeprefix("python -m ")
        if page not in ELSEWHERE and line not in pages.setdefault(page, []):
            pages[page].append(line)
    return pages


PAGES = commands()


def idx(path, array):
    """A file of MNIST's format."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.tobytes())


def lay_out_pictures(folder):
    """Pictures as folders of PNG files by class, and as Fashion-MNIST comes."""
    random = np.random.default_rng(0)
    labels = (np.arange(PICTURES) % KINDS).astype(np.uint8)
    images = random.integers(0, 255, (PICTURES, 28, 28), np.uint8)
    (folder / "fashion-mnist").mkdir()
    for part in ("train", "t10k"):
        idx(folder / "fashion-mnist" / f"{part}-images-idx3-ubyte", images)
        idx(folder / "fashion-mnist" / f"{part}-labels-idx1-ubyte", labels)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / "pictures" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    Image.fromarray(images[0]).save(folder / "digit.png")
    shutil.copytree(folder / "pictures" / "3", folder / "more_digits")
    (folder / "digits.txt").write_text("\n".join("0123456789") + "\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with what the documents name."""
    monkeypatch.chdir(tmp_path)
    lay_out_pictures(tmp_path)
    onnx.save(parse(NETWORK), "net.onnx")
    onnx.save(parse(NETWORK), "mobilenet.onnx")
    detector = DETECTOR.replace("[N,", "[1,").replace("p = S", "scores = S")
    for old, new in (
        ("boxes, p,", "boxes, scores,"),
        ("ReduceMax<axes = [1], keepdims = 0>(p)", "ReduceMax<axes = [1], keepdims = 0>(scores)"),
    ):
        detector = detector.replace(old, new)
    onnx.save(parse(detector), "detector.onnx")
    return tmp_path


def lay_out(folder, lines, text):
    """The networks, designs and flows that commands name and that none of them makes."""
    words = " ".join(lines)
    if "zoo lenet5" not in words:
        shutil.copy(folder / "net.onnx", folder / "lenet5.onnx")
    for name in sorted(set(re.findall(r"\b(?:design|\w+_(?:design|pipelined|folded))\b", words))):
        if f"--out {name}" not in words and f"build {name.partition('_')[0]}.onnx" not in words:
            style = "folded" if name.endswith("folded") else "auto"
            hlsgen.compile(folder / "net.onnx", style=style, out=folder / name).close()
    for name in set(re.findall(r"\w+\.toml", words)):
        flow = next(block for kind, _, block in BLOCK.findall(text) if kind == "toml")
        (folder / name).write_text(flow.replace("epochs = 6", "epochs = 1"))


@pytest.mark.emulator
@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs(page, here, capsys):
    path = DOCS / page if (DOCS / page).exists() else ROOT / page
    lay_out(here, PAGES[page], path.read_text())
    for line in PAGES[page]:
        words = shlex.split(line)[1:]
        if "-o" in words:  # one page's command may be another way to the same file
            target = Path(words[words.index("-o") + 1])
            target.unlink(missing_ok=True)
            shutil.rmtree(f"{target}.training", ignore_errors=True)
        status = main(words)
        assert status == 0, (line, "".join(capsys.readouterr()))
        if words[0] == "zoo" and "resnet" in words[1]:  # it would be trained or built for minutes
            shutil.copy("net.onnx", words[words.index("-o") + 1])
