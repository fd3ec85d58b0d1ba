"""Data movement: every output value is one input value, a constant, or a blend of two input values.

Transpose, Slice, Split, Pad, DepthToSpace, Resize and their like differ only in which value goes
where. They import as an index array (made by numpy itself from the array of all indices), and share
one kernel in each style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.nest import Nest
from hlsgen.ops.arrays import vectors
from hlsgen.ops.base import Operator, Work
from hlsgen.ops.gather_index import GatherAttributes, Offsets, elements
from hlsgen.ops.gather_kernel import Printed, keeps_vectors, movement, printed
from hlsgen.plan import Engines, KernelPlan, StepPlan


class Gather(Operator):
    """The layer behind all data movement; `hlsgen.ops.movement` and others import ONNX operators as
    it."""

    name = "gather"
    engine = "gather"

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Pick, and blend where there are two."""
        a: GatherAttributes = layer.attributes
        flat = np.append(inputs[0].astype(np.float64).ravel(), a.fill)
        value: np.ndarray = flat[a.index]
        if a.other is None or a.weight is None:
            return value
        weight = (
            a.weight.astype(np.float64) if a.axis == "x" else a.weight.astype(np.float64)[:, None]
        )
        blended: np.ndarray = value + weight * (flat[a.other] - value)
        return blended

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Data movement, or three operations a blend."""
        return Work(
            operations=0 if layer.attributes.other is None else 3 * graph.output_tensor(layer).size
        )

    # ---- layered

    def layered_arrays(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """For each output value the place of its input, [H][W][C] both; for blends the other's
        place and the weights."""
        a: GatherAttributes = layer.attributes
        arrays: dict[str, np.ndarray] = {}
        for name, index in zip(("index", "other"), a.indices, strict=False):
            places = np.maximum(elements(index, a.source, a.source[0]), -1)
            arrays[name] = np.ascontiguousarray(places.transpose(1, 2, 0), np.int32)
        return arrays if a.weight is None else {**arrays, "weight": a.weight.astype(np.float32)}

    # ---- pipelined

    def refusal(self, layer: Layer, graph: Graph, style: str) -> str | None:
        """A pipelined kernel computes addresses from small tables, one an axis."""
        if style != "pipelined" or all(layer.attributes.parts):
            return None
        return "its new place for a value is no sum of a row's, a column's and a channel's part"

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """See `gather_kernel.movement`."""
        tensors = graph.tensors[layer.inputs[0]], graph.output_tensor(layer)
        epilogue, types = self.epilogue(layer, graph, kernel), self.roles(layer, graph)
        return movement(layer.attributes, *tensors, kernel, epilogue, types)

    def printed(self, layer: Layer, graph: Graph, kernel: KernelPlan, nest: Nest) -> Printed:
        """See `gather_kernel.Printed`."""
        return printed(layer.attributes, graph.output_tensor(layer), nest)

    # ---- folded

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One pass, pixel by pixel."""
        tensor = graph.output_tensor(layer)
        count = vectors(tensor.channels, engines.width)
        return (StepPlan(layer.name, self.engine, tensor.height, tensor.width, count, 0, count),)

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The engine reads by itself: the feature reader sends nothing."""
        a: GatherAttributes = layer.attributes
        return {"in_rows": 0, "pad_value": a.fill, "blend": {"": 0, "y": 1, "x": 2}[a.axis]}

    def folded_tables(
        self, layer: Layer, source: Tensor, stride: int, engines: Engines
    ) -> dict[str, Any]:
        """Tables of the engine by field, for pixels of `stride` vectors, channels padded to whole
        vectors; and two plain fields.

        `channels_step` is the length of a pixel's own table where the offsets are no sum over the
        axes, else 0. `whole` tells that whole vectors move.
        """
        a: GatherAttributes = layer.attributes
        found: dict[str, Any] = {"whole": 1}
        for prefix, index, parts in zip(("", "other_"), a.indices, a.parts, strict=False):
            missing, step = -len(index) % engines.width, 0
            if parts is None:
                # Lanes beyond the last channel repeat it: nobody reads them.
                every = elements(index, source.shape, stride * engines.width)
                every = np.pad(every, ((0, missing), (0, 0), (0, 0)), mode="edge")
                step, zeros = len(every), np.zeros(max(every.shape), np.int64)
                offsets = Offsets(
                    zeros[: every.shape[1]],
                    zeros[: every.shape[2]],
                    every.transpose(1, 2, 0).ravel(),
                )
                found["whole"] = 0
            else:
                offsets = parts.offsets(stride * engines.width, source.width)
                found["whole"] &= int(keeps_vectors((offsets,), engines.width))
                offsets = replace(
                    offsets, channels=np.pad(offsets.channels, (0, missing), mode="edge")
                )
            found |= {
                f"{prefix}rows": offsets.rows,
                f"{prefix}columns": offsets.columns,
                f"{prefix}channel_table": offsets.channels,
            }
            found[f"{prefix}channels_step"] = step
        if a.weight is not None:
            found["blend_weights"] = a.weight.astype(np.float32).view(np.int32)
        return found


OPERATOR = Gather()
