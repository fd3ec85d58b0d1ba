"""The peers, each timed in a process of its own: `python -m benchmarks.peers onnxruntime|tinygrad
MODEL ROUNDS`.

Prints JSON: seconds until the first result, and the seconds of every further image.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np


def onnxruntime_runner(path: str) -> Callable[[], object]:
    """One image in onnxruntime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {
        i.name: np.random.default_rng(0).standard_normal(i.shape, dtype=np.float32)
        for i in session.get_inputs()
    }
    return lambda: session.run(None, feeds)


def tinygrad_runner(path: str) -> Callable[[], object]:
    """One image in tinygrad, compiled by TinyJit, on the OpenCL device that the environment names;
    input already there."""
    from tinygrad import Device, Tensor, TinyJit
    from tinygrad.nn.onnx import OnnxRunner

    runner = OnnxRunner(path)
    name, kind = next(iter(runner.graph_inputs.items()))
    step = TinyJit(lambda x: next(iter(runner({name: x}).values())).realize())
    image = Tensor(np.random.default_rng(0).standard_normal(kind.shape, dtype=np.float32)).realize()

    def once() -> None:
        step(image)
        Device[Device.DEFAULT].synchronize()

    return once


def main() -> None:
    """Time a peer."""
    kind, path, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    started = time.perf_counter()
    image = (onnxruntime_runner if kind == "onnxruntime" else tinygrad_runner)(path)
    image()
    first = time.perf_counter() - started
    for _ in range(3):  # TinyJit captures on the second and third call
        image()
    seconds = []
    for _ in range(rounds):
        before = time.perf_counter()
        image()
        seconds.append(time.perf_counter() - before)
    print(json.dumps({"first": first, "seconds": seconds}))


if __name__ == "__main__":
    main()
