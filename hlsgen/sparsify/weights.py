"""The weights of a network that may become zero, in topological order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.errors import ModelError

# Operators with weights, and the input that holds them.
WEIGHTED = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}


@dataclass(eq=False)
class Changed:
    """A tensor of the model, and the values that it gets (float32, of the same shape)."""

    tensor: onnx.TensorProto
    values: np.ndarray


@dataclass(eq=False)
class Layer(Changed):
    """A layer's weights, at first a copy of the tensor's values, and the node's name.

    `source` is the value that the node reads; `filters` the axis of the output channels, `inputs`
    that of the input channels.
    """

    name: str
    source: str
    filters: int
    inputs: int


def tensors_of(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Initializers and the tensors of Constant nodes, by the name of the value; those that pass
    through Identity nodes by all their names."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
        elif node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def layers_of(
    model: onnx.ModelProto, depthwise: bool = False, spare: Collection[str] = ()
) -> list[Layer]:
    """Weights of Conv, ConvTranspose, Gemm and MatMul in the order of their nodes; biases never,
    depthwise filters on request.

    A tensor that several nodes share counts once. `spare` names nodes or tensors to leave alone.
    Raises ModelError for weights that are not finite, for names in `spare` that do not exist, and
    where nothing is left.
    """
    tensors = tensors_of(model)
    names = {name for node in model.graph.node for name in (node.name, *node.output)} | set(tensors)
    for name in spare:
        if name not in names:
            raise ModelError(
                "the network has no node or tensor of that name", where=f"--spare {name}"
            )
    found: dict[int, Layer] = {}
    for node in model.graph.node:
        place = WEIGHTED.get(node.op_type)
        if place is None or len(node.input) <= place or node.input[place] not in tensors:
            continue
        tensor = tensors[node.input[place]]
        name = node.name or node.output[0]
        if id(tensor) in found or {name, node.input[place], node.output[0]} & set(spare):
            continue
        if tensor.data_type == onnx.TensorProto.FLOAT and (
            depthwise or not is_depthwise(node, tensor)
        ):
            found[id(tensor)] = Layer(
                tensor, values_of(tensor, name), name, node.input[0], *axes_of(node)
            )
    if not found:
        raise ModelError(
            "it holds no weights that may become zero",
            where="model",
            remedy="see --depthwise and --spare",
        )
    return list(found.values())


def left_out(
    model: onnx.ModelProto,
    layers: Collection[Layer],
    depthwise: bool = False,
    spare: Collection[str] = (),
) -> dict[str, str]:
    """Nodes with weights that are none of the layers, by name, and why."""
    tensors = tensors_of(model)
    taken = {id(layer.tensor) for layer in layers}
    found = {}
    for node in model.graph.node:
        place = WEIGHTED.get(node.op_type)
        if place is None or len(node.input) <= place:
            continue
        tensor = tensors.get(node.input[place])
        if tensor is None:
            found[node.name or node.output[0]] = computed(model, node.input[place])
        elif id(tensor) not in taken:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            found[node.name or node.output[0]] = (
                f"its weights are {kind}"
                if tensor.data_type != onnx.TensorProto.FLOAT
                else "depthwise"
                if is_depthwise(node, tensor) and not depthwise
                else "spared"
                if {node.name, node.input[place], node.output[0]} & set(spare)
                else "the pattern cannot be its"
            )
    return found


def computed(model: onnx.ModelProto, value: str) -> str:
    """Why weights that are a node's result are left out: by what they come, where that changes
    nothing but a constant."""
    makers = {name: node for node in model.graph.node for name in node.output}
    if value in makers and set(makers[value].input) <= set(tensors_of(model)):
        return f"its weights come through {makers[value].op_type}"
    return "its weights are computed"


def is_depthwise(node: onnx.NodeProto, tensor: onnx.TensorProto) -> bool:
    """Whether a convolution has one filter channel a group."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    return groups > 1 and len(tensor.dims) > 1 and tensor.dims[1] == 1


def axes_of(node: onnx.NodeProto) -> tuple[int, int]:
    """The axes of output and input channels."""
    if node.op_type == "Conv":
        return 0, 1
    if node.op_type == "Gemm" and next((a.i for a in node.attribute if a.name == "transB"), 0):
        return 0, 1
    return 1, 0


def values_of(tensor: onnx.TensorProto, name: str) -> np.ndarray:
    """A writable copy of a tensor's values. Raises ModelError for values that are not finite."""
    values = np.array(numpy_helper.to_array(tensor), np.float32)
    if not np.isfinite(values).all():
        raise ModelError(
            "its weights hold values that are not finite",
            where=f"node {name}",
            remedy="train it again",
        )
    return values


def with_values(model: onnx.ModelProto, constants: Sequence[Changed]) -> onnx.ModelProto:
    """A copy of the model with these values, which go over into it; nothing else changes."""
    changed = {id(constant.tensor): constant for constant in constants}
    copy = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name == "graph":
            continue
        if field.is_repeated:
            getattr(copy, field.name).extend(value)
        elif field.message_type is not None:
            getattr(copy, field.name).CopyFrom(value)
        else:
            setattr(copy, field.name, value)
    for field, value in model.graph.ListFields():
        if field.name == "initializer":
            for tensor in value:
                copy_tensor(tensor, copy.graph.initializer.add(), changed)
        elif field.name == "node":
            for node in value:
                fresh = copy.graph.node.add()
                fresh.CopyFrom(node)
                if (
                    node.op_type == "Constant"
                    and node.attribute
                    and id(node.attribute[0].t) in changed
                ):
                    copy_tensor(node.attribute[0].t, fresh.attribute[0].t, changed)
        elif field.is_repeated:
            getattr(copy.graph, field.name).extend(value)
        else:
            setattr(copy.graph, field.name, value)
    return copy


def copy_tensor(
    tensor: onnx.TensorProto, fresh: onnx.TensorProto, changed: dict[int, Changed]
) -> None:
    """Copy a tensor, with other values where it gets some."""
    constant = changed.get(id(tensor))
    if constant is None:
        fresh.CopyFrom(tensor)
        return
    fresh.Clear()
    fresh.dims.extend(tensor.dims)
    fresh.data_type, fresh.name = tensor.data_type, tensor.name
    if tensor.doc_string:
        fresh.doc_string = tensor.doc_string
    data = np.ascontiguousarray(constant.values, "<f4").tobytes()
    constant.values = np.zeros(0, np.float32)  # so that large networks are not held once more
    fresh.raw_data = data
