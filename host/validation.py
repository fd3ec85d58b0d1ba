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
# From the number of an image to its tensors and the network's outputs.
Reference = Callable[[int], tuple[Tensors, Tensors]]


def validate(
    design: HostDesign,
    inputs: Tensors,
    reference: Reference,
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
    mode, count = "strict" if strict else "fast", design.check_inputs(inputs)
    verdict: dict[str, Any] = {"ok": False, "device": device, "mode": mode, "images": count, "layers": []}
    layers: dict[str, Comparison] = {}
    outputs: dict[str, Comparison] = {}
    values: Tensors = {}
    try:
        for concurrent in passes(design, strict):
            with run(
                design, inputs, device=device, strict=concurrent, layers=True, timeout=timeout, progress=progress
            ) as result:
                compare_images(design, result.layers, result.outputs, reference, layers, outputs)
                verdict |= {"device": result.device, "build_seconds": result.build_seconds}
                verdict["image_seconds"], values = result.image_seconds, result.outputs
        verdict |= summary(design, layers, outputs)
    except DeadlockError as error:
        verdict |= {"unfinished": error.kernels, "error": str(error)}
        values = {}
    return verdict | {"seconds": time.perf_counter() - started}, values


def passes(design: HostDesign, strict: bool) -> list[bool]:
    """The runs of a validation: False is fast, True strict.

    Kernels that start by themselves cannot store their results, so a strict run of them follows a fast, tapped one.
    """
    buffers = design.manifest["buffers"]
    tapped = any(buffers[entry["layout"]["buffer"]].get("tap") for entry in design.manifest["layers"])
    return [False, True] if strict and tapped else [strict]


def summary(design: HostDesign, layers: dict[str, Comparison], outputs: dict[str, Comparison]) -> dict[str, Any]:
    """The part of the verdict that follows from the comparisons."""
    listed = [
        {"name": entry["name"], "op": entry["op"], **layers[entry["name"]].as_dict()}
        for entry in design.manifest["layers"]
    ]
    worst = max(outputs.values(), key=lambda comparison: comparison.max_rel_error)
    return {
        "ok": all(c.ok for c in (*layers.values(), *outputs.values())),
        "layers": listed,
        "first_wrong_layer": next((layer["name"] for layer in listed if not layer["ok"]), None),
        "output": worst.as_dict() | {"by_name": {name: c.as_dict() for name, c in outputs.items()}},
    }


def compare_images(
    design: HostDesign,
    layers_of: Callable[[int], Tensors],
    results: Tensors,
    reference: Reference,
    layers: dict[str, Comparison],
    outputs: dict[str, Comparison],
) -> None:
    """Add the images of a run to the worst comparison of each layer and output."""
    tensor_of = {entry["name"]: entry["tensor"] for entry in design.manifest["layers"]}
    for image in range(len(next(iter(results.values())))):
        tensors, expected = reference(image)
        pairs = [(layers, name, value, tensors[tensor_of[name]]) for name, value in layers_of(image).items()]
        pairs += [(outputs, name, results[name][image : image + 1], value) for name, value in expected.items()]
        for kept, name, value, wanted in pairs:
            found = compare(value, wanted, design.manifest["dtype"])
            kept[name] = kept[name].worst(found) if name in kept else found
