"""The engine of products of two feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlsgen.engines.base import CHANNELS, Engine, Size, engine_vector
from hlsgen.engines.sums import summing
from hlsgen.graph import Graph
from hlsgen.kernel.count import MANY, counters, fields
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Combine, Loop
from hlsgen.kernel.phases import Buffer
from hlsgen.kernel.record import Field
from hlsgen.kernel.step import READER, Pointer, StepKernel
from hlsgen.ops.arrays import vectors
from hlsgen.plan import EngineSizes, Plan

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
    launched = True

    def needed(self, graph: Graph, width: int) -> dict[str, int]:
        """The largest right-hand matrix, and the longest row of a left-hand one."""
        words = row = 1
        for layer in (layer for layer in graph.layers if self.serves(layer)):
            depth = graph.tensors[layer.inputs[0]].channels
            words = max(words, depth * vectors(graph.output_tensor(layer).channels, width))
            row = max(row, vectors(depth, width))
        return {"words": words, "vectors": row}

    def loops(self, own: EngineSizes) -> tuple[tuple[Loop, ...], ...]:
        """Right-hand matrices come in; then for every row of left-hand ones its vectors, and a
        product an iteration."""
        channels, outputs, rows, columns, count, loads = fields(
            "channels", "out_vectors", "in_rows", "in_columns", "in_vectors", "right_loads"
        )
        words = Loop("w", MANY, count=(channels * outputs).named("words"))
        row = Loop("b", MANY, count=rows), Loop("m", MANY, count=columns)
        return (
            (Loop("b", MANY, count=loads), words),
            (*row, Loop("i", MANY, count=count)),
            (*row, words),
        )

    def described(
        self, graph: Graph, plan: Plan, records: Sequence[dict[str, Any]] = ()
    ) -> tuple[StepKernel, ...]:
        """A lane of a row by a vector of columns."""
        assert plan.engines is not None
        own, vector = plan.engines.of(self.name), engine_vector(graph, plan, self.name)
        right, row = (
            Memory("right", own.words, vector.bits),
            Memory("row", own.vectors, vector.bits),
        )
        b, k, t = counters("b", "k", "t")
        channels, outputs, stride, base = fields(
            "channels", "out_vectors", "right_stride", "right_base"
        )
        return (
            StepKernel(
                "matmul_engine",
                "Matrix product engine: a lane of the left operand's row by a vector of "
                f"{own.width} columns of the right operand a cycle. The rows\nof the left operand "
                "come from the feature reader; a right-hand matrix is loaded by the engine itself, "
                "once for all rows that\nmeet it, and stays on chip.",
                READER,
                self.loops(own),
                self.ends(graph, plan),
                (summing(graph, plan, self.name, Combine("multiply")),),
                pointers=(Pointer("features", vector, qualifier="const volatile "),),
                arrays=(
                    Buffer(right, vector, "the right-hand matrix, row by row"),
                    Buffer(row, vector, "a row of the left-hand one"),
                ),
                counts={
                    "first": b * channels,
                    "loaded": base + k * stride + t,
                    "multiplied": k * outputs + t,
                },
                choices=vector.bits,
                logic=1024,
                depth=4,
                template=self.name,
            ),
        )

    def loaded(self, fields: dict[str, Any]) -> int:
        """The right-hand matrices."""
        return int(fields["right_loads"] * fields["channels"] * fields["out_vectors"])


ENGINE = MatMul()
