"""Max pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.nest import Combine, Nest
from hlsgen.kernel.values import Roles
from hlsgen.ops.pool import Pool, PoolAttributes
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.quantised import limits
from hlsgen.types import ANY, DataType


class MaxPool(Pool):
    """ONNX MaxPool on (1, C, H, W); borders never win."""

    name = "max_pool"
    reduction_name = "maximum"
    onnx_types: ClassVar[dict[str, str]] = {
        "MaxPool": "one to three spatial dimensions; pads, auto_pad, dilations, ceil_mode"
    }

    types = ANY

    def absorbs(self, layer: Layer, fill: float) -> bool:
        """What is never the largest."""
        return fill == -np.inf

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Maximum over each window."""
        attributes: PoolAttributes = layer.attributes
        patches = attributes.window.patches(inputs[0].astype(np.float64), -np.inf)
        largest: np.ndarray = patches.max(axis=1)
        return largest

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """The largest value of every window."""
        return self.window_nest(layer, graph, kernel, Combine("maximum"))

    def border(self, layer: Layer, types: Roles) -> str:
        """What is never larger than another value."""
        return types.operand.lowest

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """Borders are the most negative number (not infinity: relaxed floating point assumes that
        there is none)."""
        return super().folded_fields(layer, graph, step, engines) | {
            "mode": 0,
            "pad_value": least(graph.tensors[layer.inputs[0]].type),
        }


def least(kind: DataType) -> float:
    """The least number of a type."""
    return float(limits(kind)[0] if kind.integer else np.finfo(np.float32).min)


OPERATOR = MaxPool()
