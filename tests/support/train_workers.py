"""Entries for worker processes of tests: trainers that record, fail or die. They are imported by
the processes themselves."""

import os
import signal

import numpy as np
import torch

from hlsgen.train.stage import Stage
from hlsgen.train.trainer import Trainer, join, leave


def run(rank, world, store, settings, folder, resume=False):
    """A plain worker; the reporting one leaves weights, losses and what the workers tell in
    `folder`."""
    if world > 1:
        join(settings, rank, world, store)
    outcome = Trainer(settings, folder, rank, world, resume).run()
    if world > 1:
        leave()
    if outcome is not None:
        np.savez(folder / "values.npz", **outcome.values)
        reports = [
            [r.role.stage, r.staleness, r.flying, r.kept_bytes, r.bytes_a_minibatch]
            for r in outcome.reports
        ]
        np.savez(
            folder / "reports.npz",
            reports=reports,
            clocks=[[r.clock.forward, r.clock.backward, r.clock.total] for r in outcome.reports],
            losses=[loss for _, loss, _ in outcome.journal.losses],
        )


def tell_parent(rank, world, store, folder):
    """A worker that leaves the number of the process that it was forked from in `folder`."""
    (folder / str(rank)).write_text(str(os.getppid()))


def record(rank, world, store, settings, folder):
    """A worker that keeps its weights after every update."""
    history = []
    update = Stage.update

    def recorded(self, step):
        update(self, step)
        history.append([weight.detach().numpy().copy() for weight in self.learnt])

    Stage.update = recorded
    run(rank, world, store, settings, folder)
    if history:
        arrays = {
            f"{step}_{number}": a
            for step, arrays in enumerate(history)
            for number, a in enumerate(arrays)
        }
        np.savez(folder / f"history{rank}.npz", **arrays)


def failing(kind):
    """Patch the passes of this process so that minibatch 20 fails."""
    forward = Stage.forward

    def fails(self, step, inputs):
        if step == 20:
            if kind == "raise":
                raise ZeroDivisionError("a stage that raises")
            if kind == "memory":
                torch.empty(1 << 50)
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        return forward(self, step, inputs)

    Stage.forward = fails


def first_raises(rank, world, store, settings, folder):
    """Stage 1 raises."""
    if rank == 0:
        failing("raise")
    run(rank, world, store, settings, folder)


def last_runs_out_of_memory(rank, world, store, settings, folder):
    """The last stage asks for more memory than there is."""
    if rank == world - 1:
        failing("memory")
    run(rank, world, store, settings, folder)


def middle_is_killed(rank, world, store, settings, folder):
    """A worker dies without a word."""
    if rank == 1:
        failing("kill")
    run(rank, world, store, settings, folder)
