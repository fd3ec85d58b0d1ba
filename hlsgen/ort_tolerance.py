"""Comparison with onnxruntime, whose own functions are approximations: what they promise is not
held against a design.

The comparison with numpy knows no such allowance. Errors were measured against float64 over [-1000,
1000] (onnxruntime 1.32.0, x86-64):

* Sigmoid is a rational function of x kept within +-18: off by up to 1.4e-7, whatever its size (6.5
  times a result of 1.6e-8). SiLU is x times that.
* Elu and Selu take exp(x) - 1, off by half of 1's last bit, 2^-24, times their factors.
* Exp, Log, Tanh, Softplus, Softsign, Softmax and the rest are within 3e-7 of their own size: they
  need no allowance.

A model in float16 it computes in float16, each node's result rounded to 11 bits; the design does
not. `half_errors` allows for that.

`Activation.ort_error` holds these bounds. How they reach an output is the network's affair: its
reference is computed once more with each such function off by its bound, and what an output changes
by is allowed there. (All errors then have one sign, so layers that sum with weights of both signs
allow little: behind them results are large enough for the relative tolerance.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hlsgen.activation import Activation
from hlsgen.graph import Graph
from hlsgen.host.compare import Comparison, compare
from hlsgen.reference import run_network

Tensors = Mapping[str, np.ndarray]
HALF = "float16"
# Errors of rounding are random: those of one computation are a sample of what they may be.
MARGIN = 4


class Off(Activation):
    """An activation that is off by onnxruntime's error."""

    def reference(self, x: np.ndarray) -> np.ndarray:
        """The function plus its error."""
        return super().reference(x) + self.ort_error(x)


def compare_with_onnxruntime(
    graph: Graph, inputs: Tensors, outputs: Tensors, expected: Tensors, dtype: str
) -> dict[str, Comparison]:
    """Compare a design's outputs `(images, ...)` with onnxruntime's, by output name.

    Only where the plain comparison fails is it worth computing what onnxruntime's functions may be
    off by.
    """
    found = {name: compare(outputs[name], wanted, dtype) for name, wanted in expected.items()}
    if all(comparison.ok for comparison in found.values()):
        return found
    allowed = onnxruntime_errors(graph, inputs)
    if HALF in graph.precision:
        halves = half_errors(graph, inputs)
        allowed = {name: error + halves[name] for name, error in allowed.items()}
    return {
        name: compare(outputs[name], wanted, dtype, allowed[name])
        for name, wanted in expected.items()
    }


def half_errors(graph: Graph, inputs: Tensors) -> dict[str, np.ndarray]:
    """What results may be off by where all values are rounded to float16, as `onnxruntime_errors`.

    The reference is computed with every layer rounded so. The largest error of an output, with a
    margin, is allowed in all of it.
    """
    errors = {}
    pairs = [
        (run_network(graph, image), run_network(graph, image, HALF)) for image in single(inputs)
    ]
    for port in graph.outputs:
        exact = np.concatenate([run[port.name].reshape(port.image_shape) for run, _ in pairs])
        half = np.concatenate([run[port.name].reshape(port.image_shape) for _, run in pairs])
        with np.errstate(invalid="ignore"):
            off = np.nan_to_num(np.abs(half - exact), posinf=0.0)
        last = np.finfo(HALF).eps * np.nan_to_num(np.abs(exact), posinf=0.0)
        errors[port.name] = MARGIN * off.max() + last
    return errors


def single(inputs: Tensors) -> list[dict[str, np.ndarray]]:
    """The inputs `(1, ...)` of every image."""
    count = len(next(iter(inputs.values())))
    return [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(count)]


def onnxruntime_errors(graph: Graph, inputs: Tensors) -> dict[str, np.ndarray]:
    """What onnxruntime's outputs `(images, ...)` may be off by, by name, for inputs `(images,
    ...)`. Infinities and NaN allow nothing."""
    off = replace(
        graph,
        layers=tuple(
            layer
            if layer.activation is None
            else replace(layer, activation=Off(**vars(layer.activation)))
            for layer in graph.layers
        ),
    )
    runs = [(run_network(graph, image), run_network(off, image)) for image in single(inputs)]
    errors = {}
    for port in graph.outputs:
        with np.errstate(invalid="ignore"):
            changes = [
                np.abs(wrong[port.name].astype(np.float64) - right[port.name])
                for right, wrong in runs
            ]
        errors[port.name] = np.nan_to_num(
            np.concatenate([c.reshape(port.image_shape) for c in changes]), posinf=0.0
        )
    return errors
