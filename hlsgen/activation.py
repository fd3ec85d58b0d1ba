"""Activations that any layer can apply to its result: their numpy reference and their OpenCL
expression."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hlsgen.kernel.hardware import Arithmetic


@dataclass(frozen=True)
class Activation:
    """An element-wise function. `kind` is one of `KINDS`; parameters that it does not use are 0."""

    kind: str
    alpha: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Apply the function in numpy, element by element. What is infinite or undefined there is
        so here."""
        return FUNCTIONS[self.kind].reference(x, self)

    def ort_error(self, x: np.ndarray) -> np.ndarray | float:
        """What onnxruntime's function may be off by at `x`, absolutely. See
        `hlsgen.ort_tolerance`."""
        return FUNCTIONS[self.kind].ort_error(x, self)

    def expression(self, x: str) -> str:
        """The OpenCL expression for a scalar or vector value named `x`."""
        return EXPRESSIONS[self.kind].format(
            x=x, alpha=c_float(self.alpha), low=c_float(self.low), high=c_float(self.high)
        )

    @property
    def stays_finite(self) -> bool:
        """Whether every finite value has a finite result."""
        return FUNCTIONS[self.kind].stays_finite

    @property
    def adds_first(self) -> bool:
        """Whether it uses its value in one addition alone, of which a product becomes part."""
        return FUNCTIONS[self.kind].adds_first

    def units(self, lanes: int) -> Arithmetic:
        """The floating-point units that `expression` takes for `lanes` values a cycle."""
        return FUNCTIONS[self.kind].units.times(lanes)


def exact(x: np.ndarray, a: Activation) -> float:
    """onnxruntime's error where it is within float32's rounding."""
    return 0.0


@dataclass(frozen=True)
class Function:
    """One kind of activation: OpenCL expression, numpy reference, floating-point units of one lane,
    onnxruntime's error.

    `stays_finite`: whether every finite value has a finite result. `adds_first`: whether it uses
    its value in one addition alone.
    """

    expression: str
    reference: Callable[[np.ndarray, Activation], np.ndarray]
    units: Arithmetic
    ort_error: Callable[[np.ndarray, Activation], np.ndarray | float] = exact
    stays_finite: bool = True
    adds_first: bool = False


# onnxruntime's sigmoid is off by up to 1.4e-7, and its exp(x) - 1 by half of 1's last bit.
ORT_SIGMOID, ORT_EXPONENTIAL = 2e-7, 2.0**-24
# Half of 1's last bit, and what erf or tanh are off by, once more.
ORT_ERF = 2.0**-23
# The error function: a polynomial of 10 coefficients on either side of |x| = 1, an exponential
# beyond it.
ERF = Arithmetic(compares=1, multiply_adds=10, exponentials=1)

# Sine and cosine: a comparison and three multiply-adds bring the angle between -pi/4 and pi/4, a
# polynomial of 6 coefficients follows.
WAVE = Arithmetic(compares=1, multiply_adds=9)


def negative_exponential(x: np.ndarray, a: Activation) -> np.ndarray:
    """ELU: x above 0, alpha (exp(x) - 1) below."""
    return np.where(x > 0, x, a.alpha * np.expm1(np.minimum(x, 0)))


def ramp(x: np.ndarray, a: Activation) -> np.ndarray:
    """Hard sigmoid: alpha x + low, kept between 0 and 1."""
    return np.clip(a.alpha * x + a.low, 0, 1)


def error_function(x: np.ndarray) -> np.ndarray:
    """erf, element by element."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.float64)


def bell_step(x: np.ndarray, a: Activation) -> np.ndarray:
    """GELU: x times the share of a normal distribution that lies below x."""
    result: np.ndarray = x * (0.5 + 0.5 * error_function(x / math.sqrt(2)))
    return result


def bell_step_by_tanh(x: np.ndarray, a: Activation) -> np.ndarray:
    """GELU's approximation with tanh."""
    below = 0.5 + 0.5 * np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    result: np.ndarray = x * below
    return result


def truth(found: np.ndarray) -> np.ndarray:
    """1 for true, 0 for false."""
    return np.asarray(found, np.float64)


# Comparisons select with fmax and fmin: one DSP-free comparator a lane, and the same text serves
# every vector width. No step between x and the result may overflow where the result does not:
# contracted and relaxed arithmetic need not know infinity, and 1 / infinity came out as NaN. Hence
# sigmoid and SiLU take -88 for everything below it (exp(89) is beyond float32, exp(88) is not):
# there they are off by less than 6.1e-39 and 5.4e-37. Softplus takes log1p: log(1 + e) loses an e
# below 6e-8. A result that does overflow is infinite, as in onnxruntime: exp above 88.72, 1 / 0,
# log 0.
FUNCTIONS = {
    "relu": Function("fmax({x}, 0.0f)", lambda x, a: np.maximum(x, 0), Arithmetic(compares=1)),
    "clip": Function(
        "fmin(fmax({x}, {low}), {high})",
        lambda x, a: np.minimum(np.maximum(x, a.low), a.high),
        Arithmetic(compares=2),
    ),
    "leaky_relu": Function(
        "fmax({x}, 0.0f) + {alpha} * fmin({x}, 0.0f)",
        lambda x, a: np.where(x < 0, x * a.alpha, x),
        Arithmetic(compares=2, multiply_adds=1),
    ),
    "sigmoid": Function(
        "1.0f / (1.0f + exp(-fmax({x}, -88.0f)))",
        lambda x, a: 1 / (1 + np.exp(-x)),
        Arithmetic(compares=1, adds=1, divides=1, exponentials=1),
        lambda x, a: ORT_SIGMOID,
    ),
    "tanh": Function(
        "tanh({x})", lambda x, a: np.tanh(x), Arithmetic(adds=2, divides=1, exponentials=1)
    ),
    "exp": Function(
        "exp({x})", lambda x, a: np.exp(x), Arithmetic(exponentials=1), stays_finite=False
    ),
    "log": Function(
        "log({x})", lambda x, a: np.log(x), Arithmetic(exponentials=1), stays_finite=False
    ),
    "sqrt": Function(
        "sqrt({x})", lambda x, a: np.sqrt(x), Arithmetic(divides=1), stays_finite=False
    ),
    # 1 / sqrt(x + low): normalisation by a variance.
    "rsqrt": Function(
        "rsqrt({x} + {low})",
        lambda x, a: 1 / np.sqrt(x + a.low),
        Arithmetic(adds=1, divides=1),
        stays_finite=False,
        adds_first=True,
    ),
    "reciprocal": Function(
        "1.0f / ({x})", lambda x, a: 1 / x, Arithmetic(divides=1), stays_finite=False
    ),
    "abs": Function("fabs({x})", lambda x, a: np.abs(x), Arithmetic()),
    "elu": Function(
        "fmax({x}, 0.0f) + {alpha} * expm1(fmin({x}, 0.0f))",
        negative_exponential,
        Arithmetic(compares=2, adds=1, multiply_adds=1, exponentials=1),
        lambda x, a: np.where(x < 0, abs(a.alpha) * ORT_EXPONENTIAL, 0),
    ),
    "selu": Function(
        "{low} * (fmax({x}, 0.0f) + {alpha} * expm1(fmin({x}, 0.0f)))",
        lambda x, a: a.low * negative_exponential(x, a),
        Arithmetic(compares=2, adds=1, multiply_adds=1, multiplies=1, exponentials=1),
        lambda x, a: np.where(x < 0, abs(a.low * a.alpha) * ORT_EXPONENTIAL, 0),
    ),
    "softplus": Function(
        "fmax({x}, 0.0f) + log1p(exp(-fabs({x})))",
        lambda x, a: np.logaddexp(x, 0),
        Arithmetic(compares=1, adds=2, exponentials=2),
    ),
    "softsign": Function(
        "{x} / (1.0f + fabs({x}))", lambda x, a: x / (1 + np.abs(x)), Arithmetic(adds=1, divides=1)
    ),
    "silu": Function(
        "fmax({x}, -88.0f) / (1.0f + exp(-fmax({x}, -88.0f)))",
        lambda x, a: x / (1 + np.exp(-x)),
        Arithmetic(compares=1, adds=1, divides=1, exponentials=1),
        lambda x, a: np.abs(x) * ORT_SIGMOID,
    ),
    "hard_sigmoid": Function(
        "fmin(fmax({alpha} * {x} + {low}, 0.0f), 1.0f)",
        ramp,
        Arithmetic(compares=2, multiply_adds=1),
    ),
    "hard_swish": Function(
        "{x} * fmin(fmax({alpha} * {x} + {low}, 0.0f), 1.0f)",
        lambda x, a: x * ramp(x, a),
        Arithmetic(compares=2, multiply_adds=1, multiplies=1),
    ),
    "square": Function(
        "{x} * {x}", lambda x, a: x * x, Arithmetic(multiplies=1), stays_finite=False
    ),
    # fmin and fmax spread alpha over the lanes: pow takes no number beside a vector.
    "power": Function(
        "pow({x}, fmin(fmax({x}, {alpha}), {alpha}))",
        lambda x, a: np.power(x, a.alpha),
        Arithmetic(compares=2, powers=1),
        stays_finite=False,
    ),
    "erf": Function("erf({x})", lambda x, a: error_function(x), ERF),
    "gelu": Function(
        "{x} * (0.5f + 0.5f * erf({x} * 0.70710677f))",
        bell_step,
        ERF + Arithmetic(multiplies=2, multiply_adds=1),
        lambda x, a: np.abs(x) * ORT_ERF,
    ),
    # Beyond 20 tanh is 1, and a cube may overflow.
    "gelu_tanh": Function(
        "{x} * (0.5f + 0.5f * tanh(fmin(fmax({x}, -20.0f), 20.0f) * (0.7978846f + 0.035677407f "
        "* (fmin(fmax({x}, -20.0f), 20.0f) * fmin(fmax({x}, -20.0f), 20.0f)))))",
        bell_step_by_tanh,
        Arithmetic(compares=2, multiplies=3, multiply_adds=2, adds=2, divides=1, exponentials=1),
        lambda x, a: np.abs(x) * ORT_ERF,
    ),
    "sin": Function("sin({x})", lambda x, a: np.sin(x), WAVE),
    "cos": Function("cos({x})", lambda x, a: np.cos(x), WAVE),
    "mish": Function(
        "{x} * tanh(fmax({x}, 0.0f) + log1p(exp(-fabs({x}))))",
        lambda x, a: x * np.tanh(np.logaddexp(x, 0)),
        Arithmetic(compares=1, adds=4, multiplies=1, divides=1, exponentials=3),
    ),
    # alpha (exp(x / alpha) - 1) below 0; low is 1 / alpha.
    "celu": Function(
        "fmax({x}, 0.0f) + {alpha} * expm1(fmin({x}, 0.0f) * {low})",
        lambda x, a: np.where(x > 0, x, a.alpha * np.expm1(np.minimum(x, 0) * a.low)),
        Arithmetic(compares=2, adds=1, multiply_adds=1, multiplies=1, exponentials=1),
        lambda x, a: np.where(x < 0, abs(a.alpha) * ORT_EXPONENTIAL, 0),
    ),
    # Comparisons with the number low; alpha is -low, since step takes a number first alone. 1 less
    # a step, and a step times another, are choices between 0 and 1: no unit.
    "at_least": Function(
        "step({low}, {x})", lambda x, a: truth(x >= a.low), Arithmetic(compares=1)
    ),
    "at_most": Function(
        "step({alpha}, -({x}))", lambda x, a: truth(x <= a.low), Arithmetic(compares=1)
    ),
    "above": Function(
        "1.0f - step({alpha}, -({x}))", lambda x, a: truth(x > a.low), Arithmetic(compares=1)
    ),
    "below": Function(
        "1.0f - step({low}, {x})", lambda x, a: truth(x < a.low), Arithmetic(compares=1)
    ),
    "equal": Function(
        "step({low}, {x}) * step({alpha}, -({x}))",
        lambda x, a: truth(x == a.low),
        Arithmetic(compares=2),
    ),
    "sign": Function(
        "step(0.0f, {x}) - step(0.0f, -({x}))",
        lambda x, a: np.sign(x),
        Arithmetic(compares=2, adds=1),
    ),
    "floor": Function("floor({x})", lambda x, a: np.floor(x), Arithmetic()),
    "ceil": Function("ceil({x})", lambda x, a: np.ceil(x), Arithmetic()),
    "rint": Function("rint({x})", lambda x, a: np.rint(x), Arithmetic()),
    "trunc": Function("trunc({x})", lambda x, a: np.trunc(x), Arithmetic()),
}
EXPRESSIONS = {kind: function.expression for kind, function in FUNCTIONS.items()}
KINDS = tuple(EXPRESSIONS)


def of_step(kind: str, x: str, prefix: str) -> str:
    """The OpenCL expression of a kind whose parameters are fields of a record, called after
    `prefix`."""
    parameters = {name: f"{prefix}{name}" for name in ("alpha", "low", "high")}
    return EXPRESSIONS[kind].format(x=x, **parameters)


def c_float(value: float) -> str:
    """A float32 value as an OpenCL literal that reads back exactly."""
    return f"{float(str(np.float32(value)))!r}f"
