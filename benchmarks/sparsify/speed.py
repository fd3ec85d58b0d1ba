"""Seconds to sparsify MobileNetV2 by half, beside torch.nn.utils.prune's global magnitude pruning
in the same run; and whether they agree.

python -m benchmarks.sparsify.speed    (torch is needed, in an environment of its own or beside
hlsgen)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from onnx import numpy_helper

from hlsgen.sparsify import sparsify
from hlsgen.sparsify.weights import layers_of
from hlsgen.zoo import network

RUNS = 7


def median(work: Callable[[], Any]) -> float:
    """Median seconds of some runs."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Time all methods, and torch on the same weights."""
    import torch
    from torch.nn.utils import prune

    model = network("mobilenetv2")
    methods = ("flat", "triangular", "relative", "global", "lamp")
    times = {method: median(partial(sparsify, model, method, sparsity=0.5)) for method in methods}
    layers = layers_of(model)

    def pruned() -> list[Any]:
        modules = []
        for layer in layers:
            module = torch.nn.Module()
            module.weight = torch.nn.Parameter(torch.from_numpy(layer.values.copy()))
            modules.append(module)
        amount = round(0.5 * sum(layer.values.size for layer in layers))
        prune.global_unstructured(
            [(m, "weight") for m in modules], prune.L1Unstructured, amount=amount
        )
        return modules

    times["torch.nn.utils.prune, global"] = median(pruned)
    ours = {
        t.name: numpy_helper.to_array(t)
        for t in sparsify(model, "global", sparsity=0.5).model.graph.initializer
    }
    same = all(
        np.array_equal(module.weight.detach().numpy(), ours[layer.tensor.name])
        for module, layer in zip(pruned(), layers, strict=True)
    )
    base = times["torch.nn.utils.prune, global"]
    for name, seconds in times.items():
        print(f"{name}: {seconds * 1e3:.0f} ms, {seconds / base:.2f} of torch's time")
    print("global and torch zero the same weights" if same else "global and torch DIFFER")


if __name__ == "__main__":
    main()
