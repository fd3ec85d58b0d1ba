"""Lists of values, which exporters write for chunks and stacks: what is in them is known, so that
tensors and their operators take their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper

# The first opsets in which Split and Unsqueeze take sizes and axes as inputs.
INPUTS_FROM = 13


class Sequences:
    """The lists of a walk by name, each the names of its values. `version` of the opset; `constant`
    gives the constant of a name, `shape` the shape of a value, None where they are not known;
    `store` keeps a new constant."""

    def __init__(
        self,
        version: int,
        constant: Callable[[str], np.ndarray | None],
        shape: Callable[[str], tuple[int, ...] | None],
        store: Callable[[str, np.ndarray], None],
    ):
        self.version, self.constant, self.shape, self.store = version, constant, shape, store
        self.known: dict[str, tuple[str, ...]] = {}
        self.rules: dict[str, Callable[[onnx.NodeProto], list[onnx.NodeProto] | None]] = {
            "SequenceEmpty": self.constructed,
            "SequenceConstruct": self.constructed,
            "SequenceInsert": self.inserted,
            "SequenceAt": self.picked,
            "SequenceLength": self.counted,
            "SplitToSequence": self.split,
            "ConcatFromSequence": self.joined,
            "Identity": self.passed_on,
        }

    def nodes(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """The nodes on tensors that stand for one on lists; None where it is none, or not known."""
        rule = self.rules.get(node.op_type)
        return None if rule is None else rule(node)

    def constructed(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """A list of the inputs."""
        self.known[node.output[0]] = tuple(node.input)
        return []

    def passed_on(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """The same list."""
        if node.input[0] not in self.known:
            return None
        self.known[node.output[0]] = self.known[node.input[0]]
        return []

    def inserted(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """A list with a value more, at its end or a place that is known."""
        values = self.known.get(node.input[0])
        at = self.place(node, 2, 0 if values is None else len(values))
        if values is None or at is None:
            return None
        whole = list(values)
        whole.insert(at, node.input[1])
        self.known[node.output[0]] = tuple(whole)
        return []

    def place(self, node: onnx.NodeProto, index: int, default: int) -> int | None:
        """A place that an input gives; None where it is not known."""
        if len(node.input) <= index or not node.input[index]:
            return default
        found = self.constant(node.input[index])
        return None if found is None else int(found.item())

    def picked(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """A value of the list."""
        values, at = self.known.get(node.input[0]), self.place(node, 1, 0)
        if values is None or at is None or not -len(values) <= at < len(values):
            return None
        return [helper.make_node("Identity", [values[at]], node.output[:], node.name)]

    def counted(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """How many values there are."""
        if node.input[0] not in self.known:
            return None
        self.store(node.output[0], np.array(len(self.known[node.input[0]]), np.int64))
        return []

    def split(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """The parts of a value along an axis."""
        attributes = {a.name: a.i for a in node.attribute}
        shape = self.shape(node.input[0])
        given = len(node.input) > 1
        sizes = self.constant(node.input[1]) if given else np.array(1)
        if shape is None or sizes is None:
            return None
        axis = attributes.get("axis", 0) % len(shape)
        if not sizes.ndim:
            step = int(sizes)
            sizes = np.array([min(step, shape[axis] - at) for at in range(0, shape[axis], step)])
        base, count = node.output[0], len(sizes)
        parts = [f"{base}/{i}" for i in range(count)]
        self.known[base] = tuple(parts)
        if given or attributes.get("keepdims", 1):
            return [self.divided(node, parts, sizes, axis)]
        whole = [f"{part}/whole" for part in parts]
        return [
            self.divided(node, whole, sizes, axis),
            *(
                self.on_axis("Squeeze", source, part, axis)
                for source, part in zip(whole, parts, strict=True)
            ),
        ]

    def divided(
        self, node: onnx.NodeProto, parts: Sequence[str], sizes: np.ndarray, axis: int
    ) -> onnx.NodeProto:
        """A Split."""
        if self.version < INPUTS_FROM:
            return helper.make_node(
                "Split", node.input[:1], parts, node.name, axis=axis, split=sizes.tolist()
            )
        name = f"{node.output[0]}/sizes"
        self.store(name, sizes.astype(np.int64))
        return helper.make_node("Split", [node.input[0], name], parts, node.name, axis=axis)

    def on_axis(self, op_type: str, source: str, result: str, axis: int) -> onnx.NodeProto:
        """A Squeeze or Unsqueeze."""
        if self.version < INPUTS_FROM:
            return helper.make_node(op_type, [source], [result], axes=[axis])
        self.store(f"{result}/axis", np.array([axis], np.int64))
        return helper.make_node(op_type, [source, f"{result}/axis"], [result])

    def joined(self, node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        """All values along an axis, which may be a new one."""
        values = self.known.get(node.input[0])
        if not values:
            return None
        attributes = {a.name: a.i for a in node.attribute}
        axis = attributes.get("axis", 0)
        if not attributes.get("new_axis", 0):
            return [helper.make_node("Concat", values, node.output[:], node.name, axis=axis)]
        return self.stacked(values, node.output[0], axis)

    def stacked(self, values: Sequence[str], result: str, axis: int) -> list[onnx.NodeProto]:
        """Values along a new axis."""
        names = [f"{result}/{i}" for i in range(len(values))]
        return [
            *(self.on_axis("Unsqueeze", v, n, axis) for v, n in zip(values, names, strict=True)),
            helper.make_node("Concat", names, [result], axis=axis),
        ]
