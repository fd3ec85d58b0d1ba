"""ONNX's own checker, version converter and shape inference on a skeleton."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import shape_inference, version_converter

from hlsgen.errors import ModelError, UnsupportedError
from hlsgen.frontend.model import TARGET_OPSET, first_line, opset_of
from hlsgen.ops.normalise import KEEPS_SHAPE
from hlsgen.ops.resize import keep_coordinates


def check(model: onnx.ModelProto) -> None:
    """Run ONNX's checker. Raises ModelError."""
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    for output in typed.graph.output:
        tensor = output.type.tensor_type
        # Many tools leave the types of outputs out, which the checker alone minds.
        tensor.elem_type = tensor.elem_type or onnx.TensorProto.FLOAT
        tensor.shape.SetInParent()
    try:
        onnx.checker.check_model(typed)
    except Exception as error:  # beside its own ValidationError, errors of decoding text
        raise ModelError(
            first_line(error),
            where="model",
            remedy="export the network again with a current exporter",
        ) from None


def convert(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at `TARGET_OPSET`, if it is older. Raises UnsupportedError."""
    if opset_of(model) >= TARGET_OPSET:
        return model
    try:
        converted = version_converter.convert_version(model, TARGET_OPSET)
    except Exception as error:
        raise UnsupportedError(
            f"ONNX's version converter cannot bring it from opset {opset_of(model)} to "
            f"{TARGET_OPSET} ({first_line(error)})",
            where="model",
            remedy=f"export the network with opset {TARGET_OPSET}",
        ) from None
    if opset_of(model) < 11:
        keep_coordinates(converted.graph.node)
    return converted


def inferable(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with Identity in place of operators that keep a shape without ONNX's inference
    knowing it."""
    if not any(node.op_type in KEEPS_SHAPE for node in model.graph.node):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        if node.op_type in KEEPS_SHAPE:
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    return result


def infer_shapes(
    model: onnx.ModelProto, known: Mapping[str, onnx.TypeProto] | None = None
) -> dict[str, tuple[int, ...]]:
    """All shapes that ONNX's inference can tell, by value name, from types that are `known`
    already. Raises ModelError on contradictions."""
    known = known or {}
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
        if output.name in known:
            output.type.CopyFrom(known[output.name])
    results = {output.name for output in model.graph.output}
    model.graph.value_info.extend(
        onnx.helper.make_value_info(name, kind)
        for name, kind in known.items()
        if name not in results
    )
    try:
        inferred = shape_inference.infer_shapes(
            inferable(model), check_type=True, strict_mode=True, data_prop=True
        )
    except Exception as error:
        raise ModelError(
            f"its shapes contradict each other ({first_line(error)})",
            where="model",
            remedy="export the network again, or check what --shape gives",
        ) from None
    found = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input):
        dims = value.type.tensor_type.shape.dim
        if all(d.HasField("dim_value") for d in dims) and value.type.tensor_type.HasField("shape"):
            found[value.name] = tuple(d.dim_value for d in dims)
    return found
