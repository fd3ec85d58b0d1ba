"""Which worker does what. Workers are numbered by rank."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.errors import PlanError


@dataclass(frozen=True)
class Role:
    """A worker's stage, and whether it runs that stage's forward passes, backward passes, or
    both."""

    stage: int
    forward: bool
    backward: bool

    @property
    def title(self) -> str:
        """How messages call it."""
        kind = "" if self.forward and self.backward else "forward " if self.forward else "backward "
        return f"{kind}stage {self.stage + 1}"


def worker_count(stages: int, placement: str) -> int:
    """K + 1 workers together, 2 K + 1 apart."""
    return stages if placement == "together" else 2 * stages - 1


def stage_count(workers: int, placement: str) -> int:
    """The stages that so many workers run. Raises PlanError."""
    if placement == "together":
        return workers
    if workers % 2 == 0:
        raise PlanError(
            f"{workers} workers",
            where="--placement apart",
            remedy="forward and backward stages apart need an odd number of workers",
        )
    return (workers + 1) // 2


def role_of(rank: int, stages: int, placement: str) -> Role:
    """The role of a worker: stages in order; apart, the backward stages follow from last to first.

    The last stage's passes are always on one worker, the one that knows the loss and reports.
    """
    if placement == "together" or rank == stages - 1:
        return Role(rank, True, True)
    if rank < stages:
        return Role(rank, True, False)
    return Role(2 * stages - 2 - rank, False, True)


def forward_rank(stage: int) -> int:
    """The worker that runs a stage's forward passes."""
    return stage


def backward_rank(stage: int, stages: int, placement: str) -> int:
    """The worker that runs a stage's backward passes."""
    return stage if placement == "together" else 2 * stages - 2 - stage
