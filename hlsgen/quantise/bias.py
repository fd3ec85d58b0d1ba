"""Bias correction (M. Nagel et al., Data-free quantization, ICCV 2019, section 4.2, with measured
means): rounding weights shifts the mean of an output channel, and the bias takes the shift back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.quantise.errors import LayerError
from hlsgen.quantise.network import quantised_layers

INT32 = np.iinfo(np.int32)


def corrected(quantised: onnx.ModelProto, errors: Mapping[str, LayerError]) -> onnx.ModelProto:
    """The network with the mean errors subtracted from its integer biases."""
    result = onnx.ModelProto()
    result.CopyFrom(quantised)
    constants = {t.name: t for t in result.graph.initializer}
    users = [name for node in result.graph.node for name in node.input]
    for name, layer in quantised_layers(result).items():
        # A bias that layers share cannot be right for both.
        if name not in errors or not layer.bias or users.count(layer.bias) > 1:
            continue
        bias = numpy_helper.to_array(constants[layer.bias])
        steps = np.rint(errors[name].mean / layer.bias_scale)
        shifted = np.clip(bias - steps, INT32.min, INT32.max).astype(bias.dtype)
        constants[layer.bias].CopyFrom(numpy_helper.from_array(shifted, layer.bias))
    return result
