"""Networks exported with a fixed batch above 1: the same network for one image, where images do not mix."""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from hlsgen.errors import HlsgenError
from hlsgen.frontend.model import bind_shapes, check_and_convert, detach_constants, infer_shapes

# Operators of several operands that broadcast: operands of different rank would line the batch up with another axis.
BROADCASTING = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "PRelu", "Where", "Pow", "MatMul"}
# Attributes that name an axis; 0 would be the batch.
AXIS = {"Softmax", "LogSoftmax", "Hardmax", "Concat", "Split", "Gather", "Flatten"}


def one_image(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a batch of 1, if all its inputs share a larger one and no operator mixes images; else the model itself.

    A design streams one image after another, so a batch is a number of images. The given model is not changed.
    """
    batch = common_batch(model)
    if batch is None:
        return model
    single = onnx.ModelProto()
    single.CopyFrom(model)
    known = {tensor.name for tensor in single.graph.initializer}
    for value in single.graph.input:
        if value.name not in known:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    del single.graph.value_info[:]
    for output in single.graph.output:
        dims = output.type.tensor_type.shape.dim
        if dims and dims[0].dim_value == batch:
            dims[0].dim_value = 1
    set_targets(single, batch)
    return single if keeps_images_apart(model, single, batch) else model


def common_batch(model: onnx.ModelProto) -> int | None:
    """The first dimension that all run-time inputs share, where it is above 1."""
    known = {tensor.name for tensor in model.graph.initializer}
    sizes = set()
    for value in model.graph.input:
        if value.name not in known:
            dims = value.type.tensor_type.shape.dim
            sizes.add(dims[0].dim_value if len(dims) > 1 and dims[0].HasField("dim_value") else 1)
    return sizes.pop() if len(sizes) == 1 and max(sizes) > 1 else None


def set_targets(model: onnx.ModelProto, batch: int) -> None:
    """Constant target shapes of Reshape and Expand that begin with the batch begin with 1."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    for number, node in enumerate(model.graph.node):
        if node.op_type in ("Reshape", "Expand") and len(node.input) > 1 and node.input[1] in constants:
            target = numpy_helper.to_array(constants[node.input[1]]).copy()
            if target.size and target.ravel()[0] == batch:
                target.ravel()[0] = 1
                name = f"{node.input[1]}_for_one_image_{number}"
                model.graph.initializer.append(numpy_helper.from_array(target, name))
                node.input[1] = name


def keeps_images_apart(model: onnx.ModelProto, single: onnx.ModelProto, batch: int) -> bool:
    """Whether every feature map has the batch as its first dimension, and no operator works along it."""
    try:
        before, after = shapes_of(model), shapes_of(single)
    except HlsgenError:
        return False
    constants = {tensor.name for tensor in model.graph.initializer}
    maps = {value.name for value in model.graph.input if value.name not in constants}
    for node in model.graph.node:
        inputs = [name for name in node.input if name in maps]
        if not inputs or node.op_type == "Shape":
            continue
        for name in node.output:
            if not name:
                continue
            if node.op_type == "GroupNormalization":  # ONNX does not infer its shape
                for shapes in (before, after):
                    shapes.setdefault(name, shapes[inputs[0]])
            if name not in before or name not in after:
                return False
            if before[name][:1] != (batch,) or after[name] != (1, *before[name][1:]):
                return False
            maps.add(name)
        if mixes(node, [before[name] for name in inputs]):
            return False
    return True


def mixes(node: onnx.NodeProto, shapes: list[tuple[int, ...]]) -> bool:
    """Whether an operator works along the first dimension although the shapes do not show it."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type in BROADCASTING and len({len(shape) for shape in shapes}) > 1:
        return True
    if node.op_type in AXIS and attributes.get("axis") in (0, -len(shapes[0])):
        return True
    if node.op_type == "Transpose":
        return next(iter(attributes.get("perm", range(len(shapes[0]))[::-1]))) != 0
    # A Slice that keeps all images may still reverse them.
    return node.op_type == "Slice" and (
        0 in attributes.get("axes", ()) or ("axes" not in attributes and len(node.input) < 4)
    )


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """All shapes that inference finds. Raises ModelError."""
    skeleton, constants = detach_constants(model)
    bind_shapes(skeleton, constants, {})
    return infer_shapes(check_and_convert(skeleton))
