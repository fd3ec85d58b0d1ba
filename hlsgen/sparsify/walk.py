"""A network run on a set of pictures from layer to layer, its weights changing on the way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype

from hlsgen.data.evaluate import input_shape
from hlsgen.errors import ModelError
from hlsgen.frontend.model import first_line
from hlsgen.onnxruntime_session import session
from hlsgen.sparsify.weights import tensors_of


class Walk:
    """The values that lie between two nodes of a network, for every batch of the inputs
    `(N, ...)`. It holds no others, and computes each once. Raises ModelError for fewer inputs than
    a batch."""

    def __init__(self, model: onnx.ModelProto, inputs: np.ndarray):
        constants = tensors_of(model)
        self.model = model
        self.nodes = [node for node in model.graph.node if node.output[0] not in constants]
        self.last = {name: i for i, node in enumerate(self.nodes) for name in node.input}
        entry = next(v.name for v in model.graph.input if v.name not in constants)
        size = input_shape(model)[0]
        whole = len(inputs) // size * size
        if not whole:
            raise ModelError(
                f"it takes {size} pictures at a time, {len(inputs)} calibrate",
                where="--calibrate",
                remedy="give more pictures",
            )
        self.live = {entry: [inputs[i : i + size] for i in range(0, whole, size)]}
        self.batches = whole // size
        self.at = 0

    def advance(self, place: int, constants: Mapping[str, onnx.TensorProto]) -> None:
        """Go on to before node `place`, with these constants. Raises ModelError."""
        nodes = self.nodes[self.at : place]
        self.at = place
        made = {name for node in nodes for name in node.output if name}
        read = {name for node in nodes for name in node.input if name} - made
        results = [name for name in made if self.last.get(name, -1) >= place]
        if results:
            entries = sorted(read & self.live.keys())
            graph = onnx.GraphProto(name="segment", node=nodes)
            for name in sorted(read & constants.keys()):
                graph.initializer.add().CopyFrom(constants[name])
                graph.initializer[-1].name = name
            graph.input.extend(
                make_tensor_value_info(
                    name, np_dtype_to_tensor_dtype(self.live[name][0].dtype), None
                )
                for name in entries
            )
            graph.output.extend(onnx.ValueInfoProto(name=name) for name in results)
            self.run(graph, entries, results)
        self.live = {k: v for k, v in self.live.items() if self.last.get(k, -1) >= place}

    def run(self, graph: onnx.GraphProto, entries: list[str], results: list[str]) -> None:
        """Compute some nodes, batch by batch. Raises ModelError."""
        segment = onnx.ModelProto(
            ir_version=self.model.ir_version,
            opset_import=self.model.opset_import,
            functions=self.model.functions,
            graph=graph,
        )
        try:
            running = session(segment.SerializeToString())
            values = [
                running.run(results, {name: self.live[name][batch] for name in entries})
                for batch in range(self.batches)
            ]
        except Exception as error:  # onnxruntime raises kinds of its own
            raise ModelError(
                f"onnxruntime cannot run it ({first_line(error)})", where="model"
            ) from None
        self.live |= {name: [v[i] for v in values] for i, name in enumerate(results)}
