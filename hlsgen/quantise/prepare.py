"""A float network as onnxruntime's quantiser wants it: BatchNormalization folded, names given,
averages of windows as convolutions, a bias wherever one can be corrected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from hlsgen.errors import ModelError
from hlsgen.files import Scratch
from hlsgen.frontend.model import first_line, opset_of
from hlsgen.onnxruntime_session import runtime

# DequantizeLinear has an axis, which weights a channel need, from here on.
OPSET = 13
QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger"}


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the network that computes the same. Raises ModelError."""
    found = {node.op_type for node in model.graph.node if node.op_type in QUANTISED}
    if found:
        raise ModelError(
            f"it is quantised already (it has {', '.join(sorted(found))})",
            where="model",
            remedy="quantise the float network, or build this one as it is",
        )
    if opset_of(model) < OPSET:
        model = converted(model)
    model = simplified(model)
    name_nodes(model.graph)
    average_by_convolution(model)
    add_biases(model.graph)
    return model


def converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network in the opset that quantised weights need. Raises ModelError."""
    try:
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter raises what its C++ throws
        raise ModelError(
            f"opset {opset_of(model)} cannot be raised to {OPSET} ({first_line(error)})",
            where="model",
            remedy=f"export it with opset {OPSET} or later",
        ) from None


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network after onnxruntime's basic optimisations, which fold BatchNormalization and
    constants. Raises ModelError."""
    onnxruntime = runtime()
    with Scratch() as folder:
        path = Path(folder) / "simplified.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises kinds of its own
            raise ModelError(
                f"onnxruntime cannot run it ({first_line(error)})", where="model"
            ) from None
        return onnx.load(path)


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name of its own: the quantiser is told of nodes by name."""
    seen: set[str] = set()
    for index, node in enumerate(graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.name or node.op_type}_{index}"
        seen.add(node.name)


def average_by_convolution(model: onnx.ModelProto) -> None:
    """An AveragePool whose windows all hold as many values becomes a depthwise Conv: onnxruntime
    adds up averages of integers in float32, which takes much logic, but convolutions in
    integers."""
    graph = model.graph
    channels = {value.name: channels_of(value) for value in inferred(model)}
    for node in graph.node:
        count = channels.get(node.input[0], 0) if counts_evenly(node) else 0
        if not count:
            continue
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        window = given["kernel_shape"]
        weight = np.full((count, 1, *window), 1 / np.prod(window), np.float32)
        kept = {name: given[name] for name in ("pads", "strides", "dilations") if name in given}
        made = onnx.helper.make_node(
            "Conv",
            [node.input[0], added(graph, f"{node.name}_weight", weight)],
            node.output,
            node.name,
            kernel_shape=window,
            group=count,
            **kept,
        )
        node.CopyFrom(made)


def added(graph: onnx.GraphProto, name: str, array: np.ndarray) -> str:
    """Add a constant, under a name that nothing else has. Returns that."""
    taken = {t.name for t in graph.initializer} | {value.name for value in graph.input}
    taken.update(*(node.output for node in graph.node))
    while name in taken:
        name += "_"
    graph.initializer.append(numpy_helper.from_array(array, name))
    return name


def inferred(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """All values whose shapes are known."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return [*graph.input, *graph.value_info]


def channels_of(value: onnx.ValueInfoProto) -> int:
    """The second dimension of a value; 0 where it is not known."""
    dimensions = value.type.tensor_type.shape.dim
    return int(dimensions[1].dim_value) if len(dimensions) > 1 else 0


def counts_evenly(node: onnx.NodeProto) -> bool:
    """Whether a node averages over windows that all hold as many values."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type != "AveragePool" or given.get("ceil_mode", 0):
        return False
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return False
    return not any(given.get("pads", ())) or bool(given.get("count_include_pad", 0))


def add_biases(graph: onnx.GraphProto) -> None:
    """A bias of zeros for every convolution with constant weights that has none."""
    shapes = {t.name: tuple(t.dims) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 2 and node.input[1] in shapes:
            bias = np.zeros(shapes[node.input[1]][0], np.float32)
            node.input.append(added(graph, f"{node.name}_bias", bias))
