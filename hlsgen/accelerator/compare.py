"""Every layer of a design against the value that onnxruntime computes in its place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from hlsgen.accelerator.results import LayerCheck, LayerComparison, Trace
from hlsgen.frontend.model import first_line
from hlsgen.graph import Graph, Port
from hlsgen.host.compare import Comparison, compare
from hlsgen.host.errors import HostError
from hlsgen.near_ties import with_outputs
from hlsgen.own_model import OwnModel
from hlsgen.stored_model import with_stored_weights


def compare_layers(
    graph: Graph,
    shapes: Mapping[str, tuple[int, ...]],
    inputs: Mapping[str, np.ndarray],
    found: Trace,
) -> LayerComparison:
    """Compare what was computed for inputs `(images, ...)` of the model with onnxruntime, layer by
    layer; `shapes`: of one image. Raises HostError where onnxruntime is missing or refuses the
    model, or nothing can be compared."""
    model = with_stored_weights(graph)
    if model is None:
        raise HostError("the design's weights are not the model's, rounded: it has no layers alike")
    places = values_of(graph, model)
    traced = [layer for layer in graph.layers if layer.name in found]
    wanted = onnxruntime_values(model, [p.name for p in places.values()], shapes, inputs)
    checks, missing = [], []
    for layer in traced:
        port = places.get(layer.output)
        if port is None:
            missing.append(layer.name)
            continue
        values, expected = found[layer.name], wanted[port.name]
        if len(expected) < len(values):  # the design takes a batch of the network image by image
            expected = expected.reshape(len(values), *expected.shape[2:])
        errors = [
            against(value, image, port) for value, image in zip(values, expected, strict=True)
        ]
        worst = errors[0]
        for error in errors[1:]:
            worst = worst.worst(error)
        checks.append(
            LayerCheck(layer.name, layer.op, worst.max_abs_error, worst.max_rel_error, worst.ok)
        )
    if not checks:
        raise HostError("no layer's value is both kept on the device and in the model")
    return LayerComparison(tuple(checks), tuple(missing))


def values_of(graph: Graph, model: onnx.ModelProto) -> dict[str, Port]:
    """The value of the model that each tensor holds, by the tensor's name."""
    computed = {name for node in model.graph.node for name in node.output}
    outputs = {layer.output for layer in graph.layers}
    places: dict[str, Port] = {}
    for port in graph.values:
        if port.tensor in outputs and port.name in computed:
            places.setdefault(port.tensor, port)
    return places


def onnxruntime_values(
    model: onnx.ModelProto,
    names: list[str],
    shapes: Mapping[str, tuple[int, ...]],
    inputs: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Values of a model by name, led by the number of images."""
    try:
        return OwnModel(with_outputs(model, names), shapes)(dict(inputs))
    except ImportError:
        raise HostError(
            "onnxruntime is not installed", remedy="pip install 'hlsgen[onnxruntime]'"
        ) from None
    except Exception as error:  # onnxruntime raises kinds of its own
        raise HostError(f"onnxruntime does not run this model ({first_line(error)})") from None


def against(value: np.ndarray, expected: np.ndarray, port: Port) -> Comparison:
    """Compare a layer's values of one image with onnxruntime's."""
    shape = port.view.value_shape
    if expected.size != value.size:
        return Comparison(float("inf"), float("inf"), False)
    return compare(value, port.view.invert(expected.reshape(shape))[0])
