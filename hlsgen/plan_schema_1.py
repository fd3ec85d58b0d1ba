"""Plans of schema 1, as versions before the present one saved them, read as those of schema 2.

The names here are history: nothing new belongs here.
"""

from __future__ import annotations

from typing import Any

from hlsgen.types import FLOAT32

# Fields under their names of schema 2: of a plan, of its kernels, of its steps.
RENAMED = {"unfolded": "im2col", "convolved": "dense_as_convolution"}
RENAMED_OF_KERNELS = {
    "fold": "lane_folding",
    "skip": "nonzeros_per_lane",
    "at_once": "vectors_per_cycle",
    "strips": "row_tiles",
}
RENAMED_OF_STEPS = {"vectors_at_once": "output_vectors", "joined": "addition"}
# Sizes of each engine: all stood side by side, whether a design had the engine or not.
SIZES = {
    "convolution": {name: name for name in ("inputs", "outputs", "tile_vectors", "tile_pixels")},
    "dense": {"vectors": "dense_vectors"},
    "depthwise": {"extent": "depthwise_extent", "line": "depthwise_line"},
    "normalisation": {"size": "normalisation_size"},
    "pooling": {"extent": "pool_extent", "line": "pool_line"},
    "skipping": {
        "inputs": "skip_inputs",
        "outputs": "skip_outputs",
        "tile_vectors": "skip_tile_vectors",
        "tile_pixels": "skip_tile_pixels",
    },
    "softmax": {"vectors": "pixel_vectors"},
    "sparse": {"vectors": "dense_vectors"},
}
# What a size was where a plan did not name it.
DEFAULTS = {old: int("skip_" not in old) for names in SIZES.values() for old in names.values()}


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """A plan of schema 1 as one of schema 2; what has another type than it should stays as it
    is."""
    data = renamed(data, RENAMED)
    if data.get("dtype") == FLOAT32.name:  # there was no other
        del data["dtype"]
    data.pop("reason", None)  # of earlier versions: a sentence on the plan as it was searched
    for items, names in (("kernels", RENAMED_OF_KERNELS), ("steps", RENAMED_OF_STEPS)):
        if isinstance(data.get(items), list):
            data[items] = [renamed(item, names) for item in data[items]]
    engines, steps = data.get("engines"), data.get("steps", [])
    if isinstance(engines, dict) and isinstance(steps, list):
        data["engines"] = upgraded_engines(engines, [s for s in steps if isinstance(s, dict)])
    return data


def renamed(item: Any, names: dict[str, str]) -> Any:
    """An object with its fields under other names."""
    if not isinstance(item, dict):
        return item
    return {names.get(name, name): value for name, value in item.items()}


def upgraded_engines(engines: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The engines that the steps run, each with its own sizes."""
    used = {str(step.get("engine", "")) for step in steps}
    used |= {"depthwise"} if any(step.get("feeder") for step in steps) else set()
    flat = DEFAULTS | engines
    sizes = {
        engine: {own: flat[old] for own, old in SIZES.get(engine, {}).items()}
        for engine in sorted(used - {""})
    }
    shared = {name: value for name, value in engines.items() if name not in DEFAULTS}
    group = {"group": engines["outputs"]} if "outputs" in engines else {}
    return shared | group | {"sizes": sizes}
