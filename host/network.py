"""A network of which the design is a part: the host computes what comes before and behind it,
in onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import HostError
from .manifest import Cut, Manifest, Value

Tensors = dict[str, np.ndarray]


class Network:
    """The whole of the network of a design in `folder`. Its values are kept image by image, as ONNX
    has them."""

    def __init__(self, folder: Path, manifest: Manifest, cut: Cut):
        self.manifest, self.images = manifest, cut.images
        self.head = HostPart(folder / cut.head) if cut.head else None
        self.tail = HostPart(folder / cut.tail) if cut.tail else None

    def before(self, inputs: Tensors) -> list[Tensors]:
        """The values that are known before the design runs: inputs, and results of the head, for
        inputs `(images, ...)`."""
        count = len(next(iter(inputs.values())))
        values = [self.image(inputs, self.manifest.network_inputs, n) for n in range(count)]
        if self.head is not None:
            for known in values:
                known.update(self.head(known))
        return values

    def design_inputs(self, values: Sequence[Tensors]) -> Tensors:
        """What the design is given of these values, `(images, ...)`, its own images."""
        shapes = {port.name: (self.images, *port.shape[1:]) for port in self.manifest.inputs}
        return {
            port.name: np.concatenate(
                [known[port.name].reshape(shapes[port.name]) for known in values]
            )
            for port in self.manifest.inputs
        }

    def after(self, values: Sequence[Tensors], results: Tensors) -> Tensors:
        """The network's outputs, `(images, ...)`, from what was known before and the design's
        outputs. Images whose outputs differ in shape make an array of arrays, one an image."""
        images = []
        for number, before in enumerate(values):
            known = before | self.results(results, number)
            images.append(known | self.tail(known) if self.tail is not None else known)
        return {
            port.name: stacked([led(known[port.name], port) for known in images])
            for port in self.manifest.network_outputs
        }

    def results(self, arrays: Tensors, number: int) -> Tensors:
        """The design's outputs for one image of the network as ONNX has them."""
        several, first = self.images > 1, number * self.images
        return {
            port.name: arrays[port.name][first : first + self.images].reshape(
                (self.images, *port.model_shape[1:]) if several else port.model_shape
            )
            for port in self.manifest.outputs
        }

    @staticmethod
    def image(arrays: Tensors, ports: Sequence[Value], number: int) -> Tensors:
        """The values of one image as ONNX has them."""
        return {port.name: arrays[port.name][number].reshape(port.model_shape) for port in ports}


class HostPart:
    """A head or a tail, for one image at a time. Raises HostError without onnxruntime, and for a
    file that it does not run."""

    def __init__(self, path: Path):
        self.name = path.stem
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it would begin while it is imported
        try:
            import onnxruntime

            onnxruntime.disable_telemetry_events()
        except ImportError:
            raise HostError(
                f"{path}: the {self.name} of the network runs in onnxruntime, which is not "
                "installed",
                remedy="pip install onnxruntime",
            ) from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it refuses is said in its exception
        try:
            self.session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises kinds of its own
            raise HostError(
                f"{path}: onnxruntime does not run it ({error})", remedy="build the design again"
            ) from None
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def __call__(self, known: Mapping[str, np.ndarray]) -> Tensors:
        """What it computes of known values. Raises HostError."""
        try:
            results = self.session.run(self.outputs, {name: known[name] for name in self.inputs})
        except Exception as error:
            raise HostError(f"the {self.name} of the network fails ({error})") from None
        return dict(zip(self.outputs, map(np.asarray, results), strict=True))


def led(array: np.ndarray, port: Value) -> np.ndarray:
    """An output of one image, led by a 1 that stands for the images."""
    return array if port.model_shape[:1] == (1,) else array[None]


def stacked(images: Sequence[np.ndarray]) -> np.ndarray:
    """Outputs `(1, ...)` of images as `(images, ...)`; where their shapes differ, an array of
    arrays `(...)`."""
    if len({array.shape for array in images}) == 1:
        return np.concatenate(images)
    apart = np.empty(len(images), object)
    apart[:] = [array[0] for array in images]
    return apart
