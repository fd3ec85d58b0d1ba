"""The engine of products of two feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hlsgen.engines.base import CHANNELS, STEPS, WORD, Call, Engine, Products, Size, same
from hlsgen.graph import Graph
from hlsgen.kernel.hardware import ACCUMULATION_LATENCY, Arithmetic, Body, Kernel, Lsu
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.record import Field
from hlsgen.ops.base import vectors
from hlsgen.plan import Plan

NAME = "matmul"


class MatMul(Engine):
    """An input lane by an output vector a cycle. `words`: vectors of a right-hand matrix, which the
    engine loads by itself and keeps; `vectors`: of a row of the left-hand one."""

    name = NAME
    sizes = (Size("words"), Size("vectors"))
    fields = (
        CHANNELS,
        Field(1031, "right_base", "int", "matmul: first vector of the right operand", NAME),
        Field(1032, "right_stride", "int", "matmul: its vectors from pixel to pixel", NAME),
        Field(1033, "right_loads", "int", "matmul: right-hand matrices; 1: rows share it", NAME),
    )  # fmt: skip
    products: ClassVar[Mapping[str, Products]] = {"matmul_engine": same(4)}
    launched = True

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest right-hand matrix, and the longest row of a left-hand one."""
        words = row = 1
        for layer in (layer for layer in graph.layers if self.serves(layer)):
            depth = graph.tensors[layer.inputs[0]].channels
            words = max(words, depth * vectors(graph.output_tensor(layer).channels, width))
            row = max(row, vectors(depth, width))
        return {"words": words, "vectors": row}

    def kernels(self, graph: Graph, plan: Plan, bits: int) -> list[Kernel]:
        """Partial sums take turns in a shift register."""
        assert plan.engines is not None
        own = plan.engines.of(self.name)
        v, vector = own.width, own.width * bits
        memories = (Memory("right", own.words, vector), Memory("row", own.vectors, vector))
        # A product and its first addition are one unit.
        units = Arithmetic(multiply_adds=v, adds=(ACCUMULATION_LATENCY - 1) * v)
        body = Body(units, memories, ACCUMULATION_LATENCY * vector, vector)
        lsus, channel_bits = (Lsu("features", vector),), 2 * vector + WORD
        return [Kernel("matmul_engine", body, False, lsus, channel_bits, 3, 4, 1024)]

    def calls(self, graph: Graph, plan: Plan, bits: int) -> list[Call]:
        """It reads feature maps."""
        return [Call("matmul_engine", ("features", STEPS))]

    def loaded(self, fields: dict[str, Any]) -> int:
        """The right-hand matrices."""
        return int(fields["right_loads"] * fields["channels"] * fields["out_vectors"])


ENGINE = MatMul()
