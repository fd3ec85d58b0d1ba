"""Labelled pictures for trained networks, from packages: 5,000 digits, 20 and 100 photographs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmarks.sparsify import squeezenet
from examples.trained import DEVIATION, MEAN, crop, mnist_cnn, mobilenet_v2, package_file, pictures
from hlsgen.data.evaluate import Evaluator
from hlsgen.data.parts import spaced
from hlsgen.data.pictures import Pictures

# Debian's opencv-doc.
DIGITS = Path("/usr/share/doc/opencv-doc/examples/data/digits.png")


def digits(path: Path = DIGITS) -> Pictures:
    """opencv-doc's 5,000 digits of 20x20, 500 a class, in a frame of zeros, normalised as the MNIST
    CNN was trained."""
    from PIL import Image

    sheet = np.asarray(Image.open(path).convert("L"))
    cells = sheet.reshape(50, 20, 100, 20).transpose(0, 2, 1, 3).reshape(5000, 1, 20, 20)
    framed = np.pad(cells, ((0, 0), (0, 0), (4, 4), (4, 4))) / 255.0
    return Pictures(((framed - 0.1307) / 0.3081).astype(np.float32), np.repeat(np.arange(10), 500))


def bgr(image: np.ndarray) -> np.ndarray:
    """A photograph as SqueezeNet takes it."""
    centred = crop(image, squeezenet.SIZE)[:, :, ::-1] - squeezenet.MEAN
    planes: np.ndarray = centred.transpose(2, 0, 1)
    return planes


def rgb(image: np.ndarray) -> np.ndarray:
    """A photograph as torchvision's networks take it."""
    planes: np.ndarray = ((crop(image) / 255.0 - MEAN) / DEVIATION).transpose(2, 0, 1)
    return planes


def photographs(
    labels: Path | None = None, prepare: Callable[[np.ndarray], np.ndarray] = rgb
) -> Pictures:
    """foolbox's 20 ImageNet pictures and ai-benchmark's 100 photographs.

    The latter carry no labels: `labels`, a CSV with columns file and ids (ImageNet classes, the
    first of several joined by /), adds them; without it no picture is labelled, and the dense
    network's own answers count.
    """
    from PIL import Image

    first, known = pictures("imagenet")
    folder = package_file("ai-benchmark", "ai_benchmark/data/classification")
    files = sorted(folder.glob("*.jpg"), key=lambda file: int(file.stem))
    images = [*first, *(np.asarray(Image.open(file).convert("RGB")) for file in files)]
    if labels is None:
        return Pictures(np.stack([prepare(image) for image in images]).astype(np.float32), None)
    with open(labels) as file:
        ids = {row["file"]: int(row["ids"].split("/")[0]) for row in csv.DictReader(file)}
    kept = [i for i, file in enumerate(files) if file.name in ids]
    chosen = [images[i] for i in (*range(len(first)), *(len(first) + i for i in kept))]
    inputs = np.stack([prepare(image) for image in chosen]).astype(np.float32)
    return Pictures(inputs, np.concatenate([known, [ids[files[i].name] for i in kept]]))


@dataclass(frozen=True)
class Trained:
    """A trained network, the `inputs` that calibrate, and what judges on all other pictures."""

    model: onnx.ModelProto
    inputs: np.ndarray
    evaluator: Evaluator
    judged: int


def trained(network: str, count: int, labels: Path | None, digits_file: Path) -> Trained:
    """`mnist` or `mobilenetv2`, with `count` pictures that calibrate, spread over all."""
    mnist = network == "mnist"
    model = mnist_cnn() if mnist else mobilenet_v2()
    data = digits(digits_file) if mnist else photographs(labels)
    chosen = spaced(len(data.inputs), count)
    rest = np.setdiff1d(np.arange(len(data.inputs)), chosen)
    judged = Pictures(data.inputs[rest], None if data.labels is None else data.labels[rest])
    evaluator = Evaluator(model, judged, "top1" if mnist else "top5")
    return Trained(model, data.inputs[chosen], evaluator, len(rest))
