"""Runs a design and holds every layer against references: the verdict that `validate` prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .compare import Comparison, compare
from .design import HostDesign
from .errors import DeadlockError
from .runner import run

Tensors = dict[str, np.ndarray]


def validate(
    design: HostDesign,
    inputs: Tensors,
    reference: Callable[[int], tuple[Tensors, Tensors]],
    *,
    device: str = "emulator",
    strict: bool = False,
    timeout: float = 120.0,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[dict[str, Any], Tensors]:
    """Run all images of `inputs` and compare. Returns the verdict (JSON-ready) and the network's outputs.

    `reference(image)` gives the tensors of an image by tensor name, canonical `(C, H, W)`, and the network's outputs
    by output name. A deadlock is a verdict too: `ok` is false and `unfinished` names the kernels.
    """
    started = time.perf_counter()
    verdict: dict[str, Any] = {"ok": False, "device": device, "mode": "strict" if strict else "fast", "seconds": 0.0, "layers": []}
    try:
        with run(
            design, inputs, device=device, strict=strict, layers=True, timeout=timeout, progress=progress
        ) as result:
            count = len(next(iter(inputs.values())))
            layers, outputs = compare_images(design, result.layers, result.outputs, reference, count)
            verdict |= {"device": result.device, "build_seconds": result.build_seconds, "image_seconds": result.image_seconds}
            values = result.outputs
    except DeadlockError as error:
        return verdict | {"seconds": time.perf_counter() - started, "unfinished": error.kernels, "error": str(error)}, {}
    verdict["layers"] = [
        {"name": entry["name"], "op": entry["op"], **layers[entry["name"]].as_dict()}
        for entry in design.manifest["layers"]
        if entry["name"] in layers
    ]
    verdict["output"] = {name: comparison.as_dict() for name, comparison in outputs.items()}
    verdict["output"] |= worst_of(outputs).as_dict()
    verdict["images"] = count
    verdict["ok"] = all(c.ok for c in (*layers.values(), *outputs.values()))
    verdict["first_wrong_layer"] = next((layer["name"] for layer in verdict["layers"] if not layer["ok"]), None)
    verdict["seconds"] = time.perf_counter() - started
    return verdict, values


def worst_of(comparisons: dict[str, Comparison]) -> Comparison:
    """The worst of several outputs."""
    found = list(comparisons.values())
    worst = found[0]
    for other in found[1:]:
        worst = worst.worst(other)
    return worst


def compare_images(
    design: HostDesign,
    layers_of: Callable[[int], Tensors],
    outputs: Tensors,
    reference: Callable[[int], tuple[Tensors, Tensors]],
    count: int,
) -> tuple[dict[str, Comparison], dict[str, Comparison]]:
    """The worst comparison of each layer and output over all images."""
    tensor_of = {entry["name"]: entry["tensor"] for entry in design.manifest["layers"]}
    layers: dict[str, Comparison] = {}
    results: dict[str, Comparison] = {}
    for image in range(count):
        tensors, expected = reference(image)
        for name, value in layers_of(image).items():
            found = compare(value, tensors[tensor_of[name]], design.manifest["dtype"])
            layers[name] = layers[name].worst(found) if name in layers else found
        for name, value in expected.items():
            found = compare(outputs[name][image : image + 1], value, design.manifest["dtype"])
            results[name] = results[name].worst(found) if name in results else found
    return layers, results
