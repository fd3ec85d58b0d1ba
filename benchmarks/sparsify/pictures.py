"""Labelled pictures for trained networks, from packages: 5,000 digits, 20 and 100 photographs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from examples.trained import DEVIATION, MEAN, crop, package_file
from examples.trained import imagenet as labelled_photographs
from hlsgen.data.pictures import Pictures

# Debian's opencv-doc.
DIGITS = Path("/usr/share/doc/opencv-doc/examples/data/digits.png")


def digits(path: Path = DIGITS) -> Pictures:
    """opencv-doc's 5,000 digits of 20x20, 500 a class, in a frame of zeros, normalised as the MNIST CNN was trained."""
    from PIL import Image

    sheet = np.asarray(Image.open(path).convert("L"))
    cells = sheet.reshape(50, 20, 100, 20).transpose(0, 2, 1, 3).reshape(5000, 1, 20, 20)
    framed = np.pad(cells, ((0, 0), (0, 0), (4, 4), (4, 4))) / 255.0
    return Pictures(((framed - 0.1307) / 0.3081).astype(np.float32), np.repeat(np.arange(10), 500))


def photographs(labels: Path | None = None) -> Pictures:
    """foolbox's 20 ImageNet pictures and ai-benchmark's 100 photographs.

    The latter carry no labels: `labels`, a CSV with columns file and ids (ImageNet classes, the first of several joined by /), adds them; without
    it no picture is labelled, and the dense network's own answers count.
    """
    from PIL import Image

    first, known = labelled_photographs()
    folder = package_file("ai-benchmark", "ai_benchmark/data/classification")
    files = sorted(folder.glob("*.jpg"), key=lambda file: int(file.stem))
    raw = np.stack([crop(np.asarray(Image.open(file).convert("RGB"))) for file in files]) / 255.0
    second = ((raw - MEAN) / DEVIATION).transpose(0, 3, 1, 2)
    inputs = np.concatenate([first, second]).astype(np.float32)
    if labels is None:
        return Pictures(inputs, None)
    with open(labels) as file:
        ids = {row["file"]: int(row["ids"].split("/")[0]) for row in csv.DictReader(file)}
    kept = [i for i, file in enumerate(files) if file.name in ids]
    chosen = [*range(len(first)), *(len(first) + i for i in kept)]
    return Pictures(inputs[chosen], np.concatenate([known, [ids[files[i].name] for i in kept]]))
