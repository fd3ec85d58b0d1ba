"""ONNX operators that only relabel a tensor, and cost nothing: they change the view, not the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.graph import Layer
from hlsgen.ops.base import Operator

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Relabel(Operator):
    """Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity and inference-time Dropout."""

    name = "relabel"
    onnx_types = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout")

    def import_node(self, node: NodeImporter) -> None:
        """Bind the output to the input's tensor under a new view; no layer is made."""
        node.need_one_output()
        value = node.value(0)
        shape = value.view.value_shape
        if node.op_type in ("Identity", "Dropout"):
            view = value.view
        elif node.op_type == "Transpose":
            view = value.view.then("transpose", node.attribute("perm", tuple(reversed(range(len(shape))))))
        else:
            view = value.view.then("reshape", self._target(node, shape))
        node.bind(value.tensor, view)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The data do not change."""
        return inputs[0]

    def _target(self, node: NodeImporter, shape: tuple[int, ...]) -> tuple[int, ...]:
        if node.op_type == "Flatten":
            axis = node.attribute("axis", 1)
            axis = axis + len(shape) if axis < 0 else axis
            return int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))
        if node.op_type == "Reshape":
            target = [int(n) for n in node.need_constant(1, "target shape").ravel()]
            if not node.attribute("allowzero", 0):
                target = [shape[i] if n == 0 else n for i, n in enumerate(target)]
            known = int(np.prod([n for n in target if n != -1]))
            return tuple(int(np.prod(shape)) // known if n == -1 else n for n in target)
        axes = node.attribute("axes", None)
        if axes is None and node.input_name(1):
            axes = tuple(int(n) for n in node.need_constant(1, "axes").ravel())
        if node.op_type == "Squeeze":
            if axes is None:
                return tuple(n for n in shape if n != 1)
            drop = {a % len(shape) for a in axes}
            return tuple(n for i, n in enumerate(shape) if i not in drop)
        rank = len(shape) + len(axes)
        places = {a % rank for a in axes}
        rest = iter(shape)
        return tuple(1 if i in places else next(rest) for i in range(rank))


OPERATOR = Relabel()
