"""What the streaming templates need to know of a sliding window."""

from __future__ import annotations

from typing import Any

from hlsgen.activation import c_float
from hlsgen.graph import Graph, Layer
from hlsgen.ops.average_pool import counts
from hlsgen.ops.window import Window, keeps_history, keeps_lines


def window_context(layer: Layer, graph: Graph, vectors: int = 1) -> dict[str, Any] | None:
    """Scan size, conditions, registers and (for averages) reciprocals of a window layer; None for
    others.

    `vectors`: of an input pixel.
    """
    window: Window | None = getattr(layer.attributes, "window", None)
    if window is None:
        return None
    source = graph.tensors[layer.inputs[0]]
    scan = window.scan_size(source.height, source.width)
    top, left = window.pads[0], window.pads[1]
    inside = [
        test
        for test, needed in (
            (f"y >= {top}", top > 0),
            (f"y < {top + source.height}", scan[0] > top + source.height),
            (f"x >= {left}", left > 0),
            (f"x < {left + source.width}", scan[1] > left + source.width),
        )
        if needed
    ]
    conditions = []
    for axis, name in enumerate("yx"):
        if window.stride[axis] > 1:
            conditions.append(f"{name} == next_{name}")
        elif window.extent[axis] > 1:
            conditions.append(f"{name} >= {window.extent[axis] - 1}")
    history = keeps_history(window, vectors)
    row = scan[1] * vectors
    context: dict[str, Any] = {
        "extent": window.extent,
        "stride": window.stride,
        "taps": window.taps,
        "scan": scan,
        "padded": bool(inside),
        "inside": " && ".join(inside),
        "condition": " && ".join(conditions),
        "dilation": window.dilation,
        "history": history,
        "row": row,
        "memory_lines": keeps_lines(window, row),
        "window_length": window.extent[1] if history else (window.extent[1] - 1) * vectors + 1,
        "times_dilation": [f" * {d}" if d > 1 else "" for d in window.dilation],
        "counted": (0, 0, 0, 0),
        "uniform": True,
        "reciprocals": [],
    }
    if hasattr(layer.attributes, "counted_pads"):
        rows, columns = counts(layer.attributes, source.height, source.width)
        pads = layer.attributes.counted_pads
        context["counted"] = (
            top - pads[0],
            left - pads[1],
            top + source.height + pads[2],
            left + source.width + pads[3],
        )
        context["uniform"] = bool(
            (rows == window.kernel[0]).all() and (columns == window.kernel[1]).all()
        )
        context["reciprocals"] = [
            c_float(1 / max(rows * columns, 1))
            for rows in range(window.kernel[0] + 1)
            for columns in range(window.kernel[1] + 1)
        ]
    return context
