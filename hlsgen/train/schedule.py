"""Who does what when: the pipeline of Zhang and Abdelrahman (2019, arXiv 1912.12675), and training
without one.

Stages count from 0; with K cuts there are K + 1. In cycle c of the pipeline stage s runs the
forward pass of minibatch c - s, then the backward pass of minibatch c - 2K + s. So a forward pass
of stage s misses the updates of the 2 (K - s) newest minibatches (the paper counts stages from 1: 2
(K - i + 1)), and a stage holds the activations of 2 (K - s) + 1 minibatches. Backward passes use,
and update, the weights as they are then: there is one copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Action(NamedTuple):
    """A pass of a minibatch through a stage."""

    forward: bool
    minibatch: int


@dataclass(frozen=True)
class Stale:
    """The pipeline: all stages are busy once it is full, and nobody waits for weights."""

    stages: int

    def staleness(self, stage: int) -> int:
        """Updates that a forward pass of the stage misses, once the pipeline is full."""
        return 2 * (self.stages - 1 - stage)

    def updates(self, stage: int, minibatch: int) -> int:
        """Updates of its weights that the stage's forward pass of a minibatch sees; both count from
        the last empty pipeline."""
        return max(0, minibatch - self.staleness(stage))

    def in_flight(self, stage: int) -> int:
        """Minibatches whose activations the stage holds at most."""
        return self.staleness(stage) + 1

    def cycles(self, minibatches: int) -> int:
        """Cycles from an empty pipeline to an empty pipeline."""
        return minibatches + 2 * (self.stages - 1) if minibatches else 0

    def actions(self, stage: int, cycle: int, minibatches: int) -> list[Action]:
        """What a stage does in a cycle."""
        pair = (Action(True, cycle - stage), Action(False, cycle - 2 * (self.stages - 1) + stage))
        return [action for action in pair if 0 <= action.minibatch < minibatches]

    def program(self, stage: int, minibatches: int) -> list[Action]:
        """Everything that a stage does, in order."""
        return [
            a
            for cycle in range(self.cycles(minibatches))
            for a in self.actions(stage, cycle, minibatches)
        ]


@dataclass(frozen=True)
class Sequential(Stale):
    """No pipeline: a minibatch passes all stages forward and back before the next one starts. It is
    plain SGD."""

    def staleness(self, stage: int) -> int:
        """None."""
        return 0

    def cycles(self, minibatches: int) -> int:
        """A cycle is a pass of a minibatch through one stage."""
        return 2 * self.stages * minibatches

    def actions(self, stage: int, cycle: int, minibatches: int) -> list[Action]:
        """Forward in the first half of a minibatch's cycles, backward in the second."""
        minibatch, step = divmod(cycle, 2 * self.stages)
        if step == stage:
            return [Action(True, minibatch)]
        return [Action(False, minibatch)] if step == 2 * self.stages - 1 - stage else []


def stale_share(schedule: Stale, weights: list[int]) -> float:
    """The share of the weights whose forward passes miss updates; `weights` counts each stage's."""
    stale = sum(count for stage, count in enumerate(weights) if schedule.staleness(stage))
    return stale / max(sum(weights), 1)
