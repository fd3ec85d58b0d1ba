"""onnxruntime on a model as its user wrote it: at its own batch, with every input that it
declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx

from hlsgen.onnxruntime_session import runtime, session

Tensors = dict[str, np.ndarray]


class OwnModel:
    """A model in onnxruntime, called with images `(N, ...)`; `shapes` tells the ONNX value that one
    image is, by input name.

    A model with a fixed batch of B takes B images a run. Where they do not come out even, noise
    fills the last batch up: other images than those looked at, so that a network that mixes images
    is found out even by one image. Raises ImportError without onnxruntime, and what onnxruntime
    raises for models that it does not run.
    """

    def __init__(self, model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]):
        # what it refuses is said in its exception
        runtime().set_default_logger_severity(4)
        self.session = session(without_double_names(model).SerializeToString())
        self.shapes = shapes
        known = {tensor.name for tensor in model.graph.initializer}
        self.inputs = [value for value in model.graph.input if value.name not in known]
        self.names = [output.name for output in model.graph.output]
        self.batch = max(
            (own_batch(value, shapes[value.name]) for value in self.inputs if value.name in shapes),
            default=1,
        )

    def __call__(self, images: Tensors) -> Tensors:
        """The outputs, led by the number of images as far as they are led by the batch."""
        count = len(next(iter(images.values())))
        whole = {name: filled_up(array, self.batch) for name, array in images.items()}
        runs = [self.run(whole, first) for first in range(0, count, self.batch)]
        return {
            name: np.concatenate([run[place] for run in runs])[:count]
            for place, name in enumerate(self.names)
        }

    def run(self, images: Tensors, first: int) -> list[np.ndarray]:
        """The outputs of one batch. A network of one image has them as they are, led by a 1."""
        feeds = {}
        for value in self.inputs:
            if value.name in images:
                part = images[value.name][first : first + self.batch]
                shape = self.shapes[value.name]
                whole = shape if self.batch == 1 else (self.batch, *shape[1:])
                feeds[value.name] = part.reshape(whole).astype(declared_type(value), copy=False)
            else:
                feeds[value.name] = blank(value, self.batch)
        results = [in_float32(array) for array in self.session.run(self.names, feeds)]
        return [array[None] if self.batch == 1 else np.atleast_1d(array) for array in results]


def own_batch(value: onnx.ValueInfoProto, shape: tuple[int, ...]) -> int:
    """How many images of `shape` an input takes at once."""
    dims = value.type.tensor_type.shape.dim
    return (
        dims[0].dim_value
        if len(dims) == len(shape) > 1 and shape[0] == 1 and dims[0].dim_value > 1
        else 1
    )


def filled_up(images: np.ndarray, batch: int) -> np.ndarray:
    """The images and noise after them, whole batches in all."""
    missing = -len(images) % batch
    noise = np.random.default_rng(len(images)).standard_normal((missing, *images.shape[1:]))
    return np.concatenate([images, noise.astype(images.dtype)])


def blank(value: onnx.ValueInfoProto, batch: int) -> np.ndarray:
    """Zeros for an input that no output depends on. Dimensions that are open are 1, the first the
    batch."""
    tensor = value.type.tensor_type
    shape = [
        d.dim_value if d.dim_value > 0 else batch if axis == 0 else 1
        for axis, d in enumerate(tensor.shape.dim)
    ]
    return np.zeros(shape, declared_type(value))


def declared_type(value: onnx.ValueInfoProto) -> np.dtype:
    """numpy's type of an input."""
    found: np.dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return found


def in_float32(array: np.ndarray) -> np.ndarray:
    """A result in float32, if it is of another floating-point type."""
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def without_double_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without names of nodes where two share one: ONNX allows that and gives names no
    meaning, onnxruntime refuses it."""
    names = Counter(node.name for node in model.graph.node if node.name)
    if all(count == 1 for count in names.values()):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        node.name = ""
    return result
