"""One walk over a network that leaves nothing to find out: constants are folded and shapes inferred
node by node, so that what a shape decides is decided before the next node is looked at.

A chain such as Shape, Gather, Concat, Reshape is gone when the walk comes to its end; `If` with a
condition that is known then gives way to its branch, and an operator that hlsgen does not build to
its definition in ONNX, where it has one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.errors import ModelError
from hlsgen.frontend.contributed_types import contributed_types
from hlsgen.frontend.fold_constants import NOT_FOLDED, QUANTISED, evaluate
from hlsgen.frontend.model import node_label
from hlsgen.frontend.refusals import REASONS
from hlsgen.frontend.sequences import Sequences
from hlsgen.frontend.source import LARGE_CONSTANT, STANDARD
from hlsgen.frontend.splice import body_nodes, copies, function_nodes
from hlsgen.ops.normalise import KEEPS_SHAPE

# Turns of a Loop beyond which it is left alone.
MOST_TURNS = 1 << 10

Types = dict[str, onnx.TypeProto]


class Resolver:
    """The state of a walk: `nodes` that remain, `constants` and `types` by value name.

    `built` are operators that stay as they are; others give way to their definitions, unless it is
    None. `labels` names the node of the user's file, by the results of what it gave way to.
    `patient`: nodes that cannot be evaluated at this opset stay, for another walk.
    """

    def __init__(
        self,
        version: int,
        constants: Mapping[str, np.ndarray],
        types: Types,
        labels: Mapping[str, str],
        built: Collection[str] | None = None,
        patient: bool = False,
    ):
        self.version, self.built, self.patient = version, built, patient
        self.constants, self.types = dict(constants), dict(types)
        self.labels = dict(labels)
        self.nodes: list[onnx.NodeProto] = []
        self.sequences = Sequences(
            version, self.constants.get, self.shape, self.constants.__setitem__
        )

    def walk(self, nodes: Iterable[onnx.NodeProto]) -> None:
        """Go through nodes in topological order."""
        for node in nodes:
            if not (self.measured(node) or self.folded(node) or self.opened(node)):
                self.nodes.append(node)
                self.types.update(self.inferred(node))

    def measured(self, node: onnx.NodeProto) -> bool:
        """Whether a node asks for a shape that is known: then its result is a constant now."""
        if node.op_type not in ("Shape", "Size") or node.domain not in STANDARD:
            return False
        dims = self.shape(node.input[0])
        if dims is None:
            return False
        attributes = {a.name: a.i for a in node.attribute}
        shape = np.array(dims, np.int64)
        self.constants[node.output[0]] = (
            np.array(np.prod(shape), np.int64)
            if node.op_type == "Size"
            else shape[attributes.get("start", 0) : attributes.get("end", len(dims))]
        )
        return True

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a value; None where it is not known in full."""
        if name in self.constants:
            return self.constants[name].shape
        return static_shape(self.types.get(name))

    def folded(self, node: onnx.NodeProto) -> bool:
        """Whether a node's inputs are all known: then its results are constants now."""
        if (
            node.domain not in STANDARD
            or node.op_type in NOT_FOLDED
            or node.op_type in QUANTISED
            or not all(name in self.constants for name in node.input if name)
        ):
            return False
        shapes = filter(None, map(static_shape, self.inferred(node).values()))
        try:
            found = evaluate(node, self.constants, self.version, shapes)
        except ModelError:
            if not self.patient:
                raise
            return False
        self.constants.update(found)
        return True

    def opened(self, node: onnx.NodeProto) -> bool:
        """Whether a node gave way to a body of its own, which was walked through."""
        if node.domain not in STANDARD:
            return False
        if node.op_type == "Loop":
            return self.unrolled(node)
        if node.op_type == "If":
            condition = self.constants.get(node.input[0])
            if condition is None:
                return False
            wanted = "then_branch" if condition.any() else "else_branch"
            (graph,) = (a.g for a in node.attribute if a.name == wanted)
            body, constants, results = body_nodes(graph, node.output[0], {})
            self.constants.update(constants)
            body += copies(results, node.output)
        elif (of_lists := self.sequences.nodes(node)) is not None:
            self.walk(of_lists)
            return True
        elif node.op_type == "CastLike":
            kind = self.type_of(node.input[1])
            if kind is None:
                return False
            to = kind.tensor_type.elem_type
            body = [onnx.helper.make_node("Cast", node.input[:1], node.output[:], node.name, to=to)]
        elif self.built is None or node.op_type in self.built or node.op_type in REASONS:
            return False
        else:
            body = function_nodes(node, self.version, self.input_types(node))
            for inner in body:
                inner.name = f"{node.name or node.output[0]}/{inner.op_type}"
                self.labels[inner.output[0]] = (
                    f"{self.label(node)}, whose definition needs {inner.op_type}"
                )
        self.walk(body)
        return bool(body)

    def unrolled(self, node: onnx.NodeProto) -> bool:
        """Whether a Loop gave way to its turns: how many there are must be known."""
        trips, condition, *carried = node.input
        (graph,) = (a.g for a in node.attribute if a.name == "body")
        limit = self.constants.get(trips) if trips else np.array(MOST_TURNS + 1)
        goes_on: np.ndarray | None = self.constants.get(condition, np.array(not condition))
        if limit is None or (condition and condition not in self.constants):
            return False
        before, scanned, turn = len(self.nodes), [], 0
        while turn < limit and goes_on is not None and goes_on.any() and turn <= MOST_TURNS:
            number, always = f"{node.output[0]}/turn{turn}", f"{node.output[0]}/always"
            self.constants |= {number: np.array(turn, np.int64), always: np.array(True)}
            inputs = [value.name for value in graph.input]
            given = dict(zip(inputs, (number, always, *carried), strict=True))
            body, constants, results = body_nodes(graph, number, given)
            self.constants.update(constants)
            self.walk(body)
            goes_on = self.constants.get(results[0])
            carried = results[1 : 1 + len(carried)]
            scanned.append(results[1 + len(carried) :])
            turn += 1
        known = turn == limit or (goes_on is not None and not goes_on.any())
        if not known or turn > MOST_TURNS or not (scanned or len(node.output) == len(carried)):
            del self.nodes[before:]
            return False
        self.walk(copies(carried, node.output[: len(carried)]))
        for place, result in enumerate(node.output[len(carried) :]):
            self.walk(self.sequences.stacked([turn[place] for turn in scanned], result, 0))
        return True

    def label(self, node: onnx.NodeProto) -> str:
        """How messages name a node: after that of the user's file."""
        return self.labels.get(next(iter(node.output), ""), node_label(node))

    def input_types(self, node: onnx.NodeProto) -> list[onnx.TypeProto] | None:
        """The types of a node's inputs, an empty one for each that is absent; None where one is
        not known."""
        found = [self.type_of(name) if name else onnx.TypeProto() for name in node.input]
        return None if any(kind is None for kind in found) else [k for k in found if k is not None]

    def type_of(self, name: str) -> onnx.TypeProto | None:
        """The type of a value; None where it is not known."""
        if name in self.constants:
            array = self.constants[name]
            return onnx.helper.make_tensor_type_proto(
                onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
        return self.types.get(name)

    def inferred(self, node: onnx.NodeProto) -> Types:
        """The types of a node's results, as far as ONNX can tell."""
        types = self.input_types(node)
        if types is None:
            return {}
        if node.domain not in STANDARD:
            shapes = [self.shape(name) if name else () for name in node.input]
            return contributed_types(node, types, shapes, self.inferred)
        if node.op_type in KEEPS_SHAPE:
            return {node.output[0]: types[0]}
        known = {
            name: numpy_helper.from_array(self.constants[name], name)
            for name in node.input
            if name in self.constants and self.constants[name].nbytes < LARGE_CONSTANT
        }
        try:
            return onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op_type, self.version, ""),
                node,
                {name: kind for name, kind in zip(node.input, types, strict=True) if name},
                known,
                opset_imports=[onnx.helper.make_opsetid("", self.version)],
            )
        except Exception:  # what contradicts itself is told by the inference of the whole
            return {}


def static_shape(kind: onnx.TypeProto | None) -> tuple[int, ...] | None:
    """The shape of a type; None where it is not known in full."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    if not all(d.HasField("dim_value") for d in dims):
        return None
    return tuple(d.dim_value for d in dims)
