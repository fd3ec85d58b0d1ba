"""References for a design directory: numpy for every layer, onnxruntime for the outputs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx

from hlsgen.design_graph import graph_of
from hlsgen.frontend.element_types import model_in_float32
from hlsgen.frontend.model import first_line
from hlsgen.graph import Graph
from hlsgen.host.classes import is_vector
from hlsgen.host.compare import Comparison
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.near_ties import NOTE, against, near_tie, with_outputs
from hlsgen.ort_tolerance import compare_with_onnxruntime
from hlsgen.own_model import OwnModel
from hlsgen.reference import run_layers
from hlsgen.stored_model import with_stored_weights

Tensors = dict[str, np.ndarray]


class Reference:
    """Computes what a design should give for a batch of inputs `(images, ...)`, from the model it
    carries."""

    def __init__(self, design: HostDesign, inputs: Tensors):
        self.design, self.inputs = design, inputs
        self.refusal = self.note = ""
        self.graph: Graph = graph_of(design)
        self.given = design.given(inputs)
        known = {layer.name for layer in self.graph.layers}
        missing = [layer.name for layer in design.manifest.layers if layer.name not in known]
        if missing:
            raise HostError(
                f"model.onnx has no layer {missing[0]}: it is not the design's model",
                remedy="build the design again",
            )

    def image(self, index: int) -> Tensors:
        """The design's inputs of one image, `(1, ...)`."""
        return {name: array[index : index + 1] for name, array in self.given.items()}

    def __call__(self, index: int) -> tuple[Tensors, Tensors]:
        """All tensors of an image by tensor name, and the design's outputs by output name."""
        tensors = run_layers(self.graph, self.image(index))
        return tensors, {
            p.name: p.view.apply(tensors[p.tensor][None]).reshape(p.image_shape)
            for p in self.graph.outputs
        }

    def against_onnxruntime(self, outputs: Tensors) -> dict[str, Any] | None:
        """Compare outputs with those of the user's own model in onnxruntime, with its weights
        rounded as the design stores them. `outputs`: the network's, and where the design is a part
        of it the design's too.

        None where onnxruntime is not installed, or does not run the model: `refusal` tells why. A
        model in another floating-point type that it does not run is compared in float32, as `note`
        says.
        `top1_equal` counts the images whose largest output is the same, for outputs that are one
        vector.
        """
        if self.design.manifest.part:
            self.refusal = (
                "one board of a system has no model of its own: compared with numpy alone"
            )
            return None
        model = with_stored_weights(self.graph)
        if model is None:
            self.refusal = (
                f"the weights in {self.design.manifest.weights.type} are not the model's own, "
                "rounded: compared with numpy alone"
            )
            return None
        try:
            if self.design.manifest.cut is not None:
                return self.compared_apart(outputs, model)
            expected = self.expected(model, self.inputs)
        except ImportError:
            self.refusal = (
                "onnxruntime is not installed: pip install onnxruntime to compare with it too"
            )
            return None
        except Exception as error:  # onnxruntime raises kinds of its own
            self.refusal = (
                f"onnxruntime does not run this model ({first_line(error)}): compared with numpy "
                "alone"
            )
            return None
        return self.compared(outputs, expected)

    def expected(self, model: onnx.ModelProto, inputs: Tensors) -> Tensors:
        """The outputs of the user's model. Raises what `OwnModel` raises."""
        ports = self.design.manifest.network_inputs
        shapes = {port.name: port.model_shape for port in ports}
        try:
            return OwnModel(model, shapes)(inputs)
        except ImportError:
            raise
        except Exception:
            if not self.graph.precision:
                raise
        types = " and ".join(self.graph.precision)
        self.note = f"onnxruntime does not run this model in {types}: it computed in float32"
        return OwnModel(model_in_float32(model), shapes)(inputs)

    def compared_apart(self, values: Tensors, model: onnx.ModelProto) -> dict[str, Any]:
        """The verdict on a network of which the design is a part, image by image: sizes of its
        outputs may depend on the data. `values`: its outputs and the design's."""
        found, tied, count = [], 0, len(next(iter(self.inputs.values())))
        for number in range(count):
            image = {name: array[number : number + 1] for name, array in self.inputs.items()}
            expected = self.expected(model, image)
            outputs = {
                port.name: values[port.name][number]
                for port in self.design.manifest.network_outputs
            }
            errors = [against(array, expected[name]) for name, array in outputs.items()]
            if not all(c.ok for c in errors) and self.tied(values, number, outputs, model):
                tied += 1
                continue
            found += errors
        if tied:
            self.note = NOTE.format(tied, count)
        worst = max(found, key=lambda c: c.max_rel_error, default=Comparison(0.0, 0.0, True))
        return worst.as_dict() | {"ok": all(c.ok for c in found)}

    def tied(self, values: Tensors, number: int, outputs: Tensors, model: onnx.ModelProto) -> bool:
        """Whether only rounding makes the outputs of an image differ (`near_tie`). What cannot be
        shown to be a tie is none."""
        manifest, network = self.design.manifest, self.design.network
        assert network is not None and manifest.cut is not None
        image = {name: array[number : number + 1] for name, array in self.inputs.items()}
        first, size = number * manifest.cut.images, manifest.cut.images
        ends = {port.name: values[port.name][first : first + size] for port in manifest.outputs}
        try:
            return near_tie(
                network,
                image,
                ends,
                outputs,
                lambda names: self.expected(with_outputs(model, names), image),
            )
        except Exception:  # onnxruntime refuses names that the file lacks, with kinds of its own
            return False

    def compared(self, outputs: Tensors, expected: Tensors) -> dict[str, Any]:
        """The verdict on outputs."""
        count = len(next(iter(self.inputs.values())))
        for port in self.graph.outputs:
            wanted = (count, *port.image_shape[1:])
            if expected[port.name].size == prod(wanted):
                expected[port.name] = expected[port.name].reshape(wanted)
        found = compare_with_onnxruntime(
            self.graph, self.inputs, outputs, expected, self.design.manifest.dtype
        )
        worst = max(found.values(), key=lambda c: c.max_rel_error)
        result = worst.as_dict() | {"ok": all(c.ok for c in found.values())}
        (name, *more) = outputs
        if not more and outputs[name].shape == expected[name].shape and is_vector(outputs[name][0]):
            flat = (outputs[name].reshape(count, -1), expected[name].reshape(count, -1))
            result["top1_equal"] = int((flat[0].argmax(axis=1) == flat[1].argmax(axis=1)).sum())
        return result
