"""What makes up for stale weights, beside the published scheme: formulas, and the optimizer that
they share.

A gradient of stage i is `delay` updates late. With momentum m, velocity v = m v + g and the update
W = W - rate (a v + b g), plain momentum is a = 1, b = 0 and Nesterov's a = m, b = 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

# Of PipeMare: the share of the run after which all stages have the full rate.
ANNEALING = 0.25


def look_ahead(correction: str, momentum: float, delay: int) -> float:
    """How many times rate and velocity a forward pass's weights are moved on, for the `delay`
    updates that it misses.

    "predict": along the velocity, once an update (Chen et al., SpecTrain, arXiv 1809.02839).
    "nesterov": as far as momentum alone carries them; stored weights look one update ahead already,
    as Nesterov's do, so without delay there is nothing to add.
    """
    if correction == "predict":
        return float(delay)
    if correction == "nesterov":
        return float(sum(momentum**k for k in range(2, delay + 2)))
    return 0.0


def shares(correction: str, nesterov: bool, momentum: float, delay: int) -> tuple[float, float]:
    """The shares `a` of the velocity and `b` of the gradient in an update.

    "spike": the updates that a late gradient has missed come with it (Kosson et al., Pipelined
    Backpropagation at Scale, arXiv 2003.11666).
    """
    if correction == "spike":
        missed = sum(momentum**k for k in range(delay))
        return momentum**delay, missed
    return (momentum, 1.0) if nesterov or correction == "nesterov" else (1.0, 0.0)


def rate_factor(correction: str, delay: int, done: float) -> float:
    """By how much a stage's learning rate is scaled when the share `done` of the run is done.

    "pipemare": stages of longer delay begin with a lower rate, which rises to the full one (Yang et
    al., PipeMare, arXiv 1910.05124, T1; its delay counts from forward to backward pass, this one
    more than the updates missed).
    """
    if correction != "pipemare":
        return 1.0
    return float((delay + 1) ** -max(0.0, 1 - done / ANNEALING))


class Momentum(torch.optim.Optimizer):
    """SGD with momentum, whose update takes shares of velocity and gradient."""

    def __init__(
        self, parameters: Iterable[torch.Tensor], lr: float, momentum: float, weight_decay: float
    ):
        super().__init__(
            parameters,
            {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "shares": (1.0, 0.0)},
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients = [weight.grad for weight in weights]
            if group["weight_decay"]:
                gradients = list(
                    torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
                )
            velocities = self.velocities(weights)
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, gradients)
            of_velocity, of_gradient = group["shares"]
            torch._foreach_add_(weights, velocities, alpha=-group["lr"] * of_velocity)
            if of_gradient:
                torch._foreach_add_(weights, gradients, alpha=-group["lr"] * of_gradient)

    def velocities(self, weights: Iterable[torch.Tensor]) -> list[torch.Tensor]:
        """Those of some weights; 0 before the first update."""
        states = [(weight, self.state[weight]) for weight in weights]
        return [state.setdefault("velocity", torch.zeros_like(w)) for w, state in states]
