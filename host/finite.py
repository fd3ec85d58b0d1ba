"""NaN and infinities: refused in inputs, told of in results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .errors import HostError

# Beyond it float32 skips whole numbers.
LARGEST_INTEGER = 1 << 24


def check_finite(inputs: Mapping[str, np.ndarray]) -> None:
    """Raise HostError if an image of an input `(images, ...)` holds NaN or infinities."""
    for name, array in inputs.items():
        wrong = ~np.isfinite(array).reshape(len(array), -1)
        if wrong.any():
            image = int(wrong.any(axis=1).argmax())
            raise HostError(
                f"input {name}, image {image} holds NaN or infinities ({wrong[image].sum()} of "
                f"{wrong[image].size} values)",
                remedy="give finite numbers: relaxed floating point assumes that "
                "there are no others",
            )


def check_exact(inputs: Mapping[str, np.ndarray]) -> None:
    """Raise HostError if an integer input holds numbers that float32, which carries them, cannot
    tell from their neighbours."""
    for name, array in inputs.items():
        if array.dtype.kind not in "iu":
            continue
        low, high = int(array.min()), int(array.max())
        if max(-low, high) > LARGEST_INTEGER:
            raise HostError(
                f"input {name} holds numbers from {low:,} to {high:,}",
                remedy=f"give integers within +-{LARGEST_INTEGER:,}: the design carries them in "
                "float32",
            )


def non_finite(outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, int]]:
    """How many NaN and infinities each output holds, by the name of every output that holds any.
    JSON-ready. An output may be an array of arrays, one an image."""
    counts = {}
    for name, array in outputs.items():
        parts = list(array) if array.dtype == object else [array]
        counts[name] = {
            "nan": sum(int(np.isnan(part).sum()) for part in parts),
            "infinite": sum(int(np.isinf(part).sum()) for part in parts),
            "values": sum(part.size for part in parts),
        }
    return {name: count for name, count in counts.items() if count["nan"] or count["infinite"]}


def warning(found: Mapping[str, Mapping[str, int]]) -> str:
    """One line that tells what `non_finite` found."""
    return "; ".join(
        f"output {name} holds {count['nan']} NaN and {count['infinite']} infinite among "
        f"{count['values']} values"
        for name, count in found.items()
    )
