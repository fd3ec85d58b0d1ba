"""Forward and backward passes of a stage on two workers.

The forward worker sends what autograd keeps of each minibatch, and the backward worker sends the
weights back after each update. The backward worker traces the stage once, on zeros, and keeps that
trace: its saved tensors are slots, which it fills with those of the minibatch at hand before it
runs the trace backwards; weights among them are its own. Each of the two holds the weights, as two
accelerators must; there are no further versions of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hlsgen.train.batches import Batches
from hlsgen.train.engine import Report, Worker
from hlsgen.train.exchange import Clock, Inbox, Kind, Outbox
from hlsgen.train.layers import Tensor
from hlsgen.train.module import PartModule
from hlsgen.train.roles import backward_rank, forward_rank
from hlsgen.train.schedule import Stale
from hlsgen.train.stage import Stage, Tensors, run_backward


class Saved:
    """Collects the tensors that autograd keeps while a stage runs, each storage once; a stage's own
    weights are not collected.

    Both workers collect in the same order, since they run the same code. `places` gives for each
    saved tensor its number among the collected ones, or the tensor itself where that is the stage's
    own.
    """

    def __init__(self, module: PartModule):
        own = [*module.weights.values(), *module.running.values(), *module.fixed.values()]
        self.own = {tensor.untyped_storage().data_ptr() for tensor in own}
        self.tensors: list[Tensor] = []
        self.places: list[int | Tensor] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def pack(self, tensor: Tensor) -> int:
        """Note a tensor; returns its place."""
        place: int | Tensor = tensor
        if tensor.untyped_storage().data_ptr() not in self.own:
            key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
            if key not in self._numbers:
                self._numbers[key] = len(self.tensors)
                self.tensors.append(tensor.detach())
            place = self._numbers[key]
        self.places.append(place)
        return len(self.places) - 1


class Trace:
    """A stage's backward pass as a thing to be run again and again."""

    def __init__(self, stage: Stage, entering: Sequence[Kind]):
        self.stage = stage
        self.current: Tensors = ()
        saved = Saved(stage.module)
        running = {name: tensor.clone() for name, tensor in stage.module.running.items()}
        self.inputs = tuple(
            kind.empty(stage.device).zero_().requires_grad_(not stage.part.first)
            for kind in entering
        )
        with torch.autograd.graph.saved_tensors_hooks(saved.pack, self.unpack):
            outputs = stage.run(0, self.inputs)
        for name, tensor in stage.module.running.items():
            tensor.copy_(running[name])
        self.places = saved.places
        self.kinds = [Kind.of(tensor) for tensor in saved.tensors]
        self.outputs = outputs

    def unpack(self, place: int) -> Tensor:
        """The tensor that a saved one stands for now."""
        found = self.places[place]
        return self.current[found] if isinstance(found, int) else found

    def backward(self, saved: Tensors, gradients: Sequence[Tensor]) -> Tensors:
        """The gradients of the inputs for what a forward pass saved; those of the weights are left
        in them."""
        self.current = saved
        leaves = () if self.stage.part.first else self.inputs
        entering = run_backward(self.outputs, gradients, leaves, self.stage.learnt, again=True)
        self.current = ()
        return entering


class ForwardWorker(Worker):
    """The forward passes of a stage."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        stages: int,
        entering: Sequence[Kind],
        leaving: Sequence[Kind],
    ):
        super().__init__(stage, number, stages, entering, leaving, "apart")
        partner = backward_rank(number, stages, "apart")
        self.gradients = self.returns = None  # they are the partner's
        self.saved = Outbox(partner, Trace(stage, entering).kinds)
        self.weights = Inbox(partner, [Kind.of(w) for w in stage.learnt], stage.device)
        self.updates = 0

    def train(
        self, schedule: Stale, batches: Batches, offset: int, steps: int, report: Report
    ) -> None:
        """Run the forward passes; before each take the weights that it is due."""
        if self.activations is not None:
            self.activations.expect(steps)
        self.weights.expect(steps)
        self.updates = 0
        with self.clock.measure("total"):
            for step in range(steps):
                self.take_weights(schedule.updates(self.number, step))
                self.forward(offset + step, batches, report)
            self.take_weights(steps)
            self.flush()
            self.saved.flush()

    def take_weights(self, updates: int) -> None:
        """Take the partner's weights until so many updates are in."""
        while self.updates < updates:
            for weight, new in zip(self.stage.learnt, self.weights.take(), strict=True):
                weight.data.copy_(new)
            self.updates += 1
            self.stage.updates += 1

    def forward(self, step: int, batches: Batches, report: Report) -> None:
        """The forward pass of a minibatch; what it saves goes to the partner."""
        inputs = self.receive(step, batches)
        saved = Saved(self.stage.module)
        with (
            self.clock.measure("forward"),
            torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda place: place),
        ):
            outputs = self.stage.forward(step, inputs)
        del self.stage.flying[step]
        assert self.results is not None
        self.results.send(outputs)
        self.saved.send(saved.tensors)


class BackwardWorker:
    """The backward passes of a stage."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        stages: int,
        entering: Sequence[Kind],
        leaving: Sequence[Kind],
    ):
        self.stage, self.number, self.clock = stage, number, Clock()
        self.trace = Trace(stage, entering)
        device = stage.device
        self.saved = Inbox(forward_rank(number), self.trace.kinds, device)
        self.weights = Outbox(forward_rank(number), [Kind.of(w) for w in stage.learnt])
        self.gradients = Inbox(backward_rank(number + 1, stages, "apart"), leaving, device)
        self.returns = (
            None if number == 0 else Outbox(backward_rank(number - 1, stages, "apart"), entering)
        )

    def train(
        self, schedule: Stale, batches: Batches, offset: int, steps: int, report: Report
    ) -> None:
        """Run the backward passes."""
        self.stage.staleness = schedule.staleness(self.number)
        self.saved.expect(steps)
        self.gradients.expect(steps)
        with self.clock.measure("total"):
            for step in range(offset, offset + steps):
                saved, gradients = self.saved.take(), self.gradients.take()
                with self.clock.measure("backward"):
                    entering = self.trace.backward(saved, gradients)
                if self.returns is not None:
                    self.returns.send(entering)
                with self.clock.measure("backward"):
                    self.stage.update(step)
                self.weights.send([weight.detach().clone() for weight in self.stage.learnt])
            self.weights.flush()
            if self.returns is not None:
                self.returns.flush()

    def evaluate(self, batches: Batches) -> int:
        """Nothing to do."""
        return 0
