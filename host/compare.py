"""Compares results with references and gives the verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Largest error accepted, relative to the largest reference value of the tensor. float32: a sum of K
# products in any order is off by at most about K * 2^-24 of its terms' magnitude, and typically by
# sqrt(K) * 2^-24; K reaches 25,000 (a fully connected layer) and errors add up over some 50 layers,
# which gives sqrt(25,000 * 50) * 6e-8 = 7e-5. The references are computed in float64. Measured
# errors are 1e-7 to 1e-5, wrong kernels are off by 1e-2 and more.
TOLERANCE = {"float32": 1e-4}


@dataclass(frozen=True)
class Comparison:
    """Largest absolute error, the same relative to the largest reference value, and whether it is
    within tolerance. `wrong`: of integers the first that differs, and its place."""

    max_abs_error: float
    max_rel_error: float
    ok: bool
    wrong: str = ""

    def worst(self, other: Comparison) -> Comparison:
        """The worse of two comparisons of the same thing on different images."""
        return Comparison(
            max(self.max_abs_error, other.max_abs_error),
            max(self.max_rel_error, other.max_rel_error),
            self.ok and other.ok,
            self.wrong or other.wrong,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON: infinite errors (NaN in the result) become the string "inf"."""
        return {
            k: ("inf" if isinstance(v, float) and np.isinf(v) else v)
            for k, v in asdict(self).items()
            if k != "wrong" or v
        }


def compare(
    result: np.ndarray,
    reference: np.ndarray,
    dtype: str = "float32",
    doubt: np.ndarray | None = None,
) -> Comparison:
    """Compare an array with its reference of the same shape. NaN or infinity where the reference is
    finite is wrong. Integers must be equal.

    `doubt` is what the reference itself may be off by, element by element: it counts for the
    verdict, not for the errors reported.
    """
    if result.shape != reference.shape:
        return Comparison(float("inf"), float("inf"), False)
    if np.issubdtype(reference.dtype, np.integer):
        return equality(result, reference)
    result, reference = result.astype(np.float64), reference.astype(np.float64)
    same = (result == reference) | (np.isnan(result) & np.isnan(reference))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        error = np.where(same, 0.0, np.abs(result - reference))
    largest = float(np.max(error, initial=0.0))
    if not np.isfinite(error).all():
        return Comparison(float("inf"), float("inf"), False)
    finite = np.abs(reference[np.isfinite(reference)])
    scale = float(np.max(finite, initial=0.0))
    relative = largest / scale if scale else (0.0 if largest == 0 else float("inf"))
    beyond = error if doubt is None else error - doubt
    return Comparison(
        largest, relative, float(np.max(beyond, initial=0.0)) <= TOLERANCE[dtype] * scale
    )


def equality(result: np.ndarray, reference: np.ndarray) -> Comparison:
    """Compare integers of the same shape: any difference is an error."""
    wanted = reference.astype(np.float64)
    error = np.nan_to_num(np.abs(result.astype(np.float64) - wanted), nan=np.inf)
    largest, scale = float(error.max(initial=0)), float(np.abs(wanted).max(initial=0))
    if not largest:
        return Comparison(0.0, 0.0, True)
    place = tuple(int(n) for n in np.unravel_index(np.flatnonzero(error)[0], error.shape))
    wrong = f"{list(place)}: {result[place]} in place of {reference[place]}"
    return Comparison(largest, largest / max(scale, 1.0), False, wrong)
