"""A small builder of ONNX networks with seeded He-normal weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class NetworkBuilder:
    """Appends ONNX nodes one after another; every method returns the name of its result.

    Values are NCHW float32 with a batch of 1. `channels` remembers the channels of each value.
    """

    def __init__(self, name: str, channels: int, size: int, seed: int):
        self.random = np.random.default_rng(seed)
        self.graph_name, self.size = name, size
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.channels = {"input": channels}
        self.input_shape = [1, channels, size, size]

    def constant(self, name: str, array: np.ndarray) -> str:
        """Store an initializer."""
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, channels: int, **attributes: Any) -> str:
        """Append a node with one output called `name`."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.channels[name] = channels
        return name

    def conv(
        self,
        x: str,
        name: str,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> str:
        """Convolution with He-normal weights (standard deviation sqrt(2 / fan-in)) and small
        biases."""
        per_group = self.channels[x] // groups
        scale = np.sqrt(2.0 / (per_group * kernel * kernel))
        weight = self.random.standard_normal(
            (filters, per_group, kernel, kernel), np.float32
        ) * np.float32(scale)
        inputs = [x, self.constant(f"{name}.weight", weight)]
        if bias:
            inputs.append(
                self.constant(
                    f"{name}.bias",
                    self.random.standard_normal(filters, np.float32) * np.float32(0.1),
                )
            )
        return self.node(
            "Conv",
            inputs,
            name,
            filters,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
        )

    def batch_norm(self, x: str, name: str, gain: float = 1.0) -> str:
        """BatchNormalization with plausible running statistics; `gain` scales gamma."""
        count = self.channels[x]
        gamma = self.random.uniform(0.8, 1.2, count) * gain
        values = {
            "gamma": gamma,
            "beta": self.random.normal(0, 0.1, count),
            "mean": self.random.normal(0, 0.1, count),
            "variance": self.random.uniform(0.5, 1.5, count),
        }
        names = [self.constant(f"{name}.{k}", v.astype(np.float32)) for k, v in values.items()]
        return self.node("BatchNormalization", [x, *names], name, count, epsilon=1e-5)

    def relu(self, x: str, name: str) -> str:
        """ReLU."""
        return self.node("Relu", [x], name, self.channels[x])

    def relu6(self, x: str, name: str) -> str:
        """Clip to 0..6."""
        low = self.constant(f"{name}.low", np.float32(0))
        high = self.constant(f"{name}.high", np.float32(6))
        return self.node("Clip", [x, low, high], name, self.channels[x])

    def pool(
        self, op: str, x: str, name: str, kernel: int, stride: int, pad: int = 0, ceil: bool = False
    ) -> str:
        """MaxPool or AveragePool."""
        attributes = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [pad] * 4,
            "ceil_mode": int(ceil),
        }
        return self.node(op, [x], name, self.channels[x], **attributes)

    def dropout(self, x: str, name: str, ratio: float = 0.5) -> str:
        """Dropout: something in training alone."""
        return self.node(
            "Dropout",
            [x, self.constant(f"{name}.ratio", np.float32(ratio))],
            name,
            self.channels[x],
        )

    def add(self, a: str, b: str, name: str) -> str:
        """Residual addition."""
        return self.node("Add", [a, b], name, self.channels[a])

    def concat(self, values: list[str], name: str) -> str:
        """Concatenation along channels."""
        return self.node("Concat", values, name, sum(self.channels[v] for v in values), axis=1)

    def global_pool(self, x: str, name: str = "pool") -> str:
        """Global average pooling and Flatten."""
        pooled = self.node("GlobalAveragePool", [x], name, self.channels[x])
        return self.flatten(pooled, self.channels[x])

    def flatten(self, x: str, features: int) -> str:
        """Flatten to (1, features)."""
        return self.node("Flatten", [x], f"{x}.flat", features, axis=1)

    def dense(self, x: str, name: str, outputs: int) -> str:
        """Fully connected layer (Gemm with transB)."""
        count = self.channels[x]
        weight = self.random.standard_normal((outputs, count), np.float32) * np.float32(
            np.sqrt(2.0 / count)
        )
        bias = self.random.standard_normal(outputs, np.float32) * np.float32(0.1)
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.node("Gemm", inputs, name, outputs, transB=1)

    def finish(self, x: str) -> onnx.ModelProto:
        """The model whose output is `x`."""
        result = self.nodes[-1]
        assert result.output[0] == x
        result.output[0] = "output"
        graph = helper.make_graph(
            self.nodes,
            self.graph_name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.input_shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
            self.initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="hlsgen zoo",
            ir_version=8,
        )
        return onnx.shape_inference.infer_shapes(model)


def scaled(channels: int, width: float) -> int:
    """Channels under a width multiplier, at least 8 and a multiple of 8 (as MobileNet's authors
    round)."""
    if width == 1.0:
        return channels
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded
