"""A QDQ network read back: which layers are quantised, and with what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

LAYERS = {"Conv", "Gemm", "MatMul"}


@dataclass(frozen=True)
class QuantisedLayer:
    """A layer with quantised weights. `input` holds the names of scale and zero point of its input,
    `weights` the weights as they are multiplied, float32 in their own shape, `bias` the name of the
    int32 bias or "", `bias_scale` a number an output channel, `output` its result's name."""

    name: str
    input: tuple[str, str]
    weights: np.ndarray
    bias: str
    bias_scale: np.ndarray
    output: str


def quantised_layers(model: onnx.ModelProto) -> dict[str, QuantisedLayer]:
    """The layers of a QDQ network whose input and weights are quantised, by node name."""
    constants = {t.name: t for t in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    found = {}
    for node in model.graph.node:
        if node.op_type not in LAYERS:
            continue
        sources = [made.get(name) for name in node.input]
        if any(s is None or s.op_type != "DequantizeLinear" for s in sources[:2]):
            continue
        source, weights = sources[0], sources[1]
        assert source is not None and weights is not None
        if weights.input[0] not in constants:
            continue
        bias = sources[2] if len(sources) > 2 else None
        found[node.name] = QuantisedLayer(
            node.name,
            (source.input[1], source.input[2]),
            dequantised(weights, constants),
            bias.input[0] if bias is not None else "",
            numpy_helper.to_array(constants[bias.input[1]]) if bias is not None else np.ones(1),
            node.output[0],
        )
    return found


def dequantised(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> np.ndarray:
    """What a DequantizeLinear of a constant computes: (q - zero point) x scale, float32."""
    values, scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    if scale.size > 1:
        spread = [1] * values.ndim
        spread[axis] = -1
        scale, zero = scale.reshape(spread), zero.reshape(spread)
    steps = values.astype(np.int32) - zero.astype(np.int32)
    result: np.ndarray = steps.astype(np.float32) * scale
    return result
