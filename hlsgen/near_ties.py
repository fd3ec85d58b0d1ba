"""Tails that jump: where a tail sorts, chooses or counts, values that are equal but for rounding
may give another order, choice or number than the user's file does, and nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import onnx

from hlsgen.host.compare import Comparison, compare
from hlsgen.host.network import Network

Tensors = dict[str, np.ndarray]
NOTE = (
    "{} of {} images: the host's part decides otherwise than onnxruntime between values that are "
    "equal but for rounding; of onnxruntime's own values it makes the file's outputs"
)


def with_outputs(model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """A model that gives these of its values too."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    extended.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in known
    )
    return extended


def against(output: np.ndarray, expected: np.ndarray) -> Comparison:
    """Compare an output of one image with onnxruntime's, which may have a batch of 1 in front."""
    if output.size == expected.size:
        expected = expected.reshape(output.shape)
    return compare(output, expected)


def near_tie(
    network: Network,
    image: Tensors,
    ends: Tensors,
    outputs: Tensors,
    run: Callable[[Collection[str]], Tensors],
) -> bool:
    """Whether nothing but rounding makes the `outputs` of one image differ from those of the user's
    file: the design's own, `ends`, are onnxruntime's; the host's part makes the file's outputs of
    onnxruntime's, and these outputs of the design's.

    `image` holds the network's inputs `(1, ...)`; `run` gives onnxruntime's outputs, and these of
    its inner values. Raises what onnxruntime raises.
    """
    witness = run(ends.keys())
    reshaped = {
        name: witness[name].reshape(array.shape)
        for name, array in ends.items()
        if witness[name].size == array.size
    }
    if reshaped.keys() != ends.keys():
        return False
    before = network.before(image)
    of_file, of_design = network.after(before, reshaped), network.after(before, ends)
    return (
        all(compare(array, reshaped[name]).ok for name, array in ends.items())
        and all(against(array[0], witness[name]).ok for name, array in of_file.items())
        and all(np.array_equal(of_design[name][0], outputs[name]) for name in outputs)
    )
