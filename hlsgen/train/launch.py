"""Starts the workers of a run as processes of this machine, and ends all of them when one fails."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from hlsgen.errors import HlsgenError, TrainingError
from hlsgen.files import Scratch
from hlsgen.frontend.model import first_line
from hlsgen.host.files import write_whole
from hlsgen.interrupts import no_interrupts

# Seconds that workers have to fall over by themselves when one has: the first to be noticed is
# seldom the one at fault.
GRACE = 3.0
# What all workers import, torch above all with what its optimizers import late. The process that
# they are forked from does so once for all; no modules of hlsgen, since Python before 3.12.8 does
# not tell that process where this one found its own.
PRELOADED = ["torch.distributed.pipelining", "onnx"]
# The nearer to the cause, the earlier.
CAUSES = ("own", "memory", "bug", "signal", "neighbour")
FAILURE = "failure.txt"
Entry = Callable[..., None]


def launch(entry: Entry, world: int, folder: Path, *arguments: Any) -> None:
    """Run `entry(rank, world, store, *arguments)` in `world` processes and wait for all. Raises
    TrainingError when one fails.

    `folder` takes the traceback of a failure that hlsgen has no words for. The workers' environment
    is that of this process's first run: they are forked from a process that lives on until this one
    ends.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with Scratch() as shared:
        workers = [
            context.Process(
                target=child, args=(entry, rank, world, shared, folder, arguments), daemon=True
            )
            for rank in range(world)
        ]
        try:
            with no_interrupts():
                for worker in workers:
                    worker.start()
            watch(workers)
            codes = [worker.exitcode for worker in workers]
        finally:
            stop(workers)
        if any(codes):
            raise explain([code or 0 for code in codes], Path(shared))


def take_part(entry: Entry, rank: int, world: int, *arguments: Any) -> None:
    """Run `entry(rank, world, store, *arguments)` in this process, one of `world` that torchrun
    started, and end the process.

    Raises HlsgenError; TrainingError also for what the end of another worker, or want of memory,
    makes torch raise.
    """
    try:
        entry(rank, world, "env://", *arguments)
    except HlsgenError:
        raise
    except Exception as error:
        cause, message = describe(error)
        if cause == "bug":
            raise
        raise TrainingError(message, where=f"worker {rank + 1} of {world}") from None
    end_process()


def watch(workers: list[Any]) -> None:
    """Wait until all have ended well, or, after the first that has not, for the rest of the
    grace."""
    running = list(workers)
    while running:
        wait([worker.sentinel for worker in running])
        running = [worker for worker in running if worker.exitcode is None]
        if any(worker.exitcode for worker in workers):
            for worker in running:
                worker.join(GRACE / len(running))
            return


def stop(workers: list[Any]) -> None:
    """End what still runs."""
    for worker in workers:
        if worker.pid is not None and worker.is_alive():
            worker.kill()
    for worker in workers:
        if worker.pid is not None:
            worker.join()


def child(
    entry: Entry, rank: int, world: int, shared: str, folder: Path, arguments: tuple[Any, ...]
) -> None:
    """A worker's process: whatever fails is written down for the parent, and the process ends."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ["LOCAL_RANK"] = str(rank)
    try:
        entry(rank, world, f"file://{shared}/store", *arguments)
    except BaseException as error:
        cause, message = describe(error)
        if cause == "bug":
            (folder / FAILURE).write_text(traceback.format_exc())
            message += f"\n  what to do: see {folder / FAILURE}"
        told = json.dumps({"cause": cause, "message": message})
        write_whole(Path(shared, f"error-{rank}.json"), told)  # this process may be ended meanwhile
        os._exit(1)  # threads of the engine may wait for neighbours that are gone
    end_process()


def end_process() -> None:
    """End a worker whose work is done, at once: torch's threads do not always survive an orderly
    end of the interpreter."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def end_with_parent() -> None:
    """A worker does not outlive the command that started it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def describe(error: BaseException) -> tuple[str, str]:
    """Cause and message of a failure."""
    text = first_line(error)
    if isinstance(error, HlsgenError):
        return "own", str(error)
    if (
        isinstance(error, MemoryError)
        or "allocate memory" in str(error)
        or "out of memory" in str(error).lower()
    ):
        return (
            "memory",
            "out of memory\n  what to do: lower --batch, or cut the network for more workers",
        )
    words = ("connection", "gloo", "nccl", "timed out", "peer")
    if isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words):
        return "neighbour", f"lost its neighbour ({text})"
    return "bug", f"{type(error).__name__}: {text}"


def explain(codes: list[int], shared: Path) -> TrainingError:
    """One error for all that failed: the one nearest to the cause. `codes` are the exit codes, 0
    for those that were ended here."""
    found = []
    for rank, code in enumerate(codes):
        file = shared / f"error-{rank}.json"
        if file.is_file():
            told = json.loads(file.read_text())
            found.append((CAUSES.index(told["cause"]), rank, told["message"]))
        elif code < 0:
            name = signal.Signals(-code).name
            hint = "; the system does so when memory runs out" if -code == signal.SIGKILL else ""
            found.append((CAUSES.index("signal"), rank, f"was ended by {name}{hint}"))
        elif code:
            found.append((CAUSES.index("bug"), rank, f"ended with status {code}"))
    cause, rank, message = min(found)
    if CAUSES[cause] == "own":
        return TrainingError(message)
    return TrainingError(message, where=f"worker {rank + 1} of {len(codes)}")
