"""The course of a run: which minibatches run in which schedule."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.train.schedule import Sequential, Stale
from hlsgen.train.settings import Settings


@dataclass(frozen=True)
class Segment:
    """Minibatches `offset` to `offset + steps` of the run, all of one epoch, from an empty to an
    empty pipeline."""

    epoch: int
    offset: int
    steps: int
    scheme: str

    def schedule(self, stages: int) -> Stale:
        """Who does what when."""
        return Stale(stages) if self.scheme == "pipelined" else Sequential(stages)


def segments(settings: Settings, per_epoch: int) -> list[Segment]:
    """The run in segments. The pipeline runs empty after every epoch, to be tested and saved, and
    where a hybrid run goes over from pipelined to not."""
    total = settings.epochs * per_epoch
    switch = round(settings.hybrid * total) if settings.scheme == "pipelined" else total
    found = []
    for epoch in range(settings.epochs):
        start, end = epoch * per_epoch, (epoch + 1) * per_epoch
        for a, b in ((start, min(end, switch)), (max(start, switch), end)):
            if a < b:
                scheme = settings.scheme if b <= switch else "sequential"
                found.append(Segment(epoch, a, b - a, scheme))
    return found
