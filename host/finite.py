"""NaN and infinities: refused in inputs, told of in results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .errors import HostError


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


def non_finite(outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, int]]:
    """How many NaN and infinities each output holds, by the name of every output that holds any.
    JSON-ready."""
    counts = {
        name: {
            "nan": int(np.isnan(array).sum()),
            "infinite": int(np.isinf(array).sum()),
            "values": array.size,
        }
        for name, array in outputs.items()
    }
    return {name: count for name, count in counts.items() if count["nan"] or count["infinite"]}


def warning(found: Mapping[str, Mapping[str, int]]) -> str:
    """One line that tells what `non_finite` found."""
    return "; ".join(
        f"output {name} holds {count['nan']} NaN and {count['infinite']} infinite among "
        f"{count['values']} values"
        for name, count in found.items()
    )
