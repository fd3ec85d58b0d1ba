"""ONNX nodes of a quantised network while they are rewritten: who gives and reads a value, and what
QuantizeLinear and DequantizeLinear are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.model import node_label
from hlsgen.types import INT8, INT32, UINT8

QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"
# The types of integer feature maps, and of constants.
MAPS = (UINT8.array, INT8.array)
CONSTANTS = (*MAPS, INT32.array)


@dataclass(frozen=True)
class Parameters:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear: one, or one for each index
    along `axis`."""

    scale: np.ndarray
    zero: np.ndarray
    axis: int

    @property
    def single(self) -> bool:
        """Whether one pair serves all values."""
        return self.scale.size == 1

    def same(self, other: Parameters) -> bool:
        """Whether both are one pair, and the same."""
        return (
            self.single
            and other.single
            and self.scale.ravel()[0] == other.scale.ravel()[0]
            and self.zero.ravel()[0] == other.zero.ravel()[0]
            and self.zero.dtype == other.zero.dtype
        )


class Nodes:
    """Nodes of one network, its constants and the names of its outputs. Rewrites add and remove
    nodes; `ordered` gives them in topological order."""

    def __init__(
        self,
        nodes: Sequence[onnx.NodeProto],
        constants: dict[str, np.ndarray],
        outputs: Sequence[str],
        shapes: Mapping[str, tuple[int, ...]],
    ):
        self.nodes, self.constants, self.outputs = list(nodes), constants, frozenset(outputs)
        self.shapes = shapes
        self.taken = {name for node in nodes for name in (*node.input, *node.output)}
        self.taken |= set(constants)

    def producers(self) -> dict[str, onnx.NodeProto]:
        """The node that gives each value."""
        return {name: node for node in self.nodes for name in node.output if name}

    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        """The nodes that read each value, one entry for each use."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def only_reader(
        self, name: str, readers: Mapping[str, list[onnx.NodeProto]]
    ) -> onnx.NodeProto | None:
        """The one node that reads a value which is no output; None where there are others."""
        found = readers.get(name, [])
        return found[0] if len(found) == 1 and name not in self.outputs else None

    def fresh(self, name: str) -> str:
        """A name of a value that is not taken."""
        candidate, count = name, 1
        while candidate in self.taken:
            count += 1
            candidate = f"{name}_{count}"
        self.taken.add(candidate)
        return candidate

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds a constant under a name like `name`; the name that it got."""
        chosen = self.fresh(name)
        self.constants[chosen] = value
        return chosen

    def replace(self, old: onnx.NodeProto, *new: onnx.NodeProto) -> None:
        """Puts nodes in the place of one."""
        place = next(i for i, node in enumerate(self.nodes) if node is old)
        self.nodes[place : place + 1] = new

    def rename(self, old: str, new: str) -> None:
        """Has every node read value `new` in place of `old`."""
        for node in self.nodes:
            for place, name in enumerate(node.input):
                if name == old:
                    node.input[place] = new

    def ordered(self) -> list[onnx.NodeProto]:
        """All nodes whose results are needed, in topological order."""
        producers = self.producers()
        found: dict[int, onnx.NodeProto] = {}
        pending: list[tuple[onnx.NodeProto, Iterator[str]]] = []
        for output in sorted(self.outputs & producers.keys()):
            pending.append((producers[output], iter(producers[output].input)))
            while pending:
                node, inputs = pending[-1]
                following = next(
                    (n for n in inputs if n in producers and id(producers[n]) not in found), None
                )
                if following is None:
                    found.setdefault(id(node), node)
                    pending.pop()
                else:
                    pending.append((producers[following], iter(producers[following].input)))
        return list(found.values())

    def parameters(self, node: onnx.NodeProto) -> Parameters:
        """Scale, zero point and axis of a QuantizeLinear or DequantizeLinear. Raises
        UnsupportedError for what is not constant, and for other types."""
        label = node_label(node)
        computed = [name for name in node.input[1:] if name and name not in self.constants]
        if computed:
            raise UnsupportedError(
                "its scale or zero point is computed at run time",
                where=label,
                remedy="quantise the network statically",
                needs_constant=computed,
            )
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        scale = self.constants[node.input[1]]
        zero = np.zeros_like(scale, np.uint8)
        if len(node.input) > 2 and node.input[2]:
            zero = self.constants[node.input[2]]
        elif attributes.get("output_dtype"):
            zero = zero.astype(onnx.helper.tensor_dtype_to_np_dtype(attributes["output_dtype"]))
        elif node.op_type == DEQUANTISE and node.input[0] in self.constants:
            zero = np.zeros_like(scale, self.constants[node.input[0]].dtype)
        if attributes.get("block_size"):
            raise UnsupportedError(
                "its scales are given block by block", where=label, remedy="use one a channel"
            )
        if zero.size not in (1, scale.size):
            raise UnsupportedError(
                f"{zero.size} zero points for {scale.size} scales", where=label,
                remedy="quantise the network again",
            )  # fmt: skip
        if scale.dtype != np.float32 or str(zero.dtype) not in CONSTANTS:
            raise UnsupportedError(
                f"it has values of type {zero.dtype} and scales of type {scale.dtype}", where=label,
                remedy="quantise the network to int8 or uint8 with scales in float32",
            )  # fmt: skip
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise UnsupportedError(
                "a scale is not a positive number", where=label, remedy="quantise the network again"
            )
        return Parameters(scale, zero, int(attributes.get("axis", 1)))
