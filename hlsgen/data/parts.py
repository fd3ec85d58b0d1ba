"""Pictures that calibrate, and pictures that judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hlsgen.data.pictures import Pictures, Stored, read_stored
from hlsgen.errors import ModelError
from hlsgen.host.pictures import Preparation


def parted(
    path: str | Path, shape: tuple[int, ...], preparation: Preparation, count: int
) -> tuple[np.ndarray, Pictures]:
    """Inputs for calibration, at most `count`, and pictures that took no part in it: training and
    test pictures where the data have both, else some evenly spaced ones and the rest. One picture
    alone is both. Raises ModelError."""
    training = read_stored(path, shape, preparation, "train")
    test = read_stored(path, shape, preparation, "test")
    if training is not None and test is not None:
        chosen = spaced(len(training.images), count)
        return training.inputs(chosen), Pictures(test.inputs(), test.labels)
    stored = training or test or read_stored(path, shape, preparation)
    if stored is None or not len(stored.images):
        raise ModelError("holds no pictures", where=f"--data {path}")
    return split(stored, count)


def split(stored: Stored, count: int) -> tuple[np.ndarray, Pictures]:
    """At most half of the pictures for calibration, and the others."""
    total = len(stored.images)
    if total == 1:
        inputs = stored.inputs()
        return inputs, Pictures(inputs, stored.labels)
    chosen = spaced(total, min(count, total // 2))
    rest = np.setdiff1d(np.arange(total), chosen)
    labels = None if stored.labels is None else stored.labels[rest]
    return stored.inputs(chosen), Pictures(stored.inputs(rest), labels)


def spaced(total: int, count: int) -> np.ndarray:
    """Evenly spaced places among `total`: pictures often come sorted by class."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))
