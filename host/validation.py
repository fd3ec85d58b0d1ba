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
    count = design.check_inputs(inputs)
    verdict: dict[str, Any] = {
        "ok": False,
        "device": device,
        "mode": "strict" if strict else "fast",
        "images": count,
        "layers": [],
    }
    tapped = any(
        design.manifest["buffers"][entry["layout"]["buffer"]].get("tap") for entry in design.manifest["layers"]
    )
    # Kernels that start by themselves cannot store their results, so a strict run of them follows a fast, tapped one.
    modes = [False, True] if strict and tapped else [strict]
    layers: dict[str, Comparison] = {}
    outputs: dict[str, Comparison] = {}
    values: Tensors = {}
    try:
        for concurrent in modes:
            with run(
                design,
                inputs,
                device=device,
                strict=concurrent,
                layers=True,
                timeout=timeout,
                progress=progress,
            ) as result:
                compare_images(design, result.layers, result.outputs, reference, layers, outputs)
                verdict |= {
                    "device": result.device,
                    "build_seconds": result.build_seconds,
                    "image_seconds": result.image_seconds,
                }
                values = result.outputs
    except DeadlockError as error:
        return verdict | {
            "seconds": time.perf_counter() - started,
            "unfinished": error.kernels,
            "error": str(error),
        }, {}
    verdict["layers"] = [
        {"name": entry["name"], "op": entry["op"], **layers[entry["name"]].as_dict()}
        for entry in design.manifest["layers"]
    ]
    worst = max(outputs.values(), key=lambda comparison: comparison.max_rel_error)
    verdict["output"] = worst.as_dict() | {
        "by_name": {name: comparison.as_dict() for name, comparison in outputs.items()}
    }
    verdict["ok"] = all(c.ok for c in (*layers.values(), *outputs.values()))
    verdict["first_wrong_layer"] = next((layer["name"] for layer in verdict["layers"] if not layer["ok"]), None)
    verdict["seconds"] = time.perf_counter() - started
    return verdict, values


def compare_images(
    design: HostDesign,
    layers_of: Callable[[int], Tensors],
    results: Tensors,
    reference: Callable[[int], tuple[Tensors, Tensors]],
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
