"""Quantised networks for tests, and onnxruntime as it fuses them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from hlsgen.host.validation import validate
from hlsgen.onnxruntime_session import session
from hlsgen.validation import Reference


class Builder:
    """A network of QuantizeLinear, DequantizeLinear and what stands between."""

    def __init__(self, seed: int, kind: type = np.uint8, ties: bool = False, opset: int = 17):
        self.rng = np.random.default_rng(seed)
        self.kind, self.ties, self.opset = kind, ties, opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.inputs: list[str] = []
        self.count = 0

    def name(self, base: str) -> str:
        self.count += 1
        return f"{base}{self.count}"

    def constant(self, base: str, value) -> str:
        name = self.name(base)
        self.constants[name] = np.asarray(value)
        return name

    def node(self, op: str, inputs: list[str], domain: str = "", **attributes) -> str:
        result = self.name("v")
        made = helper.make_node(op, inputs, [result], f"{op.lower()}_{self.count}", domain=domain)
        made.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(made)
        return result

    def input(self, shape: tuple[int, ...]) -> str:
        name = self.name("x")
        self.inputs.append(name)
        self.shapes[name] = shape
        return name

    def scale(self, low: float = 0.01, high: float = 0.1) -> np.float32:
        """A scale: a power of two where ties are wanted."""
        found = self.rng.uniform(low, high)
        return np.float32(2.0 ** round(np.log2(found)) if self.ties else found)

    def zero(self):
        info = np.iinfo(self.kind)
        middle = (info.min + info.max) // 2
        return self.kind(middle + 2 * self.rng.integers(-20, 20) + 1)

    def pair(self, low: float = 0.01, high: float = 0.1, zero=None) -> list[str]:
        z = self.zero() if zero is None else self.kind(zero)
        return [self.constant("s", self.scale(low, high)), self.constant("z", z)]

    def quantised(self, value: str, pair: list[str] | None = None, **scales) -> str:
        """QuantizeLinear and DequantizeLinear."""
        own = pair or self.pair(**scales)
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [value, *own]), *own])

    def weight(
        self, shape: tuple[int, ...], axis: int | None, low=-128, high=128
    ) -> tuple[str, str]:
        """A constant behind DequantizeLinear, and the name of its scale."""
        values = self.rng.integers(low, high, shape).astype(np.int8)
        count = () if axis is None else (shape[axis],)
        scale = np.broadcast_to(self.scale(0.002, 0.02), count).copy()
        if axis is not None and not self.ties:
            scale = self.rng.uniform(0.002, 0.02, count).astype(np.float32)
        s = self.constant("ws", scale)
        given = [self.constant("w", values), s, self.constant("wz", np.zeros(count, np.int8))]
        extra = {} if axis is None else {"axis": axis}
        return self.node("DequantizeLinear", given, **extra), s

    def bias(self, count: int, x_scale: str, weight_scale: str, spread: int = 3000) -> str:
        values = self.rng.integers(-spread, spread, count).astype(np.int32)
        scale = (self.constants[x_scale] * self.constants[weight_scale]).astype(np.float32)
        zeros = np.zeros(np.shape(scale), np.int32)
        names = [self.constant(n, v) for n, v in (("b", values), ("bs", scale), ("bz", zeros))]
        extra = {"axis": 0} if np.ndim(scale) else {}
        return self.node("DequantizeLinear", names, **extra)

    def model(self, *outputs: str) -> onnx.ModelProto:
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        starts = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])
            for name in self.inputs
        ]
        used = {name for node in self.nodes for name in node.input}
        kept = [numpy_helper.from_array(v, k) for k, v in self.constants.items() if k in used]
        graph = helper.make_graph(self.nodes, "quantised", starts, ends, kept)
        found = helper.make_model(
            graph,
            opset_imports=[
                helper.make_opsetid("", self.opset),
                helper.make_opsetid("com.microsoft", 1),
            ],
            ir_version=8,
        )
        return found

    def feeds(self, images: int = 1) -> dict[str, np.ndarray]:
        return {
            name: self.rng.uniform(-4, 4, (images, *self.shapes[name][1:])).astype(np.float32)
            for name in self.inputs
        }


def joined_network() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A convolution, its sum with the input, a product, averages of windows and of all; inputs."""
    b = Builder(3, np.uint8)
    x = b.quantised(b.input((1, 8, 8, 8)))
    weight, _ = b.weight((8, 8, 3, 3), 0)
    y = b.quantised(b.node("Conv", [x, weight], pads=[1] * 4), low=0.2, high=0.4)
    b.nodes[-3].name = "conv"
    total = b.quantised(b.node("Add", [y, x]), low=0.3, high=0.5)
    mean = b.quantised(b.node("AveragePool", [total], kernel_shape=[2, 2], strides=[2, 2]))
    whole = b.quantised(b.node("GlobalAveragePool", [mean]))
    return b.model(b.quantised(b.node("Mul", [mean, whole]), low=0.3, high=0.5)), b.feeds(2)


def fused_by_onnxruntime(model: onnx.ModelProto, folder) -> onnx.ModelProto:
    """The model with the operators that onnxruntime makes of it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.optimized_model_filepath = str(folder / "fused.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return onnx.load(folder / "fused.onnx")


def operators(nodes) -> Counter:
    """How often each operator on integers stands there."""
    return Counter(
        n.op_type for n in nodes if n.op_type.startswith(("QLinear", "QGemm", "MatMulI"))
    )


def by_onnxruntime(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs as onnxruntime computes them on integers."""
    return session(model.SerializeToString()).run(None, feeds)


def assert_equal(design, feeds, *, strict=False, exact=True) -> set[str]:
    """All integer layers equal the references, and the outputs (if `exact`) those of onnxruntime.
    Returns the names of the former."""
    reference = Reference(design, feeds)
    verdict, outputs = validate(design, feeds, reference, strict=strict)
    assert verdict["ok"], verdict["first_wrong_layer"]
    graph = reference.graph
    whole = {layer.name for layer in graph.layers if graph.output_tensor(layer).type.integer}
    assert whole and all(x["max_abs_error"] == 0 for x in verdict["layers"] if x["name"] in whole)
    witness = reference.against_onnxruntime(outputs)
    assert witness["ok"] and (witness["max_abs_error"] == 0 or not exact)
    return whole


def quantised_statically(
    model: onnx.ModelProto, folder, kind: type = np.uint8, excluded: tuple[str, ...] = ()
) -> onnx.ModelProto:
    """A float32 model as onnxruntime's own tool quantises it: per channel, QDQ."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Noise(CalibrationDataReader):
        def __init__(self):
            rng, (port, *_) = np.random.default_rng(0), model.graph.input
            shape = [d.dim_value or 1 for d in port.type.tensor_type.shape.dim]
            feeds = ({port.name: rng.normal(size=shape).astype(np.float32)} for _ in range(4))
            self.feeds = feeds

        def get_next(self):
            return next(self.feeds, None)

    source, target = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(model, source)
    activations = QuantType.QUInt8 if kind is np.uint8 else QuantType.QInt8
    quantize_static(
        str(source), str(target), Noise(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=activations, weight_type=QuantType.QInt8,
        nodes_to_exclude=list(excluded),
    )  # fmt: skip
    return onnx.load(target)
