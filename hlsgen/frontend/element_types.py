"""One element type for the whole network: half, bfloat16 and double become float32, integers that
are handed in are carried by float32 up to the cast that makes floating-point numbers of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from hlsgen.errors import UnsupportedError
from hlsgen.ops.importing import type_name
from hlsgen.ops.whole_numbers import moves_whole_numbers, works_on_truth

FLOAT = TensorProto.FLOAT
# Floating-point types that become float32.
OTHER_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
# Integer types of inputs. float32 holds whole numbers up to 2^24.
INTEGERS = (
    TensorProto.BOOL,
    TensorProto.UINT8,
    TensorProto.INT8,
    TensorProto.UINT16,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
)
# Attributes that name an element type.
TYPE_ATTRIBUTES = ("to", "dtype")
FLOAT_MAX = float(np.finfo(np.float32).max)


def to_float32(array: np.ndarray) -> np.ndarray:
    """A constant of any floating-point type in float32; finite numbers stay finite, others are
    returned as they are."""
    if array.dtype == np.float32 or not is_float(array.dtype):
        return array
    with np.errstate(over="ignore"):
        values: np.ndarray = array.astype(np.float32)
    beyond = np.isinf(values) & np.isfinite(array)
    return np.where(beyond, np.copysign(np.float32(FLOAT_MAX), values), values)


def is_float(dtype: np.dtype) -> bool:
    """Whether a numpy type is one of ONNX's floating-point types that networks compute in."""
    return onnx.helper.np_dtype_to_tensor_dtype(dtype) in (FLOAT, *OTHER_FLOATS)


def nodes_in_float32(nodes: Iterable[onnx.NodeProto]) -> set[int]:
    """Have nodes name and hold float32 in place of other floating-point types, in place. Returns
    the types that were there."""
    found = set()
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in TYPE_ATTRIBUTES and attribute.i in OTHER_FLOATS:
                found.add(attribute.i)
                attribute.i = FLOAT
            if attribute.t.data_type in OTHER_FLOATS:
                found.add(attribute.t.data_type)
                array = to_float32(numpy_helper.to_array(attribute.t))
                attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))
            for graph in (attribute.g, *attribute.graphs):
                found |= nodes_in_float32(graph.node)
    return found


def value_in_float32(value: onnx.ValueInfoProto) -> set[int]:
    """Have an input or output declare float32 in place of another floating-point type, in place.
    Returns the type that was there."""
    tensor = value.type.tensor_type
    kind = tensor.elem_type
    if kind not in OTHER_FLOATS:
        return set()
    tensor.elem_type = FLOAT
    return {kind}


def holds(target: int, kind: int) -> bool:
    """Whether an integer type holds all numbers of another."""
    of = onnx.helper.tensor_dtype_to_np_dtype
    return target in INTEGERS and bool(np.can_cast(of(kind), of(target)))


def model_in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a model with float32 in place of other floating-point types."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    nodes_in_float32(graph.node)
    for function in result.functions:
        nodes_in_float32(function.node)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value_in_float32(value)
    for tensor in graph.initializer:
        if tensor.data_type in OTHER_FLOATS:
            array = to_float32(numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return result


def carry_integers(
    nodes: Iterable[onnx.NodeProto],
    inputs: Mapping[str, int],
    label: Callable[[onnx.NodeProto], str],
) -> dict[str, UnsupportedError]:
    """Have casts of integer inputs, given with their types, do nothing, in place: float32 carries
    the numbers already. Truth values stay what they are: operators know them.

    Returns the refusals of nodes that compute with integers, by the node's first output. `label`
    names a node in messages.
    """
    kinds, origin = dict(inputs), {name: name for name in inputs}
    refused = {}
    for node in nodes:
        read = [name for name in node.input if name in kinds]
        if not read:
            continue
        kind = kinds[read[0]]
        if kind == TensorProto.BOOL and works_on_truth(node):
            continue
        if node.op_type == "Cast":
            target = next(a.i for a in node.attribute if a.name == "to")
            if target == FLOAT or holds(target, kind):
                source, result = node.input[0], node.output[0]
                node.CopyFrom(onnx.helper.make_node("Identity", [source], [result], node.name))
                if target != FLOAT:
                    kinds[result], origin[result] = target, origin[source]
                continue
        elif moves_whole_numbers(node, set(kinds)):
            kinds |= dict.fromkeys(filter(None, node.output), kind)
            origin |= dict.fromkeys(filter(None, node.output), origin[read[0]])
            continue
        refused[node.output[0]] = UnsupportedError(
            f"it computes with numbers of type {type_name(kind)} (input {origin[read[0]]})",
            where=label(node),
            remedy="cast the input to float32 before anything is computed of it",
            needs_constant=[origin[name] for name in read],
        )
    return refused
