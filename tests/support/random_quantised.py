"""Random small quantised networks of all operators on integers, with ties on demand: scales are
powers of two then, and zero points odd, so that what is rounded often lies half way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from tests.support.quantised import Builder


@dataclass(frozen=True)
class Map:
    """A quantised value: its name, shape, about how far its values spread, and its scale's name."""

    name: str
    shape: tuple[int, ...]
    spread: float
    scale: str


class RandomNetwork(Builder):
    """Grows a network step by step from `maps`."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        kind = np.uint8 if rng.random() < 0.5 else np.int8
        super().__init__(seed, kind, bool(rng.random() < 0.6))
        shape = (1, int(self.rng.integers(1, 9)), *(int(n) for n in self.rng.integers(5, 9, 2)))
        self.maps = [self.end(self.input(shape), shape, 2.0)]
        self.wide = shape[1] > 1

    def end(self, value: str, shape: tuple[int, ...], spread: float, lowest: bool = False) -> Map:
        """Quantises a value so that most of it is kept."""
        size = spread * self.rng.uniform(2, 5) / 128
        zero = np.iinfo(self.kind).min if lowest else None
        pair = self.pair(size, size * 1.01, zero)
        return Map(self.quantised(value, pair), shape, spread, pair[0])

    def step(self) -> None:
        """One operator more."""
        steps = [
            self.conv, self.conv, self.depthwise, self.grouped, self.max_pool, self.average_pool,
            self.add, self.concat, self.leaky, self.sigmoid, self.relu, self.hard_swish, self.gate,
        ]  # fmt: skip
        steps[self.rng.integers(len(steps))](self.maps[-1])

    def convolution(self, x: Map, filters: int, group: int) -> None:
        kernel = int(self.rng.choice([1, 3])) if min(x.shape[2:]) >= 3 else 1
        pad, stride = int(self.rng.integers(0, kernel // 2 + 1)), int(self.rng.integers(1, 3))
        inputs = x.shape[1] // group
        axis = 0 if self.rng.random() < 0.7 else None
        weight, scale = self.weight((filters, inputs, kernel, kernel), axis)
        spread = (
            x.spread
            * np.sqrt(inputs * kernel * kernel)
            * 70
            * float(np.mean(self.constants[scale]))
        )
        given = [x.name, weight]
        choice = self.rng.integers(3)
        if choice == 1:
            given.append(self.bias(filters, x.scale, scale, 500))
        if choice == 2:
            given.append(
                self.constant("fb", (spread * self.rng.normal(size=filters)).astype(np.float32))
            )
        y = self.node("Conv", given, group=group, pads=[pad] * 4, strides=[stride] * 2)
        shape = tuple((n + 2 * pad - kernel) // stride + 1 for n in x.shape[2:])
        relu = self.rng.random() < 0.5
        y = self.node("Relu", [y]) if relu else y
        self.maps.append(self.end(y, (1, filters, *shape), spread, relu))

    def conv(self, x: Map) -> None:
        self.convolution(x, int(self.rng.integers(1, 12)), 1)

    def depthwise(self, x: Map) -> None:
        self.convolution(x, x.shape[1], x.shape[1])

    def grouped(self, x: Map) -> None:
        group = 2 if x.shape[1] % 2 == 0 else 1
        self.convolution(x, 4 * group, group)

    def max_pool(self, x: Map) -> None:
        if min(x.shape[2:]) < 3:
            return
        y = self.node("MaxPool", [x.name], kernel_shape=[2, 2], strides=[2, 1], pads=[1, 0, 0, 0])
        shape = (*x.shape[:2], (x.shape[2] - 1) // 2 + 1, x.shape[3] - 1)
        if self.rng.random() < 0.5:
            own = next(n for n in self.nodes if n.output[0] == x.name).input[1:]
            self.maps.append(Map(self.quantised(y, list(own)), shape, x.spread, x.scale))
        else:
            self.maps.append(self.end(y, shape, x.spread))

    def average_pool(self, x: Map) -> None:
        if min(x.shape[2:]) < 3:
            return
        pad, counted = int(self.rng.integers(2)), int(self.rng.integers(2))
        y = self.node(
            "AveragePool", [x.name], kernel_shape=[3, 2], pads=[pad] * 4, count_include_pad=counted
        )
        shape = (*x.shape[:2], x.shape[2] + 2 * pad - 2, x.shape[3] + 2 * pad - 1)
        self.maps.append(self.end(y, shape, x.spread / 2))

    def add(self, x: Map) -> None:
        others = [m for m in self.maps if m.shape == x.shape]
        other = others[self.rng.integers(len(others))]
        y = self.node("Add", [x.name, other.name])
        self.maps.append(self.end(y, x.shape, x.spread + other.spread))

    def gate(self, x: Map) -> None:
        pooled = self.end(
            self.node("GlobalAveragePool", [x.name]), (1, x.shape[1], 1, 1), x.spread / 4
        )
        y = self.node("Mul", [x.name, pooled.name])
        self.maps.append(self.end(y, x.shape, x.spread * pooled.spread))

    def concat(self, x: Map) -> None:
        others = [m for m in self.maps if m.shape[2:] == x.shape[2:] and len(m.shape) == 4]
        other = others[self.rng.integers(len(others))]
        if x.shape[1] + other.shape[1] > 24:
            return
        y = self.node("Concat", [x.name, other.name], axis=1)
        shape = (1, x.shape[1] + other.shape[1], *x.shape[2:])
        self.maps.append(self.end(y, shape, max(x.spread, other.spread)))

    def leaky(self, x: Map) -> None:
        self.maps.append(self.end(self.node("LeakyRelu", [x.name], alpha=0.25), x.shape, x.spread))

    def sigmoid(self, x: Map) -> None:
        self.maps.append(self.end(self.node("Sigmoid", [x.name]), x.shape, 0.5))

    def relu(self, x: Map) -> None:
        self.maps.append(self.end(self.node("Relu", [x.name]), x.shape, x.spread))

    def hard_swish(self, x: Map) -> None:
        self.maps.append(self.end(self.node("HardSwish", [x.name]), x.shape, x.spread))

    def head(self) -> str:
        """Pooling or flattening, and a fully connected layer to float32 or integers."""
        x = self.maps[-1]
        if self.rng.random() < 0.5:
            x = self.end(
                self.node("GlobalAveragePool", [x.name]), (1, x.shape[1], 1, 1), x.spread / 3
            )
        own = list(next(n for n in self.nodes if n.output[0] == x.name).input[1:])
        flat = self.quantised(self.node("Flatten", [x.name]), own)
        size = int(np.prod(x.shape))
        weight, scale = self.weight((size, 5), 1 if self.rng.random() < 0.5 else None)
        y = self.node("Gemm", [flat, weight, self.bias(5, x.scale, scale, 500)])
        spread = x.spread * np.sqrt(size) * 70 * float(np.mean(self.constants[scale]))
        return y if self.rng.random() < 0.3 else self.end(y, (1, 5), spread).name


def random_network(seed: int, steps: int = 4) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A network and inputs for it."""
    b = RandomNetwork(seed)
    for _ in range(steps):
        b.step()
    return b.model(b.head(), b.maps[-1].name), b.feeds()
