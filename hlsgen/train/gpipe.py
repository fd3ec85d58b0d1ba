"""The comparison: GPipe's schedule as torch.distributed.pipelining runs it. Minibatches are cut
into microbatches, weights are never stale, and the pipeline runs empty after every minibatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe

from hlsgen.train.batches import Batches
from hlsgen.train.engine import Report, Worker
from hlsgen.train.exchange import Clock, Kind
from hlsgen.train.schedule import Stale
from hlsgen.train.stage import Stage


class GpipeWorker(Worker):
    """A stage in GPipe's schedule, or in another one of torch's, `pipe`, in which this worker may
    run `others` too."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        stages: int,
        entering: Sequence[Kind],
        leaving: Sequence[Kind],
        pipe: Any = None,
        others: Sequence[Stage] = (),
    ):
        super().__init__(stage, number, stages, entering, leaving)
        self.own = (stage, *others)
        self.pipe = pipe or ScheduleGPipe(
            Piped(stage, number, stages, self.clock), stage.settings.microbatches, mean_loss
        )

    def train(
        self, schedule: Stale, batches: Batches, offset: int, steps: int, report: Report
    ) -> None:
        """Run the minibatches."""
        with self.clock.measure("total"):
            for step in range(offset, offset + steps):
                self.train_step(step, batches, report)

    def train_step(self, step: int, batches: Batches, report: Report) -> None:
        """One minibatch and its update."""
        device = self.stage.device
        for stage in self.own:
            stage.prepare(step, training=False)  # `Piped` knows which passes are
            for weight in stage.learnt:
                weight.grad = None
        if self.last:
            labels = batches.labels(step).to(device)
            losses: list[torch.Tensor] = []
            entering = () if self.number else (batches.inputs(step).to(device),)
            scores = self.pipe.step(*entering, target=labels, losses=losses)
            right = (scores.flatten(1).argmax(1) == labels).sum()
            report(step, float(torch.stack(losses).detach().mean()), int(right))
        elif self.first:
            self.pipe.step(batches.inputs(step).to(device))
        else:
            self.pipe.step()
        with self.clock.measure("backward"):
            for stage in self.own:
                stage.update(step)


class Piped(PipelineStage):
    """A stage as torch's schedules take it. To see shapes torch first runs it on whatever memory
    holds, which running statistics must not follow: only the passes of microbatches train."""

    def __init__(self, stage: Stage, number: int, stages: int, clock: Clock):
        super().__init__(OneOrMany(stage), number, stages, torch.device(stage.device))
        self.mode, self.clock = stage.module.mode, clock

    def forward_one_chunk(self, *args: Any, **kwargs: Any) -> Any:
        """The forward pass of a microbatch."""
        self.mode.training = True
        try:
            with self.clock.measure("forward"):
                return super().forward_one_chunk(*args, **kwargs)
        finally:
            self.mode.training = False

    def backward_one_chunk(self, *args: Any, **kwargs: Any) -> Any:
        """The backward pass of a microbatch."""
        with self.clock.measure("backward"):
            return super().backward_one_chunk(*args, **kwargs)


def mean_loss(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean cross entropy of a microbatch."""
    return F.cross_entropy(scores.flatten(1), labels)


class OneOrMany(torch.nn.Module):
    """A stage as torch.distributed.pipelining wants it: a single result is no tuple."""

    def __init__(self, stage: Stage):
        super().__init__()
        self.inner = stage.module
        self.first, self.last = stage.part.first, stage.module.channels_last

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The stage's outputs."""
        if not self.first:
            inputs = tuple(self.arrived(x) for x in inputs)
        outputs = tuple(self.sent(y) for y in self.inner(*inputs))
        return outputs[0] if len(outputs) == 1 else outputs

    def sent(self, y: torch.Tensor) -> torch.Tensor:
        """A result in the order in which it travels: torch sends contiguous tensors alone."""
        return (y.permute(0, 2, 3, 1) if self.last else y).contiguous()

    def arrived(self, x: torch.Tensor) -> torch.Tensor:
        """An input as the layers want it; its gradient will travel too."""
        if x.requires_grad:
            x.register_hook(lambda gradient: gradient.contiguous())
        return x.permute(0, 3, 1, 2) if self.last else x
