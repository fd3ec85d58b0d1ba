"""The operators in torch. Every function takes the layer, its weights and its inputs `(N, C, H,
W)`, and returns `(N, C, H, W)`.

They keep to the numpy references of `hlsgen.ops`. In-place functions are avoided: what autograd
keeps must stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from hlsgen.activation import Activation
from hlsgen.errors import UnsupportedError
from hlsgen.graph import Layer
from hlsgen.ops.average_pool import counts
from hlsgen.ops.window import Window

Tensor = torch.Tensor
Weights = Mapping[str, Tensor]
# A multiplier for seeds, so that neighbouring minibatches and layers draw from unrelated sequences.
SPREAD = 1_000_003


@dataclass
class Mode:
    """How a pass runs: training or not, and the seed of what a minibatch draws at random."""

    training: bool = False
    seed: int = 0


def forward(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """The layer's result. Raises UnsupportedError for an operator that has no way to train."""
    if layer.op not in FUNCTIONS:
        raise UnsupportedError(
            f"operator {layer.op} cannot be trained",
            where=f"layer {layer.name}",
            remedy=f"known: {', '.join(FUNCTIONS)}",
        )
    result = FUNCTIONS[layer.op](layer, weights, inputs, mode)
    return result if layer.activation is None else activate(result, layer.activation)


def activate(x: Tensor, a: Activation) -> Tensor:
    """The activation, element by element."""
    return ACTIVATIONS[a.kind](x, a)


ACTIVATIONS: dict[str, Callable[[Tensor, Activation], Tensor]] = {
    "relu": lambda x, a: F.relu(x),
    "clip": lambda x, a: x.clamp(a.low, a.high),
    "leaky_relu": lambda x, a: F.leaky_relu(x, a.alpha),
    "sigmoid": lambda x, a: torch.sigmoid(x),
    "tanh": lambda x, a: torch.tanh(x),
    "exp": lambda x, a: torch.exp(x),
    "log": lambda x, a: torch.log(x),
    "sqrt": lambda x, a: torch.sqrt(x),
    "rsqrt": lambda x, a: torch.rsqrt(x + a.low),
    "reciprocal": lambda x, a: torch.reciprocal(x),
    "abs": lambda x, a: torch.abs(x),
    "elu": lambda x, a: F.elu(x, a.alpha),
    "selu": lambda x, a: a.low * F.elu(x, a.alpha),
    "softplus": lambda x, a: F.softplus(x),
    "softsign": lambda x, a: F.softsign(x),
    "silu": lambda x, a: F.silu(x),
    "hard_sigmoid": lambda x, a: (a.alpha * x + a.low).clamp(0, 1),
    "hard_swish": lambda x, a: x * (a.alpha * x + a.low).clamp(0, 1),
    "square": lambda x, a: x * x,
    "power": lambda x, a: x**a.alpha,
    "sin": lambda x, a: torch.sin(x),
    "cos": lambda x, a: torch.cos(x),
    "erf": lambda x, a: torch.erf(x),
    "gelu": lambda x, a: F.gelu(x),
    "gelu_tanh": lambda x, a: F.gelu(x, approximate="tanh"),
    "mish": lambda x, a: F.mish(x),
    "celu": lambda x, a: F.celu(x, a.alpha),
    "at_least": lambda x, a: (x >= a.low).to(x.dtype),
    "at_most": lambda x, a: (x <= a.low).to(x.dtype),
    "above": lambda x, a: (x > a.low).to(x.dtype),
    "below": lambda x, a: (x < a.low).to(x.dtype),
    "equal": lambda x, a: (x == a.low).to(x.dtype),
    "sign": lambda x, a: torch.sign(x),
    "floor": lambda x, a: torch.floor(x),
    "ceil": lambda x, a: torch.ceil(x),
    "rint": lambda x, a: torch.round(x),
    "trunc": lambda x, a: torch.trunc(x),
}


def padded(x: Tensor, window: Window, fill: float) -> tuple[Tensor, tuple[int, int]]:
    """The input, and the pads that torch's own function may add: all of them when they are alike on
    both sides."""
    top, left, bottom, right = window.pads
    alike = top == bottom and left == right and top >= 0 and left >= 0
    if alike and (fill == 0 or (2 * top <= window.kernel[0] and 2 * left <= window.kernel[1])):
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=fill), (0, 0)


def conv(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """Convolution."""
    window: Window = layer.attributes.window
    x, pads = padded(inputs[0], window, 0.0)
    return F.conv2d(
        x,
        weights["weight"],
        weights["bias"],
        window.stride,
        pads,
        window.dilation,
        layer.attributes.groups,
    )


def dense(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """A fully connected layer."""
    return F.linear(inputs[0].flatten(1), weights["weight"].flatten(1), weights["bias"])[
        :, :, None, None
    ]


def batch_norm(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """Batch statistics in training, and running ones that follow them; else the running ones."""
    a = layer.attributes
    return F.batch_norm(
        inputs[0],
        weights["mean"],
        weights["variance"],
        weights["scale"],
        weights["bias"],
        mode.training,
        1 - a.momentum,
        a.epsilon,
    )


def dropout(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """Some values become 0 and the others grow; which ones depends on the seed and the layer's name
    alone."""
    kept = 1 - layer.attributes.ratio
    if not mode.training or kept == 1:
        return inputs[0]
    number = int.from_bytes(layer.name.encode(), "little")
    generator = torch.Generator(inputs[0].device).manual_seed(
        (mode.seed * SPREAD + number) % (1 << 63)
    )
    mask = torch.empty_like(inputs[0]).bernoulli_(kept, generator=generator)
    scaled: Tensor = inputs[0] * mask / max(kept, 1e-30)
    return scaled


def max_pool(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """The largest of each window; positions outside never win."""
    window: Window = layer.attributes.window
    x, pads = padded(inputs[0], window, float("-inf"))
    return F.max_pool2d(x, window.kernel, window.stride, pads, window.dilation)


def average_pool(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """Sum over each window divided by the positions that count."""
    window: Window = layer.attributes.window
    x, pads = padded(inputs[0], window, 0.0)
    rows, columns = (
        torch.from_numpy(n).to(x) for n in counts(layer.attributes, *inputs[0].shape[2:])
    )
    if (
        window.dilation == (1, 1)
        and 2 * pads[0] <= window.kernel[0]
        and 2 * pads[1] <= window.kernel[1]
    ):
        means = F.avg_pool2d(x, window.kernel, window.stride, pads)
        every = bool((rows == window.kernel[0]).all() and (columns == window.kernel[1]).all())
        return means if every else means * (window.taps / torch.outer(rows, columns).clamp(min=1))
    ones = x.new_ones(x.shape[1], 1, *window.kernel)
    sums = F.conv2d(x, ones, None, window.stride, pads, window.dilation, x.shape[1])
    return sums / torch.outer(rows, columns).clamp(min=1)


def gather(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """Values picked one by one, or blends of two."""
    a = layer.attributes
    flat = inputs[0].flatten(1)

    def pick(index: object) -> Tensor:
        places = torch.as_tensor(index, dtype=torch.long, device=flat.device)
        found = flat[:, places.clamp(min=0).flatten()].view(len(flat), *places.shape)
        return found.masked_fill(places < 0, a.fill) if bool((places < 0).any()) else found

    value = pick(a.index)
    if a.other is None:
        return value
    weight = torch.as_tensor(a.weight, dtype=value.dtype, device=value.device)
    return value + (weight if a.axis == "x" else weight[:, None]) * (pick(a.other) - value)


def lrn(layer: Layer, weights: Weights, inputs: Sequence[Tensor], mode: Mode) -> Tensor:
    """Each value divided by a power of the sum of its neighbours' squares."""
    a = layer.attributes
    squares = F.pad(inputs[0] ** 2, (0, 0, 0, 0, a.before, a.after))
    sums = torch.stack([squares[:, i : i + inputs[0].shape[1]] for i in range(a.size)]).sum(0)
    normalised: Tensor = inputs[0] / (a.bias + a.alpha / a.size * sums) ** a.beta
    return normalised


def channels(x: Tensor) -> Tensor:
    """One number a channel, to be broadcast; those that are one a value stay."""
    return x[:, None, None] if x.ndim == 1 else x


BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "rsub": lambda a, b: b - a,
    "mul": torch.mul,
    "div": torch.div,
    "rdiv": lambda a, b: b / a,
    "max": torch.maximum,
    "min": torch.minimum,
    "pow": torch.pow,
    "greater": lambda a, b: (a > b).to(a.dtype),
    "less": lambda a, b: (a < b).to(a.dtype),
    "greater_equal": lambda a, b: (a >= b).to(a.dtype),
    "less_equal": lambda a, b: (a <= b).to(a.dtype),
    "equal": lambda a, b: (a == b).to(a.dtype),
    "keep": lambda a, b: torch.where(b != 0, a, 0.0),
}

FUNCTIONS: dict[str, Callable[[Layer, Weights, Sequence[Tensor], Mode], Tensor]] = {
    "activation": lambda layer, weights, inputs, mode: inputs[0],
    "average_pool": average_pool,
    "batch_norm": batch_norm,
    "binary": lambda layer, weights, inputs, mode: BINARY[layer.attributes.function](
        inputs[0], inputs[1]
    ),
    "concat": lambda layer, weights, inputs, mode: torch.cat(tuple(inputs), 1),
    "conv": conv,
    "dense": dense,
    "dropout": dropout,
    "gather": gather,
    "global_average_pool": lambda layer, weights, inputs, mode: inputs[0].mean(
        (2, 3), keepdim=True
    ),
    "lrn": lrn,
    "matmul": lambda layer, weights, inputs, mode: torch.einsum(
        "zkbm,znbk->znbm", inputs[0], inputs[1].expand(-1, -1, inputs[0].shape[2], -1)
    ),
    "max_pool": max_pool,
    "prelu": lambda layer, weights, inputs, mode: F.prelu(inputs[0], weights["slope"]),
    "scale": lambda layer, weights, inputs, mode: (
        inputs[0] * channels(weights["scale"]) + channels(weights["bias"])
    ),
    "softmax": lambda layer, weights, inputs, mode: (
        F.log_softmax if layer.attributes.logarithm else F.softmax
    )(inputs[0], 1),
}
