"""The classes that a network's output is largest for."""

from __future__ import annotations

import numpy as np

# Classes that are shown of an image.
SHOWN = 5
Classes = list[list[tuple[int, float]]]


def likeliest(outputs: dict[str, np.ndarray]) -> Classes | None:
    """The numbers and scores of the classes that each image's output is largest for; None for
    outputs that are no vector of scores."""
    (scores, *more) = outputs.values()
    if more or scores.dtype == object or not is_vector(scores[0]) or scores[0].size < 2:
        return None
    flat = scores.reshape(len(scores), -1)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :SHOWN]
    return [[(int(n), float(row[n])) for n in best] for row, best in zip(flat, order, strict=True)]


def label(number: int, labels: list[str]) -> str:
    """What a class is called."""
    return labels[number] if number < len(labels) else f"class {number}"


def is_vector(array: np.ndarray) -> bool:
    """Whether one axis holds all values."""
    return array.size == max(array.shape, default=1)
