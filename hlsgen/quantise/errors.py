"""What quantising one layer alone does, to its own result and to the network's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import make_node, make_tensor_value_info

from hlsgen.data.evaluate import input_shape
from hlsgen.onnxruntime_session import session
from hlsgen.quantise.network import QuantisedLayer, quantised_layers
from hlsgen.quantise.static import Reader

FLOAT = onnx.TensorProto.FLOAT


@dataclass(frozen=True)
class LayerError:
    """Error of a layer's result, its input and weights rounded and all else exact. `mean` is a
    number an output channel, `signal` and `noise` are sums of squares."""

    mean: np.ndarray
    signal: float
    noise: float

    @property
    def decibels(self) -> float:
        """Ratio of signal to noise, dB."""
        return decibels(self.signal, self.noise)


def decibels(signal: float, noise: float) -> float:
    """A ratio of powers in dB; infinite without noise."""
    return 10 * log10(signal / noise) if noise > 0 and signal > 0 else inf


class Twice:
    """A float network in which every layer that another network has quantised runs twice on the
    same input, float and quantised; a switch a layer says which result goes on."""

    def __init__(self, model: onnx.ModelProto, quantised: onnx.ModelProto):
        self.layers = quantised_layers(quantised)
        self.axes = {n.name: 1 if n.op_type == "Conv" else -1 for n in model.graph.node}
        self.results = [output.name for output in model.graph.output]
        self.model = model
        self.session = session(
            twice(model, quantised, self.layers).SerializeToString(), as_written=True
        )

    def run(
        self, inputs: np.ndarray, names: Sequence[str], switched: str = ""
    ) -> Iterator[list[np.ndarray]]:
        """The values called `names`, batch by batch, with at most one layer quantised."""
        switches = {
            f"{name}/switch": np.array(name == switched, np.float32) for name in self.layers
        }
        for fed in Reader(self.model, inputs):
            values = self.session.run(list(names), fed | switches)
            yield [value.astype(np.float64) for value in values]

    def errors(self, inputs: np.ndarray) -> dict[str, LayerError]:
        """The error of every layer's own result by node name, over inputs `(N, ...)`."""
        names = [f"{name}/{kind}" for name in self.layers for kind in ("exact", "error")]
        batches = len(inputs) // input_shape(self.model)[0]
        found: dict[str, LayerError] = {}
        for values in self.run(inputs, names) if names else ():
            for name, exact, error in zip(self.layers, values[::2], values[1::2], strict=True):
                others = tuple(np.delete(np.arange(error.ndim), self.axes[name]))
                one = LayerError(
                    error.mean(axis=others) / batches,
                    float(np.square(exact).sum()),
                    float(np.square(error).sum()),
                )
                found[name] = one if name not in found else added(found[name], one)
        return found

    def influences(self, inputs: np.ndarray) -> dict[str, float]:
        """Noise of the network's results by the layer that alone is quantised: sums of squares."""
        exact = [values for values in self.run(inputs, self.results)]
        return {
            name: sum(
                float(np.square(a - b).sum())
                for one, other in zip(exact, self.run(inputs, self.results, name), strict=True)
                for a, b in zip(one, other, strict=True)
            )
            for name in self.layers
        }


def added(a: LayerError, b: LayerError) -> LayerError:
    """Errors over more pictures; the means are shares of a mean over all."""
    return LayerError(a.mean + b.mean, a.signal + b.signal, a.noise + b.noise)


def twice(
    model: onnx.ModelProto, quantised: onnx.ModelProto, layers: dict[str, QuantisedLayer]
) -> onnx.ModelProto:
    """The network of `Twice`: a scalar input `LAYER/switch` more for every layer, `LAYER/exact` and
    `LAYER/error` among its outputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    parameters = {t.name: t for t in quantised.graph.initializer}
    known = {t.name for t in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        layer = layers.get(node.name)
        if layer is None:
            nodes.append(node)
            continue
        new = sorted(set(layer.input) - known)
        graph.initializer.extend(parameters[name] for name in new)
        known |= set(new)
        graph.initializer.append(numpy_helper.from_array(layer.weights, f"{node.name}/weights"))
        nodes += switched(node, layer)
        graph.input.append(make_tensor_value_info(f"{node.name}/switch", FLOAT, []))
        for kind in ("exact", "error"):
            graph.output.append(make_tensor_value_info(f"{node.name}/{kind}", FLOAT, None))
    del graph.node[:]
    graph.node.extend(nodes)
    return result


def switched(node: onnx.NodeProto, layer: QuantisedLayer) -> list[onnx.NodeProto]:
    """A layer as float and as quantised: exact + switch x (quantised - exact)."""

    def name(step: str) -> str:
        return f"{node.name}/{step}"

    exact, copied = onnx.NodeProto(), onnx.NodeProto()
    exact.CopyFrom(node)
    copied.CopyFrom(node)
    exact.output[0] = name("exact")
    copied.name = copied.output[0] = name("rounded")
    copied.input[0], copied.input[1] = name("input"), name("weights")
    return [
        exact,
        make_node("QuantizeLinear", [node.input[0], *layer.input], [name("integers")]),
        make_node("DequantizeLinear", [name("integers"), *layer.input], [name("input")]),
        copied,
        make_node("Sub", [name("rounded"), name("exact")], [name("error")]),
        make_node("Mul", [name("error"), name("switch")], [name("part")]),
        make_node("Add", [name("exact"), name("part")], [node.output[0]]),
    ]
