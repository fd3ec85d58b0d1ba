"""Quantised networks before operators are fused: what stands between an operator and its
QuantizeLinear or DequantizeLinear, as onnxruntime moves or removes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper

from hlsgen.frontend.quantised_nodes import DEQUANTISE, QUANTISE, Nodes, Parameters
from hlsgen.ops.whole_numbers import MOVES
from hlsgen.quantised import limits, single
from hlsgen.types import TENSOR_TYPES, DataType

# Operators that onnxruntime moves QuantizeLinear and DequantizeLinear past.
PASSED = ("MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice")


def prepare_quantised(nodes: Nodes, inputs: Mapping[str, DataType]) -> None:
    """All of it, in place. `inputs`: those of the network that are integers."""
    join_pairs(nodes)
    give_zero_points(nodes, {name: kind.array for name, kind in inputs.items()})
    for node in nodes.nodes:
        if node.op_type in (QUANTISE, DEQUANTISE):
            nodes.parameters(node)
    skip_identities(nodes)
    join_bias(nodes)
    drop_implied(nodes)
    while move_back(nodes):
        pass
    while move_on(nodes):
        pass


def join_pairs(nodes: Nodes) -> None:
    """Of two pairs of QuantizeLinear and DequantizeLinear in a row, each with zero points that are
    given, one is left, for the values that both can hold."""
    for middle in [node for node in nodes.nodes if node.op_type == DEQUANTISE]:
        chain = pairs_around(nodes, middle)
        if not chain:
            continue
        first, _, following, last = chain
        joined = common(nodes.parameters(first), nodes.parameters(following))
        if joined is None:
            continue
        own = [nodes.constant(f"{first.output[0]}_{what}", value) for what, value in joined]
        for node in (first, last):
            del node.input[1:]
            node.input.extend(own)
        last.input[0] = first.output[0]
        nodes.replace(middle)
        nodes.replace(following)


def pairs_around(nodes: Nodes, middle: onnx.NodeProto) -> tuple[onnx.NodeProto, ...]:
    """Two pairs of which the first ends in a DequantizeLinear; empty where there are none, or
    something else reads in between."""
    readers = nodes.readers()
    first = nodes.producers().get(middle.input[0])
    following = nodes.only_reader(middle.output[0], readers)
    if first is None or following is None or following.op_type != QUANTISE:
        return ()
    last = nodes.only_reader(following.output[0], readers)
    if last is None or (first.op_type, last.op_type) != (QUANTISE, DEQUANTISE):
        return ()
    chain = (first, middle, following, last)
    alone = nodes.only_reader(first.output[0], readers) is middle
    given = all(len(node.input) > 2 and node.input[2] for node in chain)
    found = [nodes.parameters(node) for node in chain]
    return chain if alone and given and paired(found[:2]) and paired(found[2:]) else ()


def paired(found: Sequence[Parameters]) -> bool:
    """Whether a QuantizeLinear and a DequantizeLinear agree."""
    return found[0].same(found[1])


def common(one: Parameters, other: Parameters) -> tuple[tuple[str, np.ndarray], ...] | None:
    """Scale and zero point of what two pairs of one type can hold, as onnxruntime has them; None
    where there is none."""
    if one.zero.dtype != other.zero.dtype:
        return None
    if one.same(other):
        return (("scale", one.scale), ("zero_point", one.zero))
    least, most = limits(TENSOR_TYPES[str(one.zero.dtype)])
    low, high = (
        [single(limit - int(p.zero.ravel()[0])) * single(p.scale.ravel()[0]) for p in (one, other)]
        for limit in (least, most)
    )
    scale = (min(high) - max(low)) / single(most - least)
    if not scale > 0:
        return None
    exact = single(least) - max(low) / scale
    zero = np.trunc(exact + np.copysign(single(0.5), exact))
    return (("scale", np.asarray(scale)), ("zero_point", np.asarray(zero, one.zero.dtype)))


def give_zero_points(nodes: Nodes, kinds: dict[str, str]) -> None:
    """A DequantizeLinear without a zero point gets one of the type that it reads. `kinds`: numpy's
    names of the types of integers, which grow by those of results."""
    for node in nodes.nodes:
        kind = kinds.get(node.input[0]) if node.input else None
        if node.op_type == QUANTISE:
            kinds[node.output[0]] = str(nodes.parameters(node).zero.dtype)
        elif node.op_type == DEQUANTISE and kind and not any(node.input[2:]):
            zero = np.zeros_like(nodes.parameters(node).scale, kind)
            del node.input[2:]
            node.input.append(nodes.constant(f"{node.output[0]}_zero_point", zero))
        elif kind and node.op_type in (*PASSED, *MOVES):
            kinds |= dict.fromkeys(filter(None, node.output), kind)


def skip_identities(nodes: Nodes) -> None:
    """Identity gives its input another name."""
    for node in [node for node in nodes.nodes if node.op_type == "Identity"]:
        if node.output[0] not in nodes.outputs:
            nodes.replace(node)
            nodes.rename(node.output[0], node.input[0])


def join_bias(nodes: Nodes) -> None:
    """MatMul by a matrix, and Add of a constant vector, are a Gemm."""
    readers, producers = nodes.readers(), nodes.producers()
    for node in [node for node in nodes.nodes if node.op_type == "MatMul"]:
        add = nodes.only_reader(node.output[0], readers)
        weight = producers.get(node.input[1])
        if add is None or add.op_type != "Add" or weight is None or weight.op_type != DEQUANTISE:
            continue
        other = next((name for name in add.input if name != node.output[0]), "")
        bias, shape = nodes.constants.get(other), nodes.shapes.get(node.input[0], ())
        matrix = nodes.constants.get(weight.input[0])
        if bias is None or matrix is None or matrix.ndim != 2 or len(shape) != 2:
            continue
        if bias.ndim == 1 and len(bias) == matrix.shape[1]:
            inputs = [*node.input, other]
            joined = helper.make_node("Gemm", inputs, list(add.output), node.name or add.name)
            nodes.replace(add, joined)
            nodes.replace(node)


def drop_implied(nodes: Nodes) -> None:
    """Relu and Clip go where the QuantizeLinear behind them clips as much."""
    for target in [node for node in nodes.nodes if node.op_type == QUANTISE]:
        producers, readers = nodes.producers(), nodes.readers()
        node = producers.get(target.input[0])
        alone = node is not None and nodes.only_reader(node.output[0], readers) is target
        if node is not None and alone and implied(nodes, node, target):
            nodes.replace(node)
            target.input[0] = node.input[0]


def implied(nodes: Nodes, node: onnx.NodeProto, target: onnx.NodeProto) -> bool:
    """Whether a Relu or Clip keeps all values that a QuantizeLinear can tell apart."""
    found = nodes.parameters(target)
    if not found.single or node.op_type not in ("Relu", "Clip"):
        return False
    kind = TENSOR_TYPES[str(found.zero.dtype)]
    zero, scale = int(found.zero.ravel()[0]), single(found.scale.ravel()[0])
    low, high = (single(limit - zero) * scale for limit in limits(kind))
    if node.op_type == "Relu":
        return bool(low >= 0)
    bounds = [nodes.constants.get(name) if name else None for name in node.input[1:3]]
    if any(name and bound is None for name, bound in zip(node.input[1:3], bounds, strict=True)):
        return False
    least, most = (*bounds, None, None)[:2]
    return bool((least is None or least <= low) and (most is None or most >= high))


def move_back(nodes: Nodes) -> bool:
    """A QuantizeLinear behind an operator that moves values goes before it, where nothing else
    reads in between; whether there was one."""
    producers, readers = nodes.producers(), nodes.readers()
    for target in nodes.nodes:
        node = producers.get(target.input[0]) if target.op_type == QUANTISE else None
        if node is None or node.op_type not in PASSED or not nodes.parameters(target).single:
            continue
        before = producers.get(node.input[0])
        if before is None or before.op_type in (DEQUANTISE, QUANTISE):
            continue
        alone = nodes.only_reader(node.output[0], readers) is target
        if alone and nodes.only_reader(node.input[0], readers) is node:
            moved, result = nodes.fresh(f"{node.input[0]}_quantised"), target.output[0]
            target.input[0], target.output[0] = node.input[0], moved
            node.input[0], node.output[0] = moved, result
            return True
    return False


def move_on(nodes: Nodes) -> bool:
    """A DequantizeLinear before an operator that moves values goes behind it; whether there was
    one."""
    producers, readers = nodes.producers(), nodes.readers()
    for node in nodes.nodes:
        source = producers.get(node.input[0]) if node.op_type in PASSED and node.input else None
        if source is None or source.op_type != DEQUANTISE or not nodes.parameters(source).single:
            continue
        following = nodes.only_reader(node.output[0], readers)
        if following is not None and following.op_type == QUANTISE:
            continue  # a group of its own
        moved, given = nodes.fresh(f"{node.output[0]}_quantised"), node.output[0]
        behind = helper.make_node(DEQUANTISE, [moved, *source.input[1:]], [given], source.name)
        behind.attribute.extend(source.attribute)
        node.input[0], node.output[0] = source.input[0], moved
        nodes.replace(node, node, behind)
        return True
    return False
