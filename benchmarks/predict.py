"""What a call of `predict` costs beyond its kernels, once the device is programmed: `python -m
benchmarks.predict [NETWORK] [CALLS]`. Printed are medians in milliseconds and their ratio."""

from __future__ import annotations

import sys
import time
from statistics import median

import numpy as np

import hlsgen
from hlsgen.zoo import network


def main(name: str = "lenet5", calls: str = "20") -> None:
    """Measure one network, image by image."""
    whole, kernels = [], []
    with hlsgen.compile(network(name)) as made:
        (given, shape), *_ = made.inputs.items()
        image = {given: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
        made.execute(image)  # programs the device
        for _ in range(int(calls)):
            started = time.perf_counter()
            result = made.execute(image)
            whole.append(time.perf_counter() - started)
            kernels.append(result.kernel_seconds)
    ratio = median(w / k for w, k in zip(whole, kernels, strict=True))
    print(
        f"{name}: a call {1e3 * median(whole):.3g} ms, its kernels {1e3 * median(kernels):.3g} ms, "
        f"ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
