"""A network in ONNX's own words with nothing left open: one image, static shapes, float32. Parts of
it are models that onnxruntime runs and that `load` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from hlsgen.frontend.element_types import FLOAT, OTHER_FLOATS
from hlsgen.frontend.prepare import PreparedModel, in_float32, walk_network
from hlsgen.frontend.resolve import static_shape
from hlsgen.frontend.source import UNKNOWN_DOMAIN, live_nodes, names_read
from hlsgen.ops.importing import LARGEST_TENSOR


@dataclass(frozen=True)
class StaticNetwork:
    """`nodes` in topological order and their `constants`; `types` of values as far as they are
    known. `opsets` and `ir_version` are the model's."""

    nodes: tuple[onnx.NodeProto, ...]
    constants: Mapping[str, np.ndarray]
    types: Mapping[str, onnx.TypeProto]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opsets: tuple[onnx.OperatorSetIdProto, ...]
    ir_version: int

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a value; None where it is not known in full."""
        if name in self.constants:
            return self.constants[name].shape
        return static_shape(self.types.get(name))

    def element_type(self, name: str) -> int:
        """ONNX's number of the type of a value's elements; 0 where it is not known."""
        kind = self.types.get(name)
        return TensorProto.UNDEFINED if kind is None else int(kind.tensor_type.elem_type)

    def crosses(self, name: str) -> bool:
        """Whether a value can go from the host to a design, or back: float32 of a static shape that
        a design can hold."""
        shape = self.shape(name)
        return (
            self.element_type(name) == FLOAT
            and shape is not None
            and min(shape, default=0) > 0
            and prod(shape) <= LARGEST_TENSOR
        )

    def part(
        self, nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], name: str
    ) -> onnx.ModelProto:
        """A model of some of the nodes, whose inputs are what they lack."""
        graph = onnx.GraphProto(name=name)
        graph.node.extend(map(spelt, nodes))
        written = {result for node in nodes for result in node.output}
        read = set(outputs).union(*map(names_read, nodes)) - written
        graph.input.extend(
            self.value_info(value) for value in self.types if value in read - self.constants.keys()
        )
        graph.initializer.extend(
            numpy_helper.from_array(self.constants[value], value)
            for value in sorted(read & self.constants.keys())
        )
        graph.output.extend(self.value_info(value) for value in outputs)
        return onnx.helper.make_model(
            graph, opset_imports=self.opsets, ir_version=self.ir_version, producer_name="hlsgen"
        )

    def value_info(self, name: str) -> onnx.ValueInfoProto:
        """A value as inputs and outputs of models declare it."""
        return onnx.ValueInfoProto(name=name, type=self.types.get(name))


def spelt(node: onnx.NodeProto) -> onnx.NodeProto:
    """A node of an operator that its opset lacks in the domain in which the user's file has it."""
    if node.domain != UNKNOWN_DOMAIN:
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.domain = ""
    return copy


def static_network(network: PreparedModel) -> StaticNetwork:
    """The network that a prepared one was made of. Raises what `walk_network` raises."""
    skeleton, walk, inputs = walk_network(*network.origin)
    in_float32(skeleton, walk)
    outputs = tuple(output.name for output in skeleton.graph.output)
    types = {name: type_in_float32(kind) for name, kind in walk.types.items()}
    for output in skeleton.graph.output:  # the file may tell the rank of what no inference can
        found = types.get(output.name)
        if found is None or not found.tensor_type.HasField("shape"):
            types[output.name] = type_in_float32(output.type)
    opsets = [o for o in skeleton.opset_import if o.domain != UNKNOWN_DOMAIN]
    return StaticNetwork(
        tuple(live_nodes(walk.nodes, outputs)),
        walk.constants,
        types,
        tuple(inputs),
        outputs,
        tuple(opsets),
        skeleton.ir_version,
    )


def type_in_float32(kind: onnx.TypeProto) -> onnx.TypeProto:
    """A type with float32 in place of another floating-point type."""
    if kind.tensor_type.elem_type not in OTHER_FLOATS:
        return kind
    result = onnx.TypeProto()
    result.CopyFrom(kind)
    result.tensor_type.elem_type = FLOAT
    return result
