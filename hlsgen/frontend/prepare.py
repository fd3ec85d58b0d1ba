"""From a network as it is taken in to one that can be imported: checked, at one opset, in float32,
with static shapes and nothing left that can be worked out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.element_types import (
    FLOAT,
    INTEGERS,
    OTHER_FLOATS,
    carry_integers,
    nodes_in_float32,
    to_float32,
    value_in_float32,
)
from hlsgen.frontend.hoist import hoist_transposes
from hlsgen.frontend.inputs import bind_shapes
from hlsgen.frontend.model import TARGET_OPSET, node_label, opset_of
from hlsgen.frontend.opset import check, convert, infer_shapes
from hlsgen.frontend.quantised_inputs import WHOLE, quantised_inputs
from hlsgen.frontend.resolve import Resolver, static_shape
from hlsgen.frontend.source import (
    LARGE_CONSTANT,
    STANDARD,
    Source,
    drop_dead,
    live_nodes,
    names_read,
)
from hlsgen.ops import onnx_importers
from hlsgen.ops.importing import type_name
from hlsgen.types import DataType

Shapes = Mapping[str, Sequence[int]]


@dataclass
class PreparedModel:
    """`nodes` in topological order, `constants` by name, `shapes` as far as they are known.

    `inputs` maps the names of the run-time inputs to their shapes, `integers` those that the
    network takes as integers and float32 carries to their types, `types` those that are feature
    maps of integers; `outputs` lists the names of the results. `refused`
    holds what is known to keep nodes from being built, by a node's first output. `labels` names
    nodes that the user's file lacks, by the same. `precision`: see `Graph`. `mixing`
    says why a fixed batch could not be taken image by image; `alone` is the network for one image
    of it all the same, where there is one, and `along` what is computed otherwise then: the nodes
    that work along the batch, and with an empty name those that read their results, by their first
    output.
    """

    nodes: list[onnx.NodeProto]
    constants: dict[str, np.ndarray]
    inputs: dict[str, tuple[int, ...]]
    integers: dict[str, int]
    outputs: list[str]
    shapes: dict[str, tuple[int, ...]]
    refused: dict[str, UnsupportedError]
    labels: dict[str, str]
    types: dict[str, DataType]
    opset: int
    origin: tuple[Source, Shapes]
    precision: tuple[str, ...] = ()
    mixing: str = field(default="")
    alone: PreparedModel | None = None
    along: Mapping[str, str] = field(default_factory=dict)

    def label(self, node: onnx.NodeProto) -> str:
        """How messages name a node."""
        return self.labels.get(next(iter(node.output), ""), node_label(node))


def walk_network(
    source: Source, shapes: Shapes
) -> tuple[onnx.ModelProto, Resolver, dict[str, tuple[int, ...]]]:
    """A network with these shapes of its inputs, still in ONNX's own words and types: a skeleton,
    the walk over it, whose nodes and constants are the network, and the run-time inputs. Raises
    ModelError or UnsupportedError."""
    skeleton, constants = onnx.ModelProto(), source.constants
    skeleton.CopyFrom(source.skeleton)
    inputs = bind_shapes(skeleton, constants, shapes)
    check(skeleton)
    labels: dict[str, str] = {}
    if opset_of(skeleton) < TARGET_OPSET:
        # The converter knows branches and shapes that are worked out less well than their results.
        walk = walked(skeleton, constants, inputs, labels, patient=True)
        skeleton = convert(assembled(skeleton, walk, inputs))
        added = {t.name: numpy_helper.to_array(t) for t in skeleton.graph.initializer}
        constants = {**added, **walk.constants}
    return skeleton, walked(skeleton, constants, inputs, labels, onnx_importers()), inputs


def resolved(source: Source, shapes: Shapes) -> PreparedModel:
    """A network with these shapes of its inputs, as it is. Raises ModelError or
    UnsupportedError."""
    skeleton, walk, inputs = walk_network(source, shapes)
    outputs = [output.name for output in skeleton.graph.output]
    ranks = {name: len(shape) for name, shape in inputs.items()}
    live = live_nodes(walk.nodes, outputs)
    walk.nodes = hoist_transposes(live, walk.constants, ranks, outputs)
    integers = {
        value.name: value.type.tensor_type.elem_type
        for value in skeleton.graph.input
        if value.name in inputs and value.type.tensor_type.elem_type in INTEGERS
    }
    types = {name: WHOLE[integers.pop(name)] for name in quantised_inputs(walk.nodes, integers)}
    precision = in_float32(skeleton, walk)
    refused = carry_integers(walk.nodes, integers, walk.label)
    skeleton = assembled(skeleton, walk, inputs)
    return PreparedModel(
        walk.nodes,
        walk.constants,
        inputs,
        integers,
        outputs,
        final_shapes(skeleton, walk, integers, refused),
        refused,
        walk.labels,
        types,
        opset_of(skeleton),
        (source, shapes),
        precision,
    )


def in_float32(skeleton: onnx.ModelProto, walk: Resolver) -> tuple[str, ...]:
    """Bring what a walk left to float32, in place. Returns the other types that the
    network computes in."""
    values = (*skeleton.graph.input, *skeleton.graph.output)
    found = nodes_in_float32(walk.nodes).union(*map(value_in_float32, values))
    for name in set().union(*map(names_read, walk.nodes)) & walk.constants.keys():
        array = walk.constants[name]
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        found |= {kind} & set(OTHER_FLOATS)
        walk.constants[name] = to_float32(array)
    return tuple(sorted(type_name(kind) for kind in found))


def final_shapes(
    skeleton: onnx.ModelProto, walk: Resolver, integers: Mapping[str, int], refused: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """All shapes that are known. Raises ModelError where they contradict each other."""
    if refused:  # it is told of these instead
        shapes = {name: static_shape(kind) for name, kind in walk.types.items()}
        return {name: shape for name, shape in shapes.items() if shape is not None}
    for value in skeleton.graph.input:
        if integers.get(value.name, TensorProto.BOOL) != TensorProto.BOOL:
            value.type.tensor_type.elem_type = FLOAT
    if integers:
        for value in skeleton.graph.output:
            value.ClearField("type")
    return infer_shapes(skeleton, contributed(walk))


def contributed(walk: Resolver) -> dict[str, onnx.TypeProto]:
    """The types of what operators that are not ONNX's give, as far as a walk found them out."""
    names = [name for node in walk.nodes if node.domain not in STANDARD for name in node.output]
    return {name: walk.types[name] for name in names if name in walk.types}


def walked(
    skeleton: onnx.ModelProto,
    constants: Mapping[str, np.ndarray],
    inputs: Collection[str],
    labels: Mapping[str, str],
    built: Collection[str] | None = None,
    patient: bool = False,
) -> Resolver:
    """The walk over a skeleton (see `Resolver`)."""
    types = {v.name: v.type for v in skeleton.graph.input if v.name in inputs}
    walk = Resolver(opset_of(skeleton), constants, types, labels, built, patient)
    walk.walk(skeleton.graph.node)
    return walk


def assembled(
    skeleton: onnx.ModelProto, walk: Resolver, inputs: Collection[str]
) -> onnx.ModelProto:
    """A skeleton of the nodes and constants that a walk left."""
    result = onnx.ModelProto()
    result.ir_version = skeleton.ir_version
    result.opset_import.extend(skeleton.opset_import)
    graph = result.graph
    graph.name = skeleton.graph.name
    graph.node.extend(walk.nodes)
    graph.input.extend(value for value in skeleton.graph.input if value.name in inputs)
    graph.output.extend(skeleton.graph.output)
    drop_dead(graph)
    read = {output.name for output in graph.output}.union(*map(names_read, graph.node))
    for name in sorted(read & walk.constants.keys()):
        array = walk.constants[name]
        if array.nbytes < LARGE_CONSTANT:
            graph.initializer.append(numpy_helper.from_array(array, name))
        else:
            kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(onnx.helper.make_tensor_value_info(name, kind, array.shape))
    return result
