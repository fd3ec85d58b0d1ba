"""Quantisation to 8 bits with onnxruntime's `quantize_static`: QDQ, uint8 activations, int8 weights
with a scale an output channel."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hlsgen.data.evaluate import input_shape
from hlsgen.errors import HlsgenError, ModelError
from hlsgen.files import Scratch
from hlsgen.frontend.model import first_line
from hlsgen.onnxruntime_session import runtime

METHODS = {"minmax": "MinMax", "percentile": "Percentile"}
# Share of the values that a range holds under "percentile". 99.9 costs MobileNetV2 2 of 16 right
# answers, 99.999 none (docs/quantisation.md).
PERCENTILE = 99.999
# Operators that onnxruntime computes on integers, or that only move bytes. What is not listed stays
# float between DequantizeLinear and QuantizeLinear: quantising its result gains nothing.
OPERATORS = (
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Relu",
    "Clip",
    "LeakyRelu",
    "Sigmoid",
    "AveragePool",
    "GlobalAveragePool",
    "MaxPool",
    "Concat",
    "Resize",
    "Transpose",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Split",
)
ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "Sigmoid")
INSTALL = "pip install 'hlsgen[onnxruntime]'"

# Called with how many pictures are done, and of how many.
Progress = Callable[[int, int], None]


def silent(done: int, of: int) -> None:
    """Progress that nobody sees."""


class Reader:
    """Feeds calibration inputs `(N, ...)`, a batch of the network at a time, to onnxruntime."""

    def __init__(self, model: onnx.ModelProto, inputs: np.ndarray, progress: Progress = silent):
        known = {tensor.name for tensor in model.graph.initializer}
        self.name = next(v.name for v in model.graph.input if v.name not in known)
        self.inputs, self.progress, self.done = inputs, progress, 0
        self.size = input_shape(model)[0]

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by input name; None after the last."""
        part = self.inputs[self.done : self.done + self.size]
        if len(part) < self.size:
            return None
        self.done += self.size
        self.progress(self.done, len(self.inputs))
        return {self.name: part}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        while (fed := self.get_next()) is not None:
            yield fed


def tools() -> Any:
    """onnxruntime's quantisation package. Raises HlsgenError where it is missing."""
    try:
        runtime()
        from onnxruntime import quantization
    except ImportError as error:
        raise HlsgenError(
            f"quantising needs onnxruntime ({error})", where="quantise", remedy=INSTALL
        ) from None
    return quantization


@contextmanager
def without_advice() -> Iterator[None]:
    """Silences advice to preprocess the network, which is done, and what calibration prints."""

    def other(record: logging.LogRecord) -> bool:
        return "pre-process" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(other)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.removeFilter(other)


def with_activations(graph: onnx.GraphProto, names: Sequence[str]) -> list[str]:
    """The nodes called so and the activations behind them: a float result is not to be rounded
    over all of its range, and clipped then."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for node in graph.node:
        if node.name in names:
            found.append(node.name)
            found += [r.name for r in readers.get(node.output[0], []) if r.op_type in ACTIVATIONS]
    return found


def shielded(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The network with a Sum of one term behind each of these nodes. Without one, onnxruntime
    rounds the weights of a float layer between DequantizeLinear and QuantizeLinear itself, and no
    scale an output channel then."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        if node.name in names:
            result = node.output[0]
            node.output[0] = f"{result}/float"
            nodes.append(onnx.helper.make_node("Sum", [node.output[0]], [result]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def quantised(
    model: onnx.ModelProto,
    inputs: np.ndarray,
    method: str = "minmax",
    keep: Sequence[str] = (),
    progress: Progress = silent,
) -> onnx.ModelProto:
    """A prepared network (`hlsgen.quantise.prepare`) as QDQ, calibrated on inputs `(N, ...)`; the
    nodes in `keep` stay float. Raises ModelError."""
    kit = tools()
    with Scratch() as folder, without_advice():
        out = Path(folder) / "quantised.onnx"
        try:
            kit.quantize_static(
                # A copy: calibration moves the weights of what it is given into files.
                deepcopy(model),
                out,
                Reader(model, inputs, progress),
                quant_format=kit.QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                activation_type=kit.QuantType.QUInt8,
                weight_type=kit.QuantType.QInt8,
                nodes_to_exclude=with_activations(model.graph, keep),
                calibrate_method=kit.CalibrationMethod[METHODS[method]],
                extra_options={"CalibPercentile": PERCENTILE},
            )
        except Exception as error:  # onnxruntime's tools raise many kinds
            raise ModelError(
                f"onnxruntime cannot quantise it ({first_line(error)})", where="model"
            ) from None
        return shielded(onnx.load(out), keep)
