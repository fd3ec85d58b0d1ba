"""What one thread of this machine's processor does: onnxruntime, and TVM where it is installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

import hlsgen
from hlsgen.graph import Graph
from hlsgen.model.times import rate
from hlsgen.zoo import network

HEAD = "| network | onnxruntime, images/s | TVM, untuned, images/s |\n|---|---:|---:|"


def lines(name: str) -> Iterator[str]:
    """A network's row."""
    model = network(name)
    graph = hlsgen.load_graph(model)
    yield f"| {name} | {rate(onnxruntime_rate(model, graph))} | {tvm_rate(model)} |"


def onnxruntime_rate(model: onnx.ModelProto, graph: Graph) -> float:
    """Images a second of onnxruntime on one thread: the best of several runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {
        i.name: np.random.default_rng(0).standard_normal(i.shape).astype(np.float32)
        for i in session.get_inputs()
    }
    count = max(1, int(2e9 / max(sum(t.size for t in graph.tensors.values()) * 300, 1)))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(min(count, 200)):
            session.run(None, feed)
        best = min(best, (time.perf_counter() - started) / min(count, 200))
    return 1 / best


def tvm_rate(model: onnx.ModelProto) -> str:
    """Images a second of TVM, untuned, on one thread, as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        found = subprocess.run(
            [sys.executable, "-m", "benchmarks.tvm_rate", str(path)], capture_output=True, text=True
        )
    return rate(float(found.stdout)) if found.returncode == 0 else "not installed"
