"""Passes of workers that share cores with others, replayed as if each worker had a core of its own:
in the order in which they were made, each as long as it was on a core, begun when what it needs is
there. Messages take no time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import thread_time

# What a pass is known by: its kind, then numbers.
Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Pass:
    """A pass, and those of other workers that it needs. Seconds on a core: `before` it, since the
    pass that came before, and of itself."""

    key: Key
    needs: tuple[Key, ...]
    before: float
    took: float


@dataclass
class Trace:
    """The passes of a worker's main thread in an epoch, and how many updates its forward passes
    missed at most."""

    passes: list[Pass] = field(default_factory=list)
    last: float = 0.0
    staleness: int = 0

    def begin(self) -> None:
        """An epoch begins."""
        self.passes, self.last = [], thread_time()

    def end(self) -> list[Pass]:
        """An epoch's passes; what came after the last one is a pass of its own."""
        with self.note(("end",), ()):
            pass
        return self.passes

    @contextmanager
    def note(self, key: Key, needs: Sequence[Key]) -> Iterator[None]:
        """Note the pass inside."""
        start = thread_time()
        yield
        end = thread_time()
        self.passes.append(Pass(key, tuple(needs), start - self.last, end - start))
        self.last = end

    @contextmanager
    def forward(self, stage: int, turn: tuple[int, int], missed: int) -> Iterator[None]:
        """Note the forward pass of a stage; `turn`: minibatch and microbatch."""
        self.staleness = max(self.staleness, missed)
        with self.note(("forward", stage, *turn), [("forward", stage - 1, *turn)] * (stage > 0)):
            yield

    @contextmanager
    def backward(self, stage: int, stages: int, turn: tuple[int, int]) -> Iterator[None]:
        """Note the backward pass of one of so many stages."""
        needs = [("backward", stage + 1, *turn)] * (stage < stages - 1)
        with self.note(("backward", stage, *turn), needs):
            yield


def replay(workers: Sequence[Sequence[Pass]]) -> tuple[float, list[float]]:
    """Seconds until the last worker is done, and the seconds that each one works. Raises ValueError
    for passes that wait for each other."""
    clocks, places = [0.0] * len(workers), [0] * len(workers)
    done: dict[Key, float] = {}
    while any(place < len(made) for place, made in zip(places, workers, strict=True)):
        moved = False
        for number, made in enumerate(workers):
            while places[number] < len(made):
                this = made[places[number]]
                if any(need not in done for need in this.needs):
                    break
                ready = [done[need] for need in this.needs]
                clocks[number] = max(clocks[number] + this.before, *ready, 0.0) + this.took
                done[this.key] = clocks[number]
                places[number] += 1
                moved = True
        if not moved:
            raise ValueError("passes wait for each other")
    return max(clocks), [sum(p.before + p.took for p in made) for made in workers]
