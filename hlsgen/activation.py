"""Activations that any layer can apply to its result: their numpy reference and their OpenCL expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.hardware import Arithmetic


@dataclass(frozen=True)
class Activation:
    """An element-wise function. `kind` is one of `KINDS`; unused parameters are 0.

    relu: max(x, 0); clip: min(max(x, low), high); leaky_relu: x < 0 ? alpha x : x; sigmoid: 1 / (1 + exp(-x)).
    """

    kind: str
    alpha: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Apply the function in numpy, element by element."""
        if self.kind == "relu":
            return np.maximum(x, 0)
        if self.kind == "clip":
            return np.minimum(np.maximum(x, self.low), self.high)
        if self.kind == "leaky_relu":
            return np.where(x < 0, x * self.alpha, x)
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-x))

    def expression(self, x: str) -> str:
        """The OpenCL expression for a scalar or vector value named `x`."""
        return EXPRESSIONS[self.kind].format(
            x=x, alpha=c_float(self.alpha), low=c_float(self.low), high=c_float(self.high)
        )

    def units(self, lanes: int) -> Arithmetic:
        """The floating-point units that `expression` takes for `lanes` values a cycle."""
        return {
            "relu": Arithmetic(compares=lanes),
            "clip": Arithmetic(compares=2 * lanes),
            "leaky_relu": Arithmetic(compares=2 * lanes, multiply_adds=lanes),
            "sigmoid": Arithmetic(adds=lanes, divides=lanes, exponentials=lanes),
        }[self.kind]


# Comparisons select with fmax and fmin: one DSP-free comparator a lane, and the same text serves every vector width.
EXPRESSIONS = {
    "relu": "fmax({x}, 0.0f)",
    "clip": "fmin(fmax({x}, {low}), {high})",
    "leaky_relu": "fmax({x}, 0.0f) + {alpha} * fmin({x}, 0.0f)",
    "sigmoid": "1.0f / (1.0f + exp(-({x})))",
}
KINDS = tuple(EXPRESSIONS)


def c_float(value: float) -> str:
    """A float32 value as an OpenCL literal that reads back exactly."""
    return f"{float(str(np.float32(value)))!r}f"
