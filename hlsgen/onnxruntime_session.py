"""onnxruntime sessions whose integer arithmetic is the same on every CPU."""

from __future__ import annotations

import os
from typing import Any

# Quantised convolutions are computed on integers whether activations are uint8 or int8; by default
# x86 does so for uint8 alone.
INT8 = {"session.qdqisint8allowed": "1"}
# A MatMul by a weight behind DequantizeLinear is computed in float32, as written; by default its
# other operand is rounded to int8, which is off by a thousandth.
FLOAT = {"session.qdq_matmulnbits_accuracy_level": "1"}
# CPUs without VNNI instructions add products of uint8 and int8 in pairs that saturate at 16 bits,
# unless this turns the weights into uint8. There are no kernels for those with int8 activations,
# whose products no CPU saturates.
EXACT = {"session.x64quantprecision": "1"}


def runtime() -> Any:
    """The package, which tells nobody what it runs. Raises ImportError where it is missing."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it would begin while it is imported
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def session(content: bytes, as_written: bool = False) -> Any:
    """A session of a serialised model on the CPU. `as_written`: every node is computed by itself,
    so that a quantised network is float between DequantizeLinear and QuantizeLinear; otherwise
    onnxruntime fuses what it can. Raises ImportError without onnxruntime, and what that raises for
    models that it does not run."""
    no_kernel = runtime().capi.onnxruntime_pybind11_state.NotImplemented
    try:
        return opened(content, INT8 | FLOAT | EXACT, as_written)
    except no_kernel:
        return opened(content, INT8 | FLOAT, as_written)


def opened(content: bytes, entries: dict[str, str], as_written: bool) -> Any:
    """A session with these configuration entries."""
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    for name, value in entries.items():
        options.add_session_config_entry(name, value)
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
