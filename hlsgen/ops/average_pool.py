"""Average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Combine, Counted, Nest
from hlsgen.ops.pool import Pool, PoolAttributes
from hlsgen.plan import Engines, KernelPlan, StepPlan


def counts(attributes: PoolAttributes, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """How many rows and columns count in each window: arrays of length OH and OW."""
    window, found = attributes.window, []
    for axis, size in enumerate((height, width)):
        outputs = window.output_size(height, width)[axis]
        starts = np.arange(outputs) * window.stride[axis] - window.pads[axis]
        taps = starts[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
        low, high = -attributes.counted_pads[axis], size + attributes.counted_pads[axis + 2]
        found.append(((taps >= low) & (taps < high)).sum(axis=1))
    return found[0], found[1]


class AveragePool(Pool):
    """ONNX AveragePool on (1, C, H, W), with count_include_pad and ceil_mode."""

    name = "average_pool"
    reduction_name = "mean"
    onnx_types: ClassVar[dict[str, str]] = {
        "AveragePool": "one to three spatial dimensions; pads, auto_pad, ceil_mode, "
        "count_include_pad"
    }
    averages = True

    def absorbs(self, layer: Layer, fill: float) -> bool:
        """Zeros, unless it has pads already that do not count."""
        pads = layer.attributes.window.pads
        return fill == 0 and (not any(pads) or layer.attributes.counted_pads == pads)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Sum over each window divided by the number of positions that count."""
        attributes: PoolAttributes = layer.attributes
        sums = attributes.window.patches(inputs[0].astype(np.float64), 0.0).sum(axis=1)
        rows, columns = counts(attributes, *inputs[0].shape[1:])
        means: np.ndarray = sums / np.maximum(np.outer(rows, columns), 1)
        return means

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """Borders are zero; which of them count is told by the first and last counted row and
        column of the scan."""
        source = graph.tensors[layer.inputs[0]]
        a: PoolAttributes = layer.attributes
        window, counted = a.window, a.counted_pads
        return super().folded_fields(layer, graph, step, engines) | {
            "mode": 1,
            "count_top": window.pads[0] - counted[0],
            "count_left": window.pads[1] - counted[1],
            "count_bottom": window.pads[0] + source.height + counted[2],
            "count_right": window.pads[1] + source.width + counted[3],
        }

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """The sum of every window times the reciprocal of the number of values that count."""
        a, source = layer.attributes, graph.tensors[layer.inputs[0]]
        window, sum_up = a.window, Combine("sum")
        rows, columns = counts(a, source.height, source.width)
        if (rows == window.kernel[0]).all() and (columns == window.kernel[1]).all():
            return self.window_nest(layer, graph, kernel, sum_up, scale=1 / window.taps)
        counted = tuple(
            Counted(
                loop,
                window.kernel[axis],
                window.dilation[axis],
                window.pads[axis] - a.counted_pads[axis],
                window.pads[axis] + source.shape[1 + axis] + a.counted_pads[axis + 2],
            )
            for axis, loop in enumerate("yx")
        )
        sides = (range(count + 1) for count in window.kernel)
        scales = tuple(1 / max(down * across, 1) for down, across in product(*sides))
        return self.window_nest(layer, graph, kernel, sum_up, scales=scales, counted=counted)


OPERATOR = AveragePool()
