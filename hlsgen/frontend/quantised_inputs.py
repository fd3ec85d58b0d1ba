"""Inputs of a network that are feature maps of integers: quantised before they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx
from onnx import TensorProto

from hlsgen.ops import onnx_importers
from hlsgen.ops.whole_numbers import moves_whole_numbers
from hlsgen.types import INT8, INTEGERS, UINT8

# Feature maps may be of these types.
WHOLE = {TensorProto.UINT8: UINT8, TensorProto.INT8: INT8}


def quantised_inputs(nodes: Iterable[onnx.NodeProto], inputs: Mapping[str, int]) -> list[str]:
    """Of integer inputs, given with their types, those that operators on integers read, moved
    before or not, and no other operator."""
    origin = {name: {name} for name, kind in inputs.items() if kind in WHOLE}
    read: dict[str, bool] = {}
    for node in nodes:
        given = set().union(*(origin.get(name, set()) for name in node.input))
        if not given:
            continue
        importer = onnx_importers().get(node.op_type)
        whole = importer is not None and importer.types == INTEGERS
        if not whole and moves_whole_numbers(node, {n for n in node.input if n in origin}):
            origin |= dict.fromkeys(filter(None, node.output), given)
            continue
        for name in given:
            read[name] = read.get(name, True) and whole
    return [name for name, whole in read.items() if whole]
