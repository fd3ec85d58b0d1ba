"""Quantised networks: operators between DequantizeLinear and QuantizeLinear become operators on
integers, exactly where onnxruntime fuses them; what is left stays float between the two.

The rules were found by looking at what onnxruntime (1.32, level EXTENDED, int8 activations allowed)
makes of networks; a test compares operator by operator.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import onnx
from onnx import helper

from hlsgen.frontend.fold_constants import NOT_FOLDED, QUANTISED, evaluate
from hlsgen.frontend.prepare import PreparedModel
from hlsgen.frontend.propagate_quantised import prepare_quantised
from hlsgen.frontend.quantised_nodes import DEQUANTISE, MAPS, QUANTISE, Nodes, Parameters
from hlsgen.frontend.source import STANDARD
from hlsgen.quantised import single

CONTRIBUTED = "com.microsoft"
# Scale of a bias, relative to the product of the scales of input and weight, that passes as equal.
BIAS_TOLERANCE = 0.0101
UNSIGNED, SIGNED = MAPS
# A Softmax is over one axis from this opset on, to which networks are brought.
AXIS_OPSET = 13
# Operators whose float weights onnxruntime rounds by itself between integers.
ROUNDED = ("Conv", "Gemm")


def fuse_quantised(model: PreparedModel) -> None:
    """Rewrites the nodes of a prepared model in place. Raises UnsupportedError for parameters that
    are not constant, and types other than uint8 and int8."""
    if not any(node.op_type in (QUANTISE, DEQUANTISE) for node in model.nodes):
        return
    nodes = Nodes(model.nodes, model.constants, model.outputs, model.shapes)
    prepare_quantised(nodes, model.types)
    model.nodes = nodes.ordered()
    fold_again(model, QUANTISED)
    nodes = Nodes(model.nodes, model.constants, model.outputs, model.shapes)
    for node in list(nodes.nodes):
        if node.op_type in FUSERS:
            Group(nodes, node).fuse()
    model.nodes = nodes.ordered()
    fold_again(model)


def fold_again(model: PreparedModel, kept: Collection[str] = ()) -> None:
    """Evaluates what is constant now, in place, but for operators among `kept`."""
    remaining = []
    for node in model.nodes:
        known = all(name in model.constants for name in node.input if name)
        if known and node.domain in STANDARD and node.op_type not in (*NOT_FOLDED, *kept):
            model.constants.update(evaluate(node, model.constants, model.opset))
        else:
            remaining.append(node)
    model.nodes = remaining


class Group:
    """A node, the DequantizeLinear nodes that it reads and the QuantizeLinear that alone reads
    it."""

    def __init__(self, nodes: Nodes, node: onnx.NodeProto):
        self.nodes, self.node = nodes, node
        producers, readers = nodes.producers(), nodes.readers()
        given = [producers.get(name) for name in node.input]
        self.sources = [n if n is not None and n.op_type == DEQUANTISE else None for n in given]
        reader = nodes.only_reader(node.output[0], readers)
        self.target = reader if reader is not None and reader.op_type == QUANTISE else None

    def fuse(self) -> None:
        """Puts an operator on integers in the place of the group, where there is one."""
        FUSERS[self.node.op_type](self)

    # ---- what is given

    def source(self, place: int) -> onnx.NodeProto | None:
        """The DequantizeLinear at an input."""
        return self.sources[place] if place < len(self.sources) else None

    def parameters(self, place: int) -> Parameters | None:
        """Those of the DequantizeLinear at an input."""
        source = self.source(place)
        return None if source is None else self.nodes.parameters(source)

    def map_type(self, place: int) -> str:
        """The integer type of an input with one scale; "" of others."""
        found = self.parameters(place)
        named = found is not None and found.single and str(found.zero.dtype) in MAPS
        return str(found.zero.dtype) if found is not None and named else ""

    @property
    def result_type(self) -> str:
        """The integer type of the result, "" where it is not quantised with one scale."""
        if self.target is None:
            return ""
        found = self.nodes.parameters(self.target)
        return str(found.zero.dtype) if found.single else ""

    def values(self, place: int) -> np.ndarray | None:
        """The integers of a constant input."""
        source = self.source(place)
        return None if source is None else self.nodes.constants.get(source.input[0])

    def has(self, place: int) -> bool:
        """Whether the node has an input there."""
        return place < len(self.node.input) and bool(self.node.input[place])

    def attribute(self, name: str, default: float) -> float:
        """A number among the node's attributes."""
        found = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        return float(found.get(name, default))

    # ---- what is made

    def triple(self, place: int) -> list[str]:
        """Integers, scale and zero point of an input."""
        source = self.source(place)
        assert source is not None
        return [source.input[0], *self.pair(source)]

    def pair(self, node: onnx.NodeProto) -> list[str]:
        """Scale and zero point of a QuantizeLinear or DequantizeLinear, by name."""
        if len(node.input) > 2 and node.input[2]:
            return list(node.input[1:3])
        zero = self.nodes.parameters(node).zero
        return [node.input[1], self.nodes.constant(f"{node.output[0]}_zero_point", zero)]

    def result(self) -> list[str]:
        """Scale and zero point of the result."""
        assert self.target is not None
        return self.pair(self.target)

    def becomes(self, op_type: str, inputs: list[str], domain: str = "", **attributes: int) -> None:
        """An operator that takes the place of node and QuantizeLinear."""
        output = (self.target or self.node).output[0]
        made = helper.make_node(op_type, inputs, [output], self.node.name, domain=domain)
        made.attribute.extend(self.node.attribute)
        made.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.replace(self.node, made)
        if self.target is not None:
            self.nodes.replace(self.target)


def fuse_conv(group: Group) -> None:
    """Conv with constant weights, one scale in all or one a filter, and an int32 bias or a float
    one, which is rounded."""
    weight = weights_of(group, 0)
    if weight is None or not group.result_type or group.map_type(0) != group.result_type:
        return
    bias = bias_of(group, weight)
    if bias is not None:
        group.becomes("QLinearConv", [*group.triple(0), *weight, *group.result(), *bias])


def weights_of(group: Group, axis: int) -> list[str] | None:
    """Integers, scale and zero point of a weight, the second input; None for types that
    onnxruntime has no kernel for."""
    given, found, values = group.map_type(0), group.parameters(1), group.values(1)
    rounds = group.target is not None and group.node.op_type in ROUNDED
    if given and rounds and group.node.input[1] in group.nodes.constants:
        return rounded_weight(group)
    if not given or found is None or values is None or str(values.dtype) not in MAPS:
        return None
    fits = found.single or (found.axis % values.ndim == axis and found.scale.ndim == 1)
    known = given == UNSIGNED or str(values.dtype) == SIGNED
    return group.triple(1) if fits and known else None


def rounded_weight(group: Group) -> list[str]:
    """A float weight as onnxruntime rounds it: to int8, with one scale and a zero point of its
    own."""
    name = group.node.input[1]
    values = group.nodes.constants[name].astype(single)
    low, high = min(values.min(), single(0)), max(values.max(), single(0))
    scale = single((high - low) / single(255)) or single(1)
    zero = np.clip(np.rint(single(-128) - low / scale), -128, 127)
    rounded = np.clip(np.rint(values / scale) + zero, -128, 127).astype(np.int8)
    made = (("rounded", rounded), ("scale", scale), ("zero_point", np.int8(zero)))
    return [group.nodes.constant(f"{name}_{what}", np.asarray(value)) for what, value in made]


def bias_of(group: Group, weight: list[str]) -> list[str] | None:
    """The int32 bias, in a list that is empty where there is none; None where it cannot be had."""
    if not group.has(2):
        return []
    found = group.parameters(0)
    assert found is not None
    product = single(found.scale.ravel()[0]) * group.nodes.constants[weight[1]].ravel()
    given = group.nodes.constants.get(group.node.input[2])
    if given is not None:
        sums = np.rint(given.astype(single).ravel() / product)
        kept = np.clip(sums.astype(np.float64), -(2.0**31), 2.0**31 - 1).astype(np.int32)
        return [group.nodes.constant(f"{group.node.output[0]}_bias", kept)]
    source, own = group.source(2), group.parameters(2)
    if source is None or own is None or own.zero.any() or group.values(2) is None:
        return None
    off = np.abs(own.scale.ravel() - product)
    return [source.input[0]] if (off <= BIAS_TOLERANCE * product).all() else None


def fuse_gemm(group: Group) -> None:
    """Gemm; without a QuantizeLinear behind it the result is float."""
    transposed = bool(group.attribute("transB", 0))
    weight = weights_of(group, 0 if transposed else 1)
    if weight is None or (group.target is not None and group.map_type(0) != group.result_type):
        return
    if group.has(2) and group.attribute("beta", 1.0) != 1.0:
        return
    if group.target is None and group.has(2) and group.source(2) is None:
        return
    bias = bias_of(group, weight)
    if bias is None:
        return
    inputs = [*group.triple(0), *weight, *(bias or [""])]
    group.becomes("QGemm", [*inputs, *(group.result() if group.target else [])], CONTRIBUTED)


def fuse_matmul(group: Group) -> None:
    """MatMul by a constant; without a QuantizeLinear behind it the result is float."""
    values = group.values(1)
    weight = weights_of(group, values.ndim - 1) if values is not None else None
    if weight is None:
        return
    if group.target is None:
        x, scale, zero = group.triple(0)
        inputs = [x, weight[0], scale, weight[1], zero, weight[2]]
        group.becomes("MatMulIntegerToFloat", inputs, CONTRIBUTED)
    elif group.map_type(0) == group.result_type:
        group.becomes("QLinearMatMul", [*group.triple(0), *weight, *group.result()])


def fuse_binary(group: Group) -> None:
    """Add and Mul of two quantised values."""
    kinds = {group.map_type(0), group.map_type(1), group.result_type}
    if len(kinds) == 1 and "" not in kinds:
        inputs = [*group.triple(0), *group.triple(1), *group.result()]
        group.becomes(f"QLinear{group.node.op_type}", inputs, CONTRIBUTED)


def fuse_unary(group: Group) -> None:
    """Functions of one value, and averages."""
    if group.result_type and group.map_type(0) == group.result_type:
        inputs = [*group.triple(0), *group.result()]
        group.becomes(f"QLinear{group.node.op_type}", inputs, CONTRIBUTED)


def fuse_softmax(group: Group) -> None:
    """Softmax over one axis."""
    if group.result_type and group.map_type(0) == group.result_type:
        inputs = [*group.triple(0), *group.result()]
        group.becomes("QLinearSoftmax", inputs, CONTRIBUTED, opset=AXIS_OPSET)


def fuse_concat(group: Group) -> None:
    """Concat of quantised values of one type."""
    kinds = {group.map_type(place) for place in range(len(group.node.input))}
    if kinds == {group.result_type} and group.result_type:
        parts = [name for place in range(len(group.node.input)) for name in group.triple(place)]
        group.becomes("QLinearConcat", [*group.result(), *parts], CONTRIBUTED)


def fuse_movement(group: Group) -> None:
    """What moves values, or takes the largest, works on integers; where scales differ the values
    are rescaled behind it, which gives the same."""
    source = group.source(0)
    if source is None or group.target is None or not group.map_type(0) or not group.result_type:
        return
    if nearest(group.node):
        target, node = group.target, group.node
        given, wanted = group.nodes.parameters(source), group.nodes.parameters(target)
        moved = onnx.NodeProto()
        moved.CopyFrom(node)
        moved.input[0] = source.input[0]
        if given.same(wanted):
            moved.output[0] = target.output[0]
            group.nodes.replace(target)
            group.nodes.replace(node, moved)
            return
        moved.output[0] = group.nodes.fresh(f"{node.output[0]}_quantised")
        back = helper.make_node(DEQUANTISE, [moved.output[0], *group.pair(source)], node.output[:1])
        group.nodes.replace(node, moved, back)


def nearest(node: onnx.NodeProto) -> bool:
    """Whether a node computes no new values: of Resize the mode decides."""
    mode = next((a.s for a in node.attribute if a.name == "mode"), b"nearest")
    return node.op_type != "Resize" or mode == b"nearest"


MOVEMENTS = (
    "MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Gather", "Slice",
    "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Resize",
)  # fmt: skip
FUSERS: Mapping[str, Callable[[Group], None]] = {
    "Conv": fuse_conv,
    "Gemm": fuse_gemm,
    "MatMul": fuse_matmul,
    "Concat": fuse_concat,
    "Softmax": fuse_softmax,
    **dict.fromkeys(("Add", "Mul"), fuse_binary),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid"), fuse_unary),
    **dict.fromkeys(MOVEMENTS, fuse_movement),
}
