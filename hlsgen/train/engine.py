"""A worker of the pipeline that runs both passes of its stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hlsgen.train.batches import Batches
from hlsgen.train.exchange import Clock, Inbox, Kind, Outbox
from hlsgen.train.roles import backward_rank, forward_rank
from hlsgen.train.schedule import Stale
from hlsgen.train.stage import Stage, Tensors

# What the last stage tells of a minibatch: its number, the loss, and how many pictures were right.
Report = Callable[[int, float, int], None]


class Worker:
    """Stage `number` of `stages`, whose neighbours are other workers. `entering` and `leaving` are
    the tensors at its two cuts."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        stages: int,
        entering: Sequence[Kind],
        leaving: Sequence[Kind],
        placement: str = "together",
    ):
        self.stage, self.number, self.stages = stage, number, stages
        self.clock = Clock()
        device = stage.device
        self.activations = None if self.first else Inbox(forward_rank(number - 1), entering, device)
        self.results = None if self.last else Outbox(forward_rank(number + 1), leaving)
        self.gradients = self.returns = None
        if not self.last:
            self.gradients = Inbox(backward_rank(number + 1, stages, placement), leaving, device)
        if not self.first:
            self.returns = Outbox(backward_rank(number - 1, stages, placement), entering)

    @property
    def first(self) -> bool:
        """Whether pictures enter here."""
        return self.number == 0

    @property
    def last(self) -> bool:
        """Whether the loss is computed here."""
        return self.number == self.stages - 1

    def train(
        self, schedule: Stale, batches: Batches, offset: int, steps: int, report: Report
    ) -> None:
        """Run `steps` minibatches from `offset` on, from an empty to an empty pipeline."""
        self.stage.staleness = schedule.staleness(self.number)
        for inbox in (self.activations, self.gradients):
            if inbox is not None:
                inbox.expect(steps)
        with self.clock.measure("total"):
            for action in schedule.program(self.number, steps):
                step = offset + action.minibatch
                if action.forward:
                    self.forward(step, batches, report)
                else:
                    self.backward(step)
            self.flush()

    def forward(self, step: int, batches: Batches, report: Report) -> None:
        """The forward pass of a minibatch."""
        inputs = self.receive(step, batches)
        with self.clock.measure("forward"):
            outputs = self.stage.forward(step, inputs)
        if self.results is not None:
            self.results.send(outputs)
            return
        with self.clock.measure("forward"):
            loss, right = self.stage.loss(step, batches.labels(step).to(self.stage.device))
        report(step, float(loss), int(right))

    def receive(self, step: int, batches: Batches) -> Tensors:
        """What enters the stage."""
        if self.activations is None:
            return (batches.inputs(step).to(self.stage.device),)
        return self.activations.take()

    def backward(self, step: int) -> None:
        """The backward pass of a minibatch, and the update."""
        gradients = self.gradients.take() if self.gradients is not None else ()
        with self.clock.measure("backward"):
            entering = self.stage.backward(step, gradients)
        if self.returns is not None:
            self.returns.send(entering)
        with self.clock.measure("backward"):
            self.stage.update(step)

    def flush(self) -> None:
        """Wait until all that was sent has gone."""
        for outbox in (self.results, self.returns):
            if outbox is not None:
                outbox.flush()

    def evaluate(self, batches: Batches) -> int:
        """Pass all minibatches forward; the last stage returns how many pictures are right, others
        0."""
        right = 0
        if self.activations is not None:
            self.activations.expect(len(batches))
        for step in range(len(batches)):
            outputs = self.stage.evaluate(self.receive(step, batches))
            if self.results is not None:
                self.results.send(outputs)
            else:
                found = outputs[0].flatten(1).argmax(1).cpu() == batches.labels(step)
                right += int(found[: batches.real(step)].sum())
        self.flush()
        return right
