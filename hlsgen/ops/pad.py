"""Padding, which folds into the window operators that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlsgen.graph import Layer
from hlsgen.ops.base import Operator, Shape

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


@dataclass(frozen=True)
class PadAttributes:
    """Constant `fill` round the image: `pads` top, left, bottom, right."""

    pads: tuple[int, int, int, int]
    fill: float


class Pad(Operator):
    """ONNX Pad with mode constant over height and width. `frontend.fold_pad` removes every one."""

    name = "pad"
    onnx_types = ("Pad",)

    def import_node(self, node: NodeImporter) -> None:
        """Import Pad; pads and value may be inputs or attributes."""
        if node.attribute("mode", "constant") != "constant":
            raise node.unsupported(f"mode {node.attribute('mode', '')}", "only constant padding is supported")
        if node.input_name(3):
            raise node.unsupported("the axes input", "give pads for all axes")
        source = node.nchw(0)
        pads = node.attribute("pads", None)
        pads = tuple(int(n) for n in node.need_constant(1, "pads").ravel()) if pads is None else pads
        fill = float(node.need_constant(2, "value").ravel()[0]) if node.input_name(2) else node.attribute("value", 0.0)
        if len(pads) != 8 or any(pads[i] for i in (0, 1, 4, 5)) or min(pads) < 0:
            raise node.unsupported(f"pads {list(pads)}", "only non-negative pads of height and width are supported")
        spatial = (pads[2], pads[3], pads[6], pads[7])
        attributes = PadAttributes(spatial, fill)
        node.bind(node.add(self.name, attributes, [source], self.output_shape(attributes, [source.shape])))

    def output_shape(self, attributes: PadAttributes, inputs: Sequence[Shape]) -> Shape:
        """Height and width grow."""
        channels, height, width = inputs[0]
        top, left, bottom, right = attributes.pads
        return (channels, height + top + bottom, width + left + right)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The image in a frame of `fill`."""
        top, left, bottom, right = layer.attributes.pads
        return np.pad(inputs[0], ((0, 0), (top, bottom), (left, right)), constant_values=layer.attributes.fill)


OPERATOR = Pad()
