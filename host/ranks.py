"""Runs a system with a process a board, which `mpirun` or Slurm's `srun` has started, perhaps on
several nodes. Needs mpi4py. Nothing of it has run on boards: it is checked on emulated ones.

Process number r has board r modulo the number of boards in a row, of row r divided by that. All
program their boards, wait for each other, and start; images are dealt to the rows in turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from . import devices
from .boards import board_job, check_device, linked, serve, titled
from .errors import HostError
from .runner import GRACE, job_of
from .session import SHARED, Session
from .system import SystemDesign

Tensors = dict[str, np.ndarray]


def world() -> Any:
    """MPI's communicator of all processes. Raises HostError without mpi4py."""
    try:
        from mpi4py import MPI
    except ImportError:
        raise HostError(
            "processes that mpirun or srun started talk through mpi4py, which is not installed",
            remedy="pip install mpi4py (or 'hlsgen[mpi]')",
        ) from None
    return MPI.COMM_WORLD


def run_rank(
    design: SystemDesign,
    inputs: Tensors,
    comm: Any,
    *,
    device: str = "board",
    timeout: float = 120.0,
    links: str = "",
    session: Session = SHARED,
) -> Tensors | None:
    """This process's part of a run of all images `(images, ...)`. Returns the network's outputs in
    process 0, None in the others.

    On the emulator the boards' links are pipes in the folder `links`, which all processes see.
    Raises HostError, also for a number of processes that is not that of the boards.
    """
    check_device(device, comm.Get_size())
    if design.system.links and not links and devices.family(device) != "system":
        raise HostError("emulated boards need a folder for their links", remedy="give --links DIR")
    count, copies = len(design.boards), design.system.copies
    if comm.Get_size() != count * copies:
        raise HostError(
            f"{comm.Get_size()} processes for {count * copies} boards",
            remedy=f"start {count * copies}, one a board",
        )
    row, number = divmod(comm.Get_rank(), count)
    design.check_inputs(inputs)
    network = design.network
    values = network.before(inputs) if network else []
    given = network.design_inputs(values) if network else inputs
    images = len(next(iter(given.values())))  # those of the design
    mine = {name: array[row::copies] for name, array in given.items()}
    share = len(range(row, images, copies))
    found: Tensors = {}
    with (
        shared_links(design, Path(links) / str(row), comm, first=not number)
        if links
        else nullcontext()
    ):
        if share:
            job = job_of(design, mine, share, device, "concurrent", timeout)
            own = board_job(design, number, mine, job, Path(links).resolve() / str(row))
            own |= {"folder": own["folder"] if links else os.getcwd(), "board": local_rank()}
            found = run_one(design, number, own, timeout + GRACE, comm, session)
        else:
            comm.Barrier()
        parts = comm.gather((row, found), root=0)
    if comm.Get_rank():
        return None
    results = dealt(parts, images, copies)
    return network.after(values, results) if network else results


def run_one(
    design: SystemDesign, number: int, job: dict[str, Any], silence: float, comm: Any,
    session: Session,
) -> Tensors:  # fmt: skip
    """What one board writes to its own memory."""
    run = design.boards[number].run("concurrent")
    kernels = len(run.launches) + len(run.autorun)
    variables = devices.environment(devices.family(job["device"]), kernels)
    with titled(design.title(number)), session.worker(variables) as worker:
        done = serve(worker, job | {"waits": True}, silence, comm.Barrier, lambda _: None)
    outputs: Tensors = done["outputs"]
    return outputs


@contextmanager
def shared_links(design: SystemDesign, folder: Path, comm: Any, first: bool) -> Iterator[None]:
    """The pipes of a row of emulated boards, made by its first process."""
    if first:
        folder.mkdir(parents=True)
    with linked(design, folder, pipes=True) if first else nullcontext():
        comm.Barrier()
        yield


def local_rank() -> int:
    """The number of this process on its node, as the launcher says: that of its board there."""
    names = ("SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK")
    return next((int(os.environ[name]) for name in names if name in os.environ), 0)


def dealt(parts: list[tuple[int, Tensors]], images: int, copies: int) -> Tensors:
    """The outputs of all images from those of rows to which they were dealt in turn."""
    found: Tensors = {}
    for row, outputs in parts:
        for name, array in outputs.items():
            whole = found.setdefault(name, np.empty((images, *array.shape[1:]), array.dtype))
            whole[row::copies] = array
    return found
