"""The pipeline in one process, cycle by cycle: what the processes of `engine` and `apart` must come
to."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.frontend.training import Trainable
from hlsgen.train.batches import Batches
from hlsgen.train.cut import Part
from hlsgen.train.schedule import Stale
from hlsgen.train.settings import Settings
from hlsgen.train.stage import Stage, Tensors


def train_in_one_process(
    network: Trainable,
    parts: Sequence[Part],
    settings: Settings,
    batches: Batches,
    schedule: Stale,
    steps: int,
    offset: int = 0,
) -> tuple[list[Stage], list[float]]:
    """Train `steps` minibatches from an empty to an empty pipeline. Returns the stages and the
    losses."""
    stages = [Stage(network, part, settings, steps) for part in parts]
    return stages, run_cycles(stages, batches, schedule, steps, offset)


def run_cycles(
    stages: Sequence[Stage], batches: Batches, schedule: Stale, steps: int, offset: int = 0
) -> list[float]:
    """All cycles. What one stage hands to the next arrives a cycle later."""
    losses: list[float] = []
    last = len(stages) - 1
    for number, stage in enumerate(stages):
        stage.staleness = schedule.staleness(number)
    forward: dict[tuple[int, int], Tensors] = {}
    backward: dict[tuple[int, int], Tensors] = {}
    for cycle in range(schedule.cycles(steps)):
        for number, stage in enumerate(stages):
            for action in schedule.actions(number, cycle, steps):
                step = offset + action.minibatch
                if action.forward:
                    inputs = forward.pop((number, step)) if number else (batches.inputs(step),)
                    forward[number + 1, step] = stage.forward(step, inputs)
                    if number == last:
                        losses.append(float(stage.loss(step, batches.labels(step))[0]))
                else:
                    gradients = backward.pop((number, step)) if number < last else ()
                    backward[number - 1, step] = stage.backward(step, gradients)
                    stage.update(step)
    return losses
