"""Norms of the layers' inputs by channel, from a few pictures without labels: what Wanda weighs the
weights with."""

from __future__ import annotations

import numpy as np
import onnx

from hlsgen.data.evaluate import BATCH
from hlsgen.onnxruntime_session import session
from hlsgen.sparsify.weights import layers_of


def input_norms(model: onnx.ModelProto, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """For every layer with weights the Euclidean norm of each channel of its input over all
    pictures and pixels, by layer name."""
    layers = layers_of(model, depthwise=True)
    known = {value.name for value in model.graph.input}
    wanted = list(dict.fromkeys(layer.source for layer in layers))
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    present = {output.name for output in probe.graph.output}
    probe.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in wanted if name not in present | known
    )
    probing = session(probe.SerializeToString())
    entry = probing.get_inputs()[0]
    size = entry.shape[0] if isinstance(entry.shape[0], int) else BATCH
    names = [name for name in wanted if name not in known]
    squares: dict[str, np.ndarray] = {}
    for start in range(0, len(inputs), size):
        feeds = {entry.name: inputs[start : start + size]}
        values = dict(zip(names, probing.run(names, feeds) if names else [], strict=True)) | feeds
        for name in wanted:
            array = values[name].astype(np.float64)
            axis = 1 if array.ndim > 1 else 0
            squares[name] = squares.get(name, 0.0) + (
                np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) ** 2
            ).sum(axis=1)
    return {layer.name: np.sqrt(squares[layer.source]) for layer in layers}
