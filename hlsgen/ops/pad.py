"""Padding. Constant borders fold into the window operators that follow them; all else is data
movement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hlsgen.graph import Layer
from hlsgen.ops.base import Operator, Shape
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import LARGEST_TENSOR
from hlsgen.types import ANY

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

FLOAT_MIN = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class PadAttributes:
    """Constant `fill` round the image: `pads` top, left, bottom, right."""

    pads: tuple[int, int, int, int]
    fill: float


class Pad(Operator, Importer):
    """ONNX Pad. A layer of this kind is a constant border; `frontend.fold_pad` removes every
    one."""

    name = "pad"
    types = ANY
    onnx_types: ClassVar[dict[str, str]] = {
        "Pad": "constant, reflect, edge, wrap; constant pads, also negative; axes"
    }
    makes = ("gather",)

    def import_node(self, node: NodeImporter) -> None:
        """Import Pad."""
        value, mode = node.value(0), node.attribute("mode", "constant")
        index = value.view.indices
        pads = tuple(int(n) for n in node.need_constant(1, "pads").ravel())
        fill = float(node.need_constant(2, "value").ravel()[0]) if node.input_name(2) else 0.0
        axes = node.integers(3, "axes")
        axes = (
            tuple(range(index.ndim)) if axes is None else tuple(axis % index.ndim for axis in axes)
        )
        if len(pads) != 2 * len(axes):
            raise node.unsupported(f"pads {list(pads)} for {len(axes)} axes")
        amounts = [(0, 0)] * index.ndim
        for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
            amounts[axis] = (before, after)
        spatial = index.ndim == 4 and amounts[:2] == [(0, 0), (0, 0)] and min(pads) >= 0
        if mode == "constant" and spatial:
            source = node.spatial(0)
            attributes = PadAttributes(
                (amounts[2][0], amounts[3][0], amounts[2][1], amounts[3][1]), fill
            )
            node.bind(
                node.add(
                    self.name, attributes, [source], self.output_shape(attributes, [source.shape])
                )
            )
            return
        modes = {"constant": {"constant_values": -1}, "reflect": {}, "edge": {}, "wrap": {}}
        if mode not in modes:
            raise node.unsupported(f"mode {mode}", "use constant, reflect, edge or wrap")
        kept = index[
            tuple(
                slice(-min(b, 0), n + min(a, 0))
                for (b, a), n in zip(amounts, index.shape, strict=True)
            )
        ]
        if (
            prod(n + max(b, 0) + max(a, 0) for (b, a), n in zip(amounts, kept.shape, strict=True))
            > LARGEST_TENSOR
        ):
            raise node.unsupported(
                f"pads {list(pads)} make its result too large", "use smaller pads"
            )
        grown = [(max(b, 0), max(a, 0)) for b, a in amounts]
        node.move(value, np.pad(kept, grown, mode=mode, **modes[mode]), "padding", fill)

    def output_shape(self, attributes: PadAttributes, inputs: Sequence[Shape]) -> Shape:
        """Height and width grow."""
        channels, height, width = inputs[0]
        top, left, bottom, right = attributes.pads
        return (channels, height + top + bottom, width + left + right)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The image in a frame of `fill`."""
        top, left, bottom, right = layer.attributes.pads
        return np.pad(
            inputs[0], ((0, 0), (top, bottom), (left, right)), constant_values=layer.attributes.fill
        )


OPERATOR = Pad()
