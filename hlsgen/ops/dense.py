"""Fully connected layers: ONNX Gemm and MatMul by a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, View
from hlsgen.kernel.nest import Combine, Index, Loop, Nest, Source, Weights
from hlsgen.kernel.plain import PlainNest, plain_nest
from hlsgen.kernel.values import Vector
from hlsgen.ops import n_of_m, skip
from hlsgen.ops.arrays import LARGEST_STREAM, bias_array, pad_axis, resident_weights, vectors
from hlsgen.ops.base import Operator, Shape, Work
from hlsgen.ops.compose import apply, number
from hlsgen.ops.conv import ConvAttributes
from hlsgen.ops.importer import Importer
from hlsgen.ops.sparse import is_worthwhile, row_counts, row_words
from hlsgen.ops.window import Window
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.types import DataType

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter, Value


@dataclass(frozen=True)
class DenseAttributes:
    """`outputs` features. Weights: `weight` (outputs, C, H, W) in canonical order of the input,
    `bias` (outputs,)."""

    outputs: int


class Dense(Operator, Importer):
    """Gemm and MatMul of one image with a constant matrix; a Flatten before it is absorbed into the
    weights."""

    name = "dense"
    onnx_types: ClassVar[dict[str, str]] = {"Gemm": "as MatMul; alpha, beta, transA, transB"}
    weight_places = (1, 2)
    makes: tuple[str, ...] = ("conv", "matmul", "binary", "scale")
    rare = ("matmul",)
    engine = "dense"
    accumulates = True
    alternative_engines: tuple[str, ...] = ("sparse",)
    engine_weights = True
    scaled_weight = "weight"
    stored_weights: tuple[str, ...] = ("weight",)

    def import_node(self, node: NodeImporter) -> None:
        """Import Gemm (alpha, beta, transA = 0, transB) or MatMul with the constant on the
        right."""
        if node.op_type == "Gemm" and not has_constants(node):
            general_product(node)
            return
        matrix = node.need_constant(1, "right-hand matrix")
        bias = np.zeros(1, np.float32)
        value = node.value(0)
        if node.op_type == "Gemm":
            if node.attribute("transA", 0):
                value = type(value)(value.tensor, value.view.then("transpose", (1, 0)))
            matrix = (matrix.T if node.attribute("transB", 0) else matrix) * node.attribute(
                "alpha", 1.0
            )
            if node.input_name(2):
                bias = node.need_constant(2, "bias") * node.attribute("beta", 1.0)
        shape = value.view.value_shape
        if shape[-1] != matrix.shape[0]:
            raise node.unsupported(
                f"input {list(shape)} does not fit a matrix {list(matrix.shape)}"
            )
        outputs = int(matrix.shape[1])
        try:
            biases = np.ascontiguousarray(np.broadcast_to(bias, (1, outputs))[0])
        except ValueError:
            raise node.unsupported(
                f"bias of shape {list(bias.shape)} does not fit {outputs} outputs"
            ) from None
        self.multiply(node, value, matrix, {"bias": biases}, DenseAttributes(outputs),
                      ConvAttributes(outputs, 1, Window((1, 1))))  # fmt: skip

    def multiply(
        self,
        node: NodeImporter,
        value: Value,
        matrix: np.ndarray,
        of_outputs: Mapping[str, np.ndarray],
        attributes: DenseAttributes,
        rows: ConvAttributes,
        kind: DataType | None = None,
    ) -> None:
        """Bind the node's output to a layer that multiplies by a matrix (inputs, outputs), with
        other weights `of_outputs`; where the value has several rows, which are pixels then, to a
        convolution with the attributes `rows`. `kind`: see `node.add`."""
        if int(np.prod(value.view.value_shape[:-1])) == 1:
            self._vector(node, value, matrix, of_outputs, attributes, kind)
        else:
            self._rows(node, value, matrix, of_outputs, rows, kind)

    def _vector(
        self,
        node: NodeImporter,
        value: Value,
        matrix: np.ndarray,
        of_outputs: Mapping[str, np.ndarray],
        attributes: DenseAttributes,
        kind: DataType | None,
    ) -> None:
        tensor, outputs = value.tensor, attributes.outputs
        weight = matrix.T
        if not value.view.keeps_order:  # columns follow the canonical order of the feature map
            weight = np.empty_like(weight)
            weight[:, value.view.indices.ravel()] = matrix.T
        weights = {"weight": weight.reshape(outputs, *tensor.shape), **of_outputs}
        result = node.add(
            self.name, attributes, [tensor], (outputs, 1, 1), weights=weights, kind=kind
        )
        shape = (*value.view.value_shape[:-1], outputs)
        node.bind(result, View((1, outputs, 1, 1)).then("reshape", shape))

    def _rows(
        self,
        node: NodeImporter,
        value: Value,
        matrix: np.ndarray,
        of_outputs: Mapping[str, np.ndarray],
        attributes: ConvAttributes,
        kind: DataType | None,
    ) -> None:
        """Several rows are the pixels of a 1x1 convolution."""
        rows, features = int(np.prod(value.view.value_shape[:-1])), matrix.shape[0]
        view = value.view.then("reshape", (1, 1, rows, features)).then("transpose", (0, 3, 1, 2))
        tensor = node.canonical(type(value)(value.tensor, view))
        outputs = attributes.filters
        weights = {"weight": matrix.T.reshape(outputs, features, 1, 1), **of_outputs}
        op = self.makes[0]
        result = node.add(op, attributes, [tensor], (outputs, 1, rows), weights=weights, kind=kind)
        shape = (*value.view.value_shape[:-1], outputs)
        node.bind(
            result,
            View((1, outputs, 1, rows)).then("transpose", (0, 2, 3, 1)).then("reshape", shape),
        )

    def as_convolution(self, attributes: DenseAttributes, window: Window) -> ConvAttributes:
        """The attributes of the convolution, of the operator that it makes first, which computes
        the same with a window as large as its input."""
        return ConvAttributes(attributes.outputs, 1, window)

    def output_shape(self, attributes: DenseAttributes, inputs: Sequence[Shape]) -> Shape:
        """(outputs, 1, 1)."""
        return (attributes.outputs, 1, 1)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Weight matrix times the flattened image, plus bias."""
        weight = layer.weights["weight"]
        result: np.ndarray = weight.reshape(len(weight), -1) @ inputs[0].astype(np.float64).ravel()
        result += layer.weights["bias"]
        return result[:, None, None]

    def work(self, layer: Layer, graph: Graph) -> Work:
        """MACs = the size of the matrix."""
        size = layer.weights["weight"].size
        return Work(macs=size, weights=size + layer.weights["bias"].size)

    # ---- layered

    def layered_arrays(self, layer: Layer) -> dict[str, np.ndarray]:
        """The matrix with its columns in [H][W][C] order."""
        return {
            "weight": layer.weights["weight"].transpose(0, 2, 3, 1),
            "bias": layer.weights["bias"],
        }

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """Some outputs at a time, through all inputs."""
        values = graph.tensors[layer.inputs[0]].size
        entries = layer.attributes.outputs // kernel.output_width
        return (plain_nest(entries, (values // kernel.input_width,)),)

    # ---- pipelined

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """Every input vector meets all output vectors, lane by lane where weights stream from
        memory."""
        if kernel.nonzeros_per_lane:
            return self.skipping_nest(layer, graph, kernel)
        tensor, lanes = graph.tensors[layer.inputs[0]], kernel.input_width
        types = self.roles(layer, graph)
        n = Loop("n", self.input_vectors(layer, graph, kernel), arrives=True, reduces=True)
        o = Loop("o", vectors(layer.attributes.outputs, kernel.output_width))
        weights = Vector(types.weight, kernel.output_width)
        streams = kernel.row_tiles > 0
        lane = Loop("lane" if streams else "i", lanes, reduces=streams, unrolled=not streams)
        loops = (n, lane, o) if streams else (n, o, lane)
        count = vectors(tensor.channels, lanes)
        return Nest(
            what=f"{layer.attributes.outputs} outputs of {tensor.size} inputs",
            lanes=kernel.output_width,
            sources=(Source(Vector(types.operand, lanes), tensor.pixels, count),),
            loops=loops,
            combine=Combine("multiply", lane.name),
            weights=None if streams else resident_weights(loops, weights),
            streamed=weights if streams else None,
            bias=bias_array(loops, Vector(types.accumulator, kernel.output_width)),
            epilogue=self.epilogue(layer, graph, kernel),
            partial_sums=kernel.partial_sums,
            types=types,
        )

    def skipping_nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """All inputs come in, then lists of non-zero weights are worked through."""
        tensor, types = graph.tensors[layer.inputs[0]], self.roles(layer, graph)
        inputs = self.input_vectors(layer, graph, kernel)
        loops, word = skip.loops(layer, kernel, inputs), Vector(types.operand, kernel.input_width)
        return Nest(
            what=f"{layer.attributes.outputs} outputs of {tensor.size} inputs; zeros are skipped",
            lanes=kernel.output_width,
            sources=(Source(word, tensor.pixels, vectors(tensor.channels, word.lanes)),),
            loops=loops,
            combine=Combine("multiply"),
            bias=bias_array(loops[1:], Vector(types.accumulator, kernel.output_width)),
            epilogue=self.epilogue(layer, graph, kernel),
            partial_sums=kernel.partial_sums,
            memories=skip.memories(layer, kernel, inputs, types),
            fills=True,
            types=types,
        )

    def indexed_weights(self, layer: Layer, kernel: KernelPlan) -> Weights:
        """Inputs in the order in which they arrive."""
        rows = input_rows(layer.weights["weight"], kernel.input_width)
        return Weights(
            rows.reshape(1, *rows.shape, 1),
            filter=Index((("o", kernel.output_width),)),
            input=Index((("n", kernel.input_width), ("i", 1), ("lane", 1))),
        )

    def pipelined_stream(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> np.ndarray:
        """Where zeros are skipped: values and places."""
        if not kernel.nonzeros_per_lane:
            return super().pipelined_stream(layer, graph, kernel)
        rows = input_rows(layer.weights["weight"], kernel.input_width)
        lists = skip.entries(layer, kernel, rows[:, None])
        return np.concatenate([*self.pipelined_constants(layer, graph, kernel), lists])

    def same_width(self, layer: Layer) -> bool:
        """Input and output widths are free."""
        return False

    def row_tile_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """Every weight is needed once an image."""
        return (0,) if kernel.nonzeros_per_lane else (0, 1)

    def streamed_values(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """All weights once."""
        steps, outputs = self.reduction(layer, graph, kernel)
        return steps * outputs * kernel.output_width if kernel.row_tiles else 0

    def nonzeros_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """Where the weights are sparse."""
        return skip.nonzeros_options(layer, self.input_vectors(layer, graph, kernel), kernel)

    def nonzeros_per_vector_options(self, layer: Layer, kernel: KernelPlan) -> tuple[int, ...]:
        """Where the weights are on chip."""
        if kernel.row_tiles or kernel.nonzeros_per_lane:
            return (0,)
        return n_of_m.options(layer, kernel.input_width)

    def input_vectors(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Vectors of the whole input."""
        source = graph.tensors[layer.inputs[0]]
        return source.pixels * vectors(source.channels, kernel.input_width)

    # ---- folded

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """Runs of output vectors, each short enough that its weights fit one stream; without the
        zeros where that pays."""
        tensor, total = (
            graph.tensors[layer.inputs[0]],
            vectors(layer.attributes.outputs, engines.width),
        )
        counts = row_counts(layer.weights["weight"])
        if not layer.narrow and is_worthwhile(counts, tensor.size, engines.burst):
            length = max(1, LARGEST_STREAM // (row_words(counts, engines.burst) * engines.burst))
            return tuple(
                StepPlan(layer.name, "sparse", 1, 1, 1, first, min(length, total - first))
                for first in range(0, total, length)
            )
        stream = tensor.pixels * vectors(tensor.channels, engines.width) * engines.width
        run = max(1, min(total, LARGEST_STREAM // stream))
        return tuple(
            StepPlan(
                layer.name,
                self.engine,
                1,
                1,
                min(engines.group, total - first, run),
                first,
                min(run, total - first),
            )
            for first in range(0, total, run)
        )

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """The whole feature map is read once, as one row of vectors."""
        tensor = graph.tensors[layer.inputs[0]]
        return {
            "in_rows": tensor.height,
            "in_columns": tensor.width,
            "in_groups": 1,
            "in_vectors": vectors(tensor.channels, engines.width),
        }

    def folded_weights(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> np.ndarray:
        """The rows of a step's outputs, columns in the order in which the engine keeps the input:
        pixel, padded channels."""
        first = step.first_vector * engines.width
        return input_rows(
            layer.weights["weight"][first : first + step.vector_count * engines.width],
            engines.width,
        )


def input_rows(weight: np.ndarray, width: int) -> np.ndarray:
    """A weight (outputs, C, H, W) as rows (outputs, input values) in the order pixel, channel,
    channels padded to whole vectors."""
    return pad_axis(weight.transpose(0, 2, 3, 1), 3, width).reshape(len(weight), -1)


def has_constants(node: NodeImporter) -> bool:
    """Whether a Gemm's right-hand matrix and bias are constants."""
    return all(node.constant(i) is not None for i in (1, 2) if node.input_name(i))


def general_product(node: NodeImporter) -> None:
    """A Gemm of which more than the left-hand matrix is computed at run time."""
    operands: list[Any] = []
    for position, name in enumerate(("transA", "transB")):
        constant = node.constant(position)
        if constant is not None:
            operands.append(constant.T if node.attribute(name, 0) else constant)
        elif node.attribute(name, 0):
            operands.append(apply(node, "Transpose", node.value(position), perm=[1, 0]))
        else:
            operands.append(node.value(position))
    result = apply(node, "MatMul", *operands)
    if (alpha := node.attribute("alpha", 1.0)) != 1:
        result = apply(node, "Mul", result, number(alpha))
    if node.input_name(2):
        addend, beta = node.constant(2), node.attribute("beta", 1.0)
        if addend is None:
            factor = number(beta)
            result = apply(node, "Add", result, apply(node, "Mul", node.value(2), factor))
        else:
            result = apply(node, "Add", result, addend * np.float32(beta))
    node.bind(result.tensor, result.view)


OPERATOR = Dense()
