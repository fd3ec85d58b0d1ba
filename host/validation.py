"""Runs a design and holds every layer against references: the verdict that `validate` prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .compare import Comparison, compare
from .design import HostDesign
from .errors import DeadlockError
from .finite import non_finite
from .runner import run
from .session import SHARED, Session

Tensors = dict[str, np.ndarray]
# From the number of an image to its tensors and the design's outputs.
Reference = Callable[[int], tuple[Tensors, Tensors]]


def validate(
    design: HostDesign,
    inputs: Tensors,
    reference: Reference,
    *,
    device: str = "emulator",
    strict: bool = False,
    timeout: float = 120.0,
    optimise: bool | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
    session: Session = SHARED,
) -> tuple[dict[str, Any], Tensors]:
    """Run all images of `inputs` and compare. Returns the verdict (JSON-ready), and the outputs of
    the network and of the design, which may be a part of it.

    `reference(image)` gives the tensors of an image by tensor name, canonical `(C, H, W)`, and the
    design's outputs by output name. `optimise` is as for `run`. A deadlock is a verdict too: `ok`
    is false and `unfinished` names the kernels.
    """
    started = time.perf_counter()
    mode, count = "strict" if strict else "fast", design.check_inputs(inputs)
    verdict: dict[str, Any] = {
        "ok": False,
        "device": device,
        "mode": mode,
        "images": count,
        "layers": [],
    }
    layers: dict[str, Comparison] = {}
    outputs: dict[str, Comparison] = {}
    values: Tensors = {}
    try:
        for concurrent, poison in passes(design, strict):
            expected: dict[int, Tensors] = {}
            compare_layers = layer_comparer(design, reference, layers, expected)
            result = run(
                design,
                inputs,
                device=device,
                strict=concurrent,
                timeout=timeout,
                optimise=optimise,
                on_layers=compare_layers,
                poison=poison,
                progress=progress,
                session=session,
            )
            values = result.design_outputs | result.outputs
            for image, wanted in expected.items():
                for name, value in wanted.items():
                    own = result.design_outputs[name][image : image + 1]
                    keep_worst(outputs, name, own, value, design)
            verdict |= {"device": result.device, "build_seconds": result.build_seconds}
            verdict["image_seconds"] = result.image_seconds
        verdict |= summary(design, layers, outputs) | {"non_finite": non_finite(values)}
    except DeadlockError as error:
        verdict |= {"unfinished": error.kernels, "error": str(error)}
        values = {}
    return verdict | {"seconds": time.perf_counter() - started}, values


def passes(design: HostDesign, strict: bool) -> list[tuple[bool, int]]:
    """The runs of a validation: False is fast, True strict; and which poison each finds.

    Kernels that start by themselves cannot store their results, so a strict run of them follows a
    fast, tapped one. Designs with integers are run with both poisons.
    """
    buffers = design.manifest.buffers
    tapped = any(buffers[layer.layout.buffer].tap for layer in design.manifest.layers)
    whole = any(
        np.issubdtype(buffers[layer.layout.buffer].dtype, np.integer)
        for layer in design.manifest.layers
    )
    fast = [(False, poison) for poison in ((0, 1) if whole else (0,))]
    if not strict:
        return fast
    return [*fast, (True, 0)] if tapped else [(True, poison) for _, poison in fast]


def summary(
    design: HostDesign, layers: dict[str, Comparison], outputs: dict[str, Comparison]
) -> dict[str, Any]:
    """The part of the verdict that follows from the comparisons. Layers that a board keeps nothing
    of are left out."""
    buffers = design.manifest.buffers
    listed = [
        {"name": layer.name, "op": layer.op, **layers[layer.name].as_dict()}
        for layer in design.manifest.layers
        if layer.name in layers or not buffers[layer.layout.buffer].tap
    ]
    worst = max(outputs.values(), key=lambda comparison: comparison.max_rel_error)
    return {
        "ok": all(c.ok for c in (*layers.values(), *outputs.values())),
        "layers": listed,
        "first_wrong_layer": next((layer["name"] for layer in listed if not layer["ok"]), None),
        "output": worst.as_dict() | {"by_name": {name: c.as_dict() for name, c in outputs.items()}},
    }


def layer_comparer(
    design: HostDesign,
    reference: Reference,
    layers: dict[str, Comparison],
    expected: dict[int, Tensors],
) -> Callable[[int, Tensors], None]:
    """The function that `run` calls with each image's layers: compares them, and keeps the expected
    outputs."""
    tensor_of = {layer.name: layer.tensor for layer in design.manifest.layers}

    def compare_layers(image: int, found: Tensors) -> None:
        tensors, expected[image] = reference(image)
        for name, value in found.items():
            keep_worst(layers, name, value, tensors[tensor_of[name]], design)

    return compare_layers


def keep_worst(
    kept: dict[str, Comparison],
    name: str,
    value: np.ndarray,
    wanted: np.ndarray,
    design: HostDesign,
) -> None:
    """Compare one array and keep the result if it is the worst of its name so far."""
    found = compare(value, wanted, design.manifest.dtype)
    kept[name] = kept[name].worst(found) if name in kept else found
