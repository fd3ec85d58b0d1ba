"""Where a layer's result can be shifted by a constant a channel: its bias, or the mean of the
BatchNormalization behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.sparsify.weights import Changed


@dataclass(frozen=True)
class Offset:
    """A constant that shifts a layer's result, by the name of its value: for a shift of the product
    of matrices, `factor` times as much is to be added to it."""

    value: str
    tensor: onnx.TensorProto
    factor: float

    def shifted(self, shift: np.ndarray) -> Changed:
        """The constant after a shift `(channels,)` of the product."""
        old = numpy_helper.to_array(self.tensor)
        new = old.astype(np.float64) + self.factor * shift.reshape(old.shape)
        return Changed(self.tensor, new.astype(old.dtype))


def offset_of(
    node: onnx.NodeProto,
    channels: int,
    readers: Mapping[str, list[onnx.NodeProto]],
    constants: Mapping[str, onnx.TensorProto],
) -> Offset | None:
    """What shifts the result of a layer with so many output channels; None where nothing does, or
    something that serves others too."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if len(node.input) > 2:
        alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
        if not beta:
            return None
        name, factor = node.input[2], alpha / beta
    else:
        behind = readers.get(node.output[0], [])
        if [reader.op_type for reader in behind] != ["BatchNormalization"]:
            return None
        name, factor = behind[0].input[3], -1.0
    tensor = constants.get(name)
    if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or len(readers[name]) != 1:
        return None
    if int(np.prod(tensor.dims)) != channels:
        return None
    return Offset(name, tensor, factor)
