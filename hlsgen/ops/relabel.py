"""ONNX operators that only relabel a tensor, and cost nothing: they change the view, not the
data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.ops.importer import Importer
from hlsgen.types import ANY

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class DropoutAttributes:
    """Dropout as a layer, in graphs for training alone: the share of values that a minibatch
    loses."""

    ratio: float


class Relabel(Importer):
    """Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity and inference-time Dropout."""

    types = ANY
    onnx_types: ClassVar[dict[str, str]] = dict.fromkeys(
        ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout"),
        "free: data stay where they are until an operator needs another order",
    )

    def import_node(self, node: NodeImporter) -> None:
        """Bind the output to the input's tensor under a new view; no layer is made."""
        node.need_one_output()
        value = node.value(0)
        shape = value.view.value_shape
        if (
            node.op_type == "Dropout"
            and node.input_name(2)
            and node.need_constant(2, "training mode").any()
        ):
            raise node.unsupported("training_mode is on", "export the network for inference")
        if node.op_type == "Dropout" and node.builder.training:
            ratio = node.need_constant(1, "ratio") if node.input_name(1) else np.float32(0.5)
            tensor = node.add(
                "dropout", DropoutAttributes(float(ratio)), [value.tensor], value.tensor.shape
            )
            node.bind(tensor, value.view)
            return
        if node.op_type in ("Identity", "Dropout"):
            view = value.view
        elif node.op_type == "Transpose":
            view = value.view.then(
                "transpose", node.attribute("perm", tuple(reversed(range(len(shape)))))
            )
        else:
            view = value.view.then("reshape", self._target(node, shape))
        node.bind(value.tensor, view)

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
        axes = node.integers(1, "axes")
        if node.op_type == "Squeeze":
            if axes is None:
                return tuple(n for n in shape if n != 1)
            drop = {a % len(shape) for a in axes}
            return tuple(n for i, n in enumerate(shape) if i not in drop)
        if axes is None:
            raise node.unsupported("it has no axes", "export the network again")
        rank = len(shape) + len(axes)
        places = {a % rank for a in axes}
        rest = iter(shape)
        return tuple(1 if i in places else next(rest) for i in range(rank))


IMPORTER = Relabel()
