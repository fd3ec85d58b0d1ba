"""What a stage keeps and computes, whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from hlsgen.errors import TrainingError
from hlsgen.frontend.training import Trainable
from hlsgen.train.correct import Momentum, look_ahead, rate_factor, shares
from hlsgen.train.cut import Part
from hlsgen.train.layers import Tensor
from hlsgen.train.meter import Meter
from hlsgen.train.module import PartModule
from hlsgen.train.settings import Settings

Tensors = tuple[Tensor, ...]
# Of AdamW; the first beta is the momentum.
BETA2 = 0.999


@dataclass
class Flight:
    """A minibatch between its forward and its backward pass."""

    inputs: Tensors
    outputs: Tensors


@dataclass
class Stage:
    """A part of the network in training. `steps`: minibatches of the whole run, for the learning
    rate's schedule.

    There is one copy of the weights. The optimizer reaches it through parameters of its own, so
    that autograd does not take an update for a mistake: a backward pass uses the weights as they
    are by then, with the activations of its forward pass.
    """

    network: Trainable
    part: Part
    settings: Settings
    steps: int
    device: str = "cpu"
    meter: Meter | None = None
    flying: dict[int, Flight] = field(default_factory=dict)
    # For every forward pass the number of updates that its weights had seen.
    versions: dict[int, int] = field(default_factory=dict)
    updates: int = 0
    # Updates that its forward passes miss once the pipeline is full, as it runs now.
    staleness: int = 0

    def __post_init__(self) -> None:
        self.module = PartModule(
            self.network, self.part, self.device, self.settings.layout == "channels_last"
        )
        self.learnt = list(self.module.weights.values())
        self.ours = [nn.Parameter(weight.data) for weight in self.learnt]
        # Of matrices and filters alone: biases start at zero as a rule.
        self.masks = (
            [(w, w.data != 0) for w in self.ours if w.dim() > 1] if self.settings.keep_zeros else []
        )
        self.optimizer = self.make_optimizer()

    def make_optimizer(self) -> torch.optim.Optimizer:
        """What updates the weights; `momentum` is AdamW's first beta."""
        s, weights = self.settings, self.ours or [nn.Parameter(torch.zeros(1))]
        if s.optimizer == "adamw":
            betas = (s.momentum, BETA2)
            return torch.optim.AdamW(weights, s.rate, betas, weight_decay=s.weight_decay)
        return Momentum(weights, s.rate, s.momentum, s.weight_decay)

    def run(self, step: int, inputs: Sequence[Tensor], training: bool = True) -> Tensors:
        """The outputs for these inputs."""
        self.prepare(step, training)
        outputs: Tensors = self.module(*inputs)
        return outputs

    def prepare(self, step: int, training: bool = True) -> None:
        """Tell the layers what runs next."""
        self.module.mode.training, self.module.mode.seed = (
            training,
            self.settings.seed * (self.steps + 1) + step,
        )

    def forward(self, step: int, inputs: Sequence[Tensor]) -> Tensors:
        """The forward pass of a minibatch; its activations are kept. The outputs are cut off from
        autograd."""
        self.versions[step] = self.updates
        own = tuple(x if self.part.first else x.detach().requires_grad_() for x in inputs)
        watched = self.meter.watch(step, self.learnt) if self.meter else nullcontext()
        with watched, self.moved_on():
            outputs = self.run(step, own)
        self.flying[step] = Flight(own, outputs)
        return tuple(output.detach() for output in outputs)

    @contextmanager
    def moved_on(self) -> Iterator[None]:
        """Weights as a correction foresees them, for the pass inside; backward passes meet them as
        they are by then."""
        s, ours = self.settings, list[Tensor](self.ours)
        ahead = look_ahead(s.correct, s.momentum, len(self.flying))
        if not (ahead and ours and isinstance(self.optimizer, Momentum)):
            yield
            return
        with torch.no_grad():
            kept = [weight.clone() for weight in ours]
            rate, velocities = self.optimizer.param_groups[0]["lr"], self.optimizer.velocities(ours)
            torch._foreach_add_(ours, velocities, alpha=-rate * ahead)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(ours, kept)

    def loss(self, step: int, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Of the last stage's minibatch in flight: the mean cross entropy, and how many pictures
        are right."""
        flight = self.flying[step]
        scores = flight.outputs[0].flatten(1)
        loss = F.cross_entropy(scores, labels)
        self.flying[step] = Flight(flight.inputs, (loss,))
        return loss.detach(), (scores.detach().argmax(1) == labels).sum()

    def backward(self, step: int, gradients: Sequence[Tensor]) -> Tensors:
        """The backward pass of a minibatch: the gradients of its inputs; those of the weights wait
        for `update`.

        `gradients` are those of the outputs; none for the last stage, whose output is the loss.
        """
        flight = self.flying.pop(step)
        leaves = () if self.part.first else flight.inputs
        entering = run_backward(flight.outputs, gradients or (None,), leaves, self.learnt)
        if self.meter is not None:
            self.meter.release(step)
        return entering

    def update(self, step: int) -> None:
        """Apply the gradients to the weights as they are now."""
        for ours, weight in zip(self.ours, self.learnt, strict=True):
            ours.grad = weight.grad
        s, delay = self.settings, self.updates - self.versions.get(step, self.updates)
        scale = rate_factor(s.correct, self.staleness, step / self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = s.rate_at(step, self.steps) * scale
            if isinstance(self.optimizer, Momentum):
                group["shares"] = shares(s.correct, s.nesterov, s.momentum, delay)
        self.optimizer.step()
        for weight, mask in self.masks:
            weight.data.mul_(mask)
        self.updates += 1

    @torch.no_grad()
    def evaluate(self, inputs: Sequence[Tensor]) -> Tensors:
        """The outputs with running statistics and without dropout."""
        return self.run(0, inputs, training=False)

    def state(self) -> dict[str, object]:
        """Weights, statistics and momentum, for a checkpoint."""
        return {
            "weights": {name: w.detach().clone() for name, w in self.module.weights.items()},
            "running": {name: r.clone() for name, r in self.module.running.items()},
            "optimizer": self.optimizer.state_dict(),
        }

    @torch.no_grad()
    def load(self, state: Any) -> None:
        """Go on from a checkpoint. Raises TrainingError for the state of another stage."""
        if not isinstance(state, dict) or not all(
            shapes(state.get(what)) == shapes(own)
            for what, own in (("weights", self.module.weights), ("running", self.module.running))
        ):
            raise other_stage()
        for name, weight in self.module.weights.items():
            weight.data.copy_(state["weights"][name])
        for name, running in self.module.running.items():
            running.copy_(state["running"][name])
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise other_stage() from None
        for weight in self.ours:
            kept = self.optimizer.state.get(weight, {}).values()
            if any(isinstance(x, Tensor) and x.shape not in (weight.shape, ()) for x in kept):
                raise other_stage()


def other_stage() -> TrainingError:
    """What a checkpoint says that another stage has left."""
    return TrainingError(
        "its tensors are not those of this network's stages",
        where="--resume",
        remedy="start without --resume",
    )


def shapes(tensors: Any) -> dict[Any, Any]:
    """Names and shapes of tensors."""
    found = tensors.items() if isinstance(tensors, dict) else ()
    return {name: getattr(tensor, "shape", None) for name, tensor in found}


def run_backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    leaves: Sequence[Tensor],
    weights: Sequence[Tensor],
    again: bool = False,
) -> Tensors:
    """The gradients of `leaves` for those of `outputs`; those of the weights are left in them.
    `again`: the graph is kept."""
    for tensor in (*leaves, *weights):
        tensor.grad = None
    pairs = [(o, g) for o, g in zip(outputs, gradients, strict=True) if o.requires_grad]
    if pairs:  # a first stage may have nothing to learn
        torch.autograd.backward(
            [o for o, _ in pairs],
            [g for _, g in pairs],
            retain_graph=again,
            inputs=[*leaves, *weights],
        )
    return tuple(torch.zeros_like(x) if x.grad is None else x.grad for x in leaves)
