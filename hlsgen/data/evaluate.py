"""Accuracy of a network on a user's pictures, with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
import onnx

from hlsgen.data.pictures import Pictures
from hlsgen.errors import ModelError
from hlsgen.frontend.inputs import fixed_size
from hlsgen.frontend.model import first_line
from hlsgen.onnxruntime_session import runtime, session

METRICS = {"top1": 1, "top5": 5}
BATCH = 32


@dataclass(frozen=True)
class Score:
    """How many of so many pictures are right. Without labels: where the dense network's answer is
    among the first k."""

    right: int
    pictures: int

    @property
    def share(self) -> float:
        """Accuracy."""
        return self.right / self.pictures

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy (E. B. Wilson, 1927)."""
        z, n, p = 1.96, self.pictures, self.share
        middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (side / (1 + z * z / n) for side in (middle - half, middle + half))
        return max(low, 0.0), min(high, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "right": self.right,
            "pictures": self.pictures,
            "share": self.share,
            "interval": self.interval,
        }


@dataclass
class Evaluator:
    """Scores networks on pictures; each network once. `progress` is called after every
    evaluation. `dense_scores` (N, classes) are those of the dense network."""

    dense: onnx.ModelProto
    pictures: Pictures
    metric: str = "top1"
    progress: Callable[[int], None] | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    labels: np.ndarray = field(init=False)
    dense_scores: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        outputs = run(self.dense, self.pictures.inputs)
        if outputs.ndim < 2 or outputs[0].size < 2:
            raise ModelError(
                f"its output has shape {list(outputs.shape[1:])}, no score a class", where="model"
            )
        self.dense_scores = scores = outputs.reshape(len(outputs), -1)
        if self.pictures.labels is None:
            self.labels = scores.argmax(axis=1)
        else:
            self.labels = self.pictures.labels
            if self.labels.min() < 0 or self.labels.max() >= scores.shape[1]:
                raise ModelError(
                    f"labels from {self.labels.min()} to {self.labels.max()}, the network has "
                    f"{scores.shape[1]} classes",
                    where="--data",
                    remedy="number the classes as the network was trained",
                )
        self.reference = self.count(scores)

    def count(self, scores: np.ndarray) -> Score:
        """Pictures whose label is among the largest scores."""
        k = min(METRICS[self.metric], scores.shape[1])
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        return Score(int((best == self.labels[:, None]).any(axis=1).sum()), len(scores))

    def __call__(self, key: str, make: Callable[[], onnx.ModelProto]) -> Score:
        """The score of the network that `make` returns, known as `key`."""
        if key not in self.scores:
            outputs = run(make(), self.pictures.inputs)
            self.scores[key] = self.count(outputs.reshape(len(outputs), -1))
            if self.progress is not None:
                self.progress(len(self.scores))
        return self.scores[key]


def run(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """The first output of all inputs, in batches where the network takes any number of images.
    Raises ModelError."""
    try:
        runtime().set_default_logger_severity(3)
    except ImportError:
        raise ModelError(
            "evaluating needs onnxruntime",
            where="--data",
            remedy="pip install 'hlsgen[onnxruntime]'",
        ) from None

    def scores(network: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
        network_session = session(network.SerializeToString())
        entry = network_session.get_inputs()[0]
        fixed = isinstance(entry.shape[0], int)
        size = entry.shape[0] if fixed else BATCH
        missing = -len(images) % size if fixed else 0
        whole = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
        parts = [
            network_session.run(None, {entry.name: whole[i : i + size]})[0]
            for i in range(0, len(images), size)
        ]
        return np.concatenate(parts)[: len(images)]

    try:
        batched = any_batch(model)
        if batched is not None and len(inputs) >= BATCH:
            try:
                one, many = scores(model, inputs[:1]), scores(batched, inputs[:BATCH])
                if len(many) == BATCH and np.allclose(
                    one[0], many[0], rtol=1e-3, atol=1e-4 * np.abs(one).max()
                ):
                    return scores(batched, inputs)
            except Exception:  # it takes one image at a time, then
                pass
        return scores(model, inputs)
    except Exception as error:  # onnxruntime raises kinds of its own
        raise ModelError(
            f"onnxruntime cannot run it ({first_line(error)})", where="model"
        ) from None


def any_batch(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """A network of one image made to take any number, which works unless some node has the 1 built
    in; None for other networks."""
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    if (
        len(inputs) != 1
        or not inputs[0].type.tensor_type.shape.dim
        or inputs[0].type.tensor_type.shape.dim[0].dim_value != 1
    ):
        return None
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for value in result.graph.input:
        if value.name == inputs[0].name:
            value.type.tensor_type.shape.dim[0].dim_param = "images"
    del result.graph.value_info[:]
    for output in result.graph.output:
        output.type.tensor_type.ClearField("shape")
    return result


def input_shape(model: onnx.ModelProto) -> tuple[int, ...]:
    """The network's one input; a dynamic first axis counts as 1. Raises ModelError."""
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    if len(inputs) != 1:
        raise ModelError(f"it has {len(inputs)} inputs, pictures are for one", where="model")
    dims = inputs[0].type.tensor_type.shape.dim
    sizes = [fixed_size(d) or (1 if i == 0 else 0) for i, d in enumerate(dims)]
    if not all(sizes):
        raise ModelError(
            "its input has dynamic axes", where="model", remedy="export it with fixed sizes"
        )
    return tuple(sizes)
