"""Images a second of untuned TVM on one thread: `python -m benchmarks.tvm_rate MODEL.onnx`; a
process of its own, for its settings."""

from __future__ import annotations

import os
import sys
import time


def main(path: str) -> None:
    """Compile, run, print the best rate of five runs."""
    os.environ["TVM_NUM_THREADS"] = "1"
    import numpy as np
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    model = onnx.load(path)
    constants = {t.name for t in model.graph.initializer}
    value = next(i for i in model.graph.input if i.name not in constants)
    shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
    machine = relax.VirtualMachine(tvm.compile(from_onnx(model), target="llvm"), tvm.cpu())
    image = tvm.runtime.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    machine["main"](image)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        machine["main"](image)
        best = min(best, time.perf_counter() - started)
    print(1 / best)


if __name__ == "__main__":
    main(sys.argv[1])
