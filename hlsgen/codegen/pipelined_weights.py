"""The weights of pipelined designs: streams that kernels load once and keep, and words that come
from memory for every image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlsgen.codegen.design import ALIGNMENT, Weights
from hlsgen.codegen.pipelined_parts import FilterReader
from hlsgen.codegen.weight_banks import bank_buffer
from hlsgen.graph import Graph, Layer
from hlsgen.host.manifest import Buffer
from hlsgen.kernel.hardware import STREAMED_FIFO
from hlsgen.kernel.weight_banks import BLOCK_BYTES
from hlsgen.model.weight_banks import weight_banks
from hlsgen.ops import operator
from hlsgen.ops.arrays import pad_axis, vectors
from hlsgen.plan import KernelPlan, Plan
from hlsgen.rewrites.weight_storage import piece_type
from hlsgen.types import FLOAT32, STORAGE_TYPES, DataType, encoded, pieces


class PipelinedWeights:
    """Collects the weights of one design, layer by layer in the order of the graph."""

    def __init__(self, graph: Graph, plan: Plan):
        self.graph, self.plan = graph, plan
        self.piece = piece_type(graph, plan.weights)
        self.banks = weight_banks(graph, plan)
        self.kept: list[np.ndarray] = []  # pieces, stream after stream
        self.streamed: dict[str, np.ndarray] = {}  # what comes from memory, by layer

    @property
    def count(self) -> int:
        """Pieces of all streams."""
        return sum(stream.size for stream in self.kept)

    def keep(self, layer: Layer, kernel: KernelPlan) -> int:
        """Append what a layer's kernel loads once; returns how many pieces that is."""
        stream = operator(layer.op).pipelined_stream(layer, self.graph, kernel)
        if kernel.row_tiles:
            stream = stream[: self.biases(layer, kernel)]
        values = self.pieces(layer, kernel, stream)
        self.kept.append(values)
        return values.size

    def pieces(self, layer: Layer, kernel: KernelPlan, stream: np.ndarray) -> np.ndarray:
        """A stream of vectors, piece by piece: biases as they are, weights as they are stored."""
        nest = operator(layer.op).described(layer, self.graph, kernel)
        found, values = [np.zeros(0, self.piece.array)], stream.ravel()
        for array in (nest.bias, *nest.constants):
            if array is not None:
                count = array.memory.elements * array.vector.lanes
                found.append(pieces(values[:count], array.vector.type, self.piece))
                values = values[count:]
        if nest.fills or nest.combine.chooses:
            lists = values.reshape(-1, 2, kernel.output_width)
            return np.concatenate([*found, listed(lists, nest.types.weight, self.piece)])
        weights = nest.weights.vector.type if nest.weights else layer.weight_type
        return np.concatenate([*found, pieces(values, weights, self.piece)])

    def biases(self, layer: Layer, kernel: KernelPlan) -> int:
        """Vectors of biases, at the start of a layer's stream."""
        return vectors(self.graph.output_tensor(layer).channels, kernel.output_width)

    def stream(self, layer: Layer, kernel: KernelPlan) -> FilterReader | None:
        """Append the layer's weights to those that stream from memory, aligned so that vectors of
        any width may start there, or whole blocks of a bank; returns the kernel that sends them."""
        if not kernel.row_tiles:
            return None
        words = operator(layer.op).pipelined_stream(layer, self.graph, kernel)[
            self.biases(layer, kernel) :
        ]
        start = sum(values.size for values in self.streamed.values()) // kernel.output_width
        kind, unit = layer.weight_type, BLOCK_BYTES if self.banks else ALIGNMENT
        self.streamed[layer.name] = pad_axis(encoded(words, kind).ravel(), 0, unit // kind.bytes)
        return FilterReader(
            kernel=f"{layer.name}_filters",
            channel=f"{layer.name}_streamed",
            type=kind.vector(kernel.output_width),
            start=start,
            count=len(words),
            times=kernel.row_tiles,
            depth=STREAMED_FIFO,
        )

    def sections(self) -> dict[str, list[str]]:
        """The buffers of weights that stream from memory, with the layers in each."""
        if self.banks:
            return {bank_buffer(bank): [s.layer for s in bank.streams] for bank in self.banks}
        return {"filters": list(self.streamed)} if self.streamed else {}

    def buffers(self) -> dict[str, Buffer]:
        """All that the weights file fills."""
        kept = Buffer(self.count, self.piece.array, "weights")
        kind = STORAGE_TYPES[self.plan.weights].array
        return ({"weights": kept} if self.count else {}) | {
            name: Buffer(sum(self.streamed[layer].size for layer in inside), kind, name)
            for name, inside in self.sections().items()
        }

    def store(self, weights: Weights, names: Mapping[str, str]) -> None:
        """Add the streams of all layers to the weights file as one section, and the weights that
        stay in memory as another, or one a bank; `names`: what sections are called here."""
        if self.count:
            meaning = (
                "per layer, in the order of the kernels: the stream its kernel reads "
                "(biases, then weight words)"
            )
            weights.add(names.get("weights", "weights"), np.concatenate(self.kept), meaning)
        meaning = (
            "per layer: the filter words that stream from memory, in the order in which its "
            "kernel multiplies"
        )
        for name, layers in self.sections().items():
            values = np.concatenate([self.streamed[layer] for layer in layers])
            weights.add(names.get(name, name), values, meaning)


def listed(lists: np.ndarray, kind: DataType, piece: DataType) -> np.ndarray:
    """Vectors of values and of their places by turns, `(words, 2, lanes)`, piece by piece; a place
    is half as wide as a float32, of which it takes a whole one where all pieces are that."""
    places = lists[:, 1].astype(np.int32 if piece == FLOAT32 else np.uint16)
    values = pieces(lists[:, 0], kind, piece).reshape(len(lists), -1)
    patterns = places.view(np.dtype(piece.array))
    return np.concatenate([values, patterns], axis=1).ravel()
