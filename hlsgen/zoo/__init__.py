"""Real topologies with seeded weights, as ONNX models."""

from __future__ import annotations

from math import inf

import onnx

from hlsgen.errors import HlsgenError, did_you_mean
from hlsgen.zoo.networks import NETWORKS


def network(
    name: str, size: int | None = None, width: float = 1.0, seed: int = 0
) -> onnx.ModelProto:
    """The ONNX model of a zoo network for `size` x `size` inputs, channels scaled by `width`,
    weights from `seed`.

    Raises HlsgenError for an unknown name or a size that the topology cannot take.
    """
    if name not in NETWORKS:
        raise HlsgenError(
            f"unknown network {name!r}{did_you_mean(name, NETWORKS)}",
            where="zoo",
            remedy=f"choose one of {', '.join(NETWORKS)}",
        )
    build, default = NETWORKS[name]
    size = default if size is None else size
    if size < 1 or not 0 < width < inf or seed < 0:
        raise HlsgenError(
            f"size {size}, width {width} and seed {seed} make no network",
            where="zoo",
            remedy="size and width > 0, seed >= 0",
        )
    model = build(size, width, seed)
    shape = model.graph.value_info
    if any(
        d.dim_value < 0 or (d.HasField("dim_value") and d.dim_value == 0)
        for v in shape
        for d in v.type.tensor_type.shape.dim
    ):
        raise HlsgenError(
            f"{name} does not fit inputs of {size}x{size}",
            where="zoo",
            remedy=f"use --size {default}",
        )
    return model
