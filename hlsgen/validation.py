"""References for a design directory: numpy for every layer, onnxruntime for the outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlsgen.frontend.load import load
from hlsgen.graph import Graph
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.ort_tolerance import compare_with_onnxruntime
from hlsgen.reference import run_layers

Tensors = dict[str, np.ndarray]


class Reference:
    """Computes what a design should give for a batch of inputs `(images, ...)`, from the model it carries."""

    def __init__(self, design: HostDesign, inputs: Tensors):
        self.design, self.inputs = design, inputs
        path = design.path / "model.onnx"
        if not path.is_file():
            raise HostError(f"{path} is missing, so there is nothing to compare with", remedy="build the design again")
        self.graph: Graph = load(path, {entry["name"]: entry["model_shape"] for entry in design.manifest["inputs"]})
        known = {layer.name for layer in self.graph.layers}
        missing = [entry["name"] for entry in design.manifest["layers"] if entry["name"] not in known]
        if missing:
            raise HostError(
                f"model.onnx has no layer {missing[0]}: it is not the design's model", remedy="build the design again"
            )

    def image(self, index: int) -> Tensors:
        """The inputs of one image, `(1, ...)`."""
        return {name: array[index : index + 1] for name, array in self.inputs.items()}

    def __call__(self, index: int) -> tuple[Tensors, Tensors]:
        """All tensors of an image by tensor name, and the network's outputs by output name."""
        tensors = run_layers(self.graph, self.image(index))
        return tensors, {
            p.name: p.view.apply(tensors[p.tensor][None]).reshape(p.image_shape) for p in self.graph.outputs
        }

    def against_onnxruntime(self, outputs: Tensors) -> dict[str, Any] | None:
        """Compare a design's outputs with onnxruntime's. None where onnxruntime is not installed.

        `top1_equal` counts the images whose largest output is the same, for outputs that are one vector.
        """
        try:
            import onnxruntime
        except ImportError:
            return None
        onnxruntime.set_default_logger_severity(3)
        session = onnxruntime.InferenceSession(str(self.design.path / "model.onnx"), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        count = len(next(iter(self.inputs.values())))
        shapes = {port.name: port.view.value_shape for port in self.graph.inputs}
        feeds = [{n: array.reshape(shapes[n]) for n, array in self.image(i).items()} for i in range(count)]
        results = [session.run(names, feed) for feed in feeds]
        wanted = {port.name: port.image_shape for port in self.graph.outputs}
        runs = [[array.reshape(wanted[n]) for n, array in zip(names, run, strict=True)] for run in results]
        expected = {name: np.concatenate([run[i] for run in runs]) for i, name in enumerate(names)}
        found = compare_with_onnxruntime(self.graph, self.inputs, outputs, expected, self.design.manifest["dtype"])
        worst = max(found.values(), key=lambda c: c.max_rel_error)
        result = worst.as_dict() | {"ok": all(c.ok for c in found.values())}
        if len(names) == 1 and outputs[names[0]][0].size == max(outputs[names[0]].shape[1:], default=1):
            flat = (outputs[names[0]].reshape(count, -1), expected[names[0]].reshape(count, -1))
            result["top1_equal"] = int((flat[0].argmax(axis=1) == flat[1].argmax(axis=1)).sum())
        return result
