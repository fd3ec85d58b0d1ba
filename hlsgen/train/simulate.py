"""How long schedules take, from the times of the stages: for more workers than a machine has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hlsgen.train.schedule import Action, Stale


@dataclass(frozen=True)
class StageTime:
    """Seconds of a minibatch in a stage; `sending` is what its results take to the next stage, and
    gradients back over that cut."""

    forward: float
    backward: float
    sending: float = 0.0


def simulate(programs: Sequence[Sequence[Action]], times: Sequence[StageTime]) -> float:
    """Seconds until all stages have run their programs, each on a worker of its own.

    A pass starts when its worker is free and its inputs are there: a forward pass follows the stage
    before, a backward pass the stage after, the last stage's its own forward pass. Raises
    ValueError for programs that wait for each other.
    """
    stages = len(programs)
    done: dict[tuple[int, Action], float] = {}
    places, free = [0] * stages, [0.0] * stages
    while any(place < len(program) for place, program in zip(places, programs, strict=True)):
        moved = False
        for stage, program in enumerate(programs):
            while places[stage] < len(program):
                action = program[places[stage]]
                ready = arrival(stage, action, times, done)
                if ready is None:
                    break
                took = times[stage].forward if action.forward else times[stage].backward
                free[stage] = done[stage, action] = max(free[stage], ready) + took
                places[stage] += 1
                moved = True
        if not moved:
            raise ValueError("the programs wait for each other")
    return max(free)


def arrival(
    stage: int, action: Action, times: Sequence[StageTime], done: dict[tuple[int, Action], float]
) -> float | None:
    """When the inputs of a pass are there; None while that is not known."""
    if action.forward and stage == 0:
        return 0.0
    last = stage == len(times) - 1
    source = stage - 1 if action.forward else stage if last else stage + 1
    needed = Action(action.forward or last, action.minibatch)
    if (source, needed) not in done:
        return None
    sending = 0.0 if source == stage else times[min(source, stage)].sending
    return done[source, needed] + sending


def pipelined(times: Sequence[StageTime], minibatches: int) -> float:
    """Seconds with stale weights, both passes of a stage on one worker."""
    schedule = Stale(len(times))
    return simulate([schedule.program(stage, minibatches) for stage in range(len(times))], times)


def gpipe(times: Sequence[StageTime], minibatches: int, microbatches: int) -> float:
    """Seconds in GPipe's schedule: forward passes of all microbatches, then backward passes; the
    next minibatch waits for the update."""
    part = [
        StageTime(t.forward / microbatches, t.backward / microbatches, t.sending / microbatches)
        for t in times
    ]
    program = [Action(forward, m) for forward in (True, False) for m in range(microbatches)]
    return minibatches * simulate([program] * len(times), part)


def sequential(times: Sequence[StageTime], minibatches: int) -> float:
    """Seconds of one worker that runs all stages."""
    return minibatches * sum(time.forward + time.backward for time in times)
