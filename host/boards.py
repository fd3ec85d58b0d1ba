"""Runs a system on emulated boards: a worker process a board, links as files between them.

One board after another (fast), a link is a file that one writes and the next reads. All at once
(strict), it is a named pipe, which holds no more than the system's page.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from . import devices
from .errors import DeadlockError, HostError
from .process import WorkerProcess
from .session import Session
from .system import SystemDesign

Tensors = dict[str, np.ndarray]
Event = dict[str, Any]
# Seconds in which boards tell their failures after one that others share or cause.
PATIENCE = 3.0
# Linux's command that sets how much a pipe holds.
SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)


def run_boards(
    design: SystemDesign,
    inputs: Tensors,
    job: Event,
    silence: float,
    session: Session,
    heard: Callable[[Event], None],
) -> Event:
    """Run a job on all boards. Returns what a design's worker answers when it is done; `heard` is
    told the rest. Raises HostError, which names the board."""
    check_device(job["device"], len(design.boards))
    boards = devices.family(job["device"]) == "system"
    strict = boards or job["mode"] == "concurrent"
    job = job | {"mode": "concurrent" if strict else "sequential"}
    with (
        tempfile.TemporaryDirectory(prefix="hlsgen-links-") as folder,
        linked(design, Path(folder), pipes=strict and not boards),
    ):
        jobs = [board_job(design, n, inputs, job, Path(folder)) for n in range(len(design.boards))]
        conduct = at_once if strict else in_turn
        done = conduct(design, jobs, silence, session, heard)
    return merged(done, strict)


def check_device(device: str, boards: int) -> None:
    """Raise HostError where several boards would all be the one device that is named."""
    if boards > 1 and device != "board" and devices.family(device) == "system":
        raise HostError(
            f"device {device} is one device, and there are {boards} boards",
            remedy="use --device board, or emulate them",
        )


def board_job(
    design: SystemDesign, number: int, inputs: Tensors, job: Event, folder: Path
) -> Event:
    """The job of one board: it works in a folder of its own, where its links are."""
    board = design.boards[number]
    return job | {
        "design": str(board.path.resolve()),
        "inputs": {port.name: inputs[port.name] for port in board.manifest.inputs},
        "folder": str(folder / str(number)),
        "board": number,
    }


@contextmanager
def linked(design: SystemDesign, folder: Path, pipes: bool) -> Iterator[None]:
    """The links of a system in a folder: for each board a folder with its ends, under the names
    that its I/O channels have."""
    held = []
    for number in range(len(design.boards)):
        (folder / str(number)).mkdir()
    try:
        for link in design.system.links:
            for output, port in link.channels:
                wire = folder / f"{link.writer}_{output}"
                if pipes:
                    os.mkfifo(wire)
                    held.append(small(wire))
                (folder / str(link.writer) / output).symlink_to(wire)
                (folder / str(link.writer + 1) / port).symlink_to(wire)
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)


def small(pipe: Path) -> int:
    """Make a pipe hold as little as the system lets it. Returns what keeps it so while it is
    open."""
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with suppress(OSError):  # it holds more than a link, then
        fcntl.fcntl(descriptor, SET_PIPE_SIZE, os.sysconf("SC_PAGE_SIZE"))
    return descriptor


def in_turn(
    design: SystemDesign,
    jobs: list[Event],
    silence: float,
    session: Session,
    heard: Callable[[Event], None],
) -> list[Event]:
    """One board after another: each finds all that the one before has sent."""
    done = []
    for number, job in enumerate(jobs):
        variables = devices.environment(devices.family(job["device"]), 0)
        with titled(design.title(number)), session.worker(variables) as worker:
            for event in worker.work(job, silence):
                if event["event"] == "done":
                    done.append(event)
                else:
                    heard(event)
    return done


@contextmanager
def titled(title: str) -> Iterator[None]:
    """Errors of a board name it."""
    try:
        yield
    except DeadlockError as error:
        raise of_boards([(title, error)]) from None
    except HostError as error:
        raise of_board(title, error) from None


def at_once(
    design: SystemDesign,
    jobs: list[Event],
    silence: float,
    session: Session,
    heard: Callable[[Event], None],
) -> list[Event]:
    """All boards together: they start when all are built, and when one fails, all end."""
    start = threading.Barrier(len(jobs))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(jobs)))  # ends after the workers
        workers = []
        for board, job in zip(design.boards, jobs, strict=True):
            run = board.run(job["mode"])
            count = len(run.launches) + len(run.autorun)
            variables = devices.environment(devices.family(job["device"]), count)
            workers.append(stack.enter_context(session.worker(variables)))
        stack.callback(start.abort)
        futures = [
            pool.submit(take_part, worker, job | {"waits": True}, silence, start, heard)
            for worker, job in zip(workers, jobs, strict=True)
        ]
        wait(futures, return_when=FIRST_EXCEPTION)
        failed = [n for n, future in enumerate(futures) if future.done() and future.exception()]
        if not failed:
            return [future.result() for future in futures]
        first = futures[failed[0]].exception()
        if isinstance(first, (DeadlockError, Aborted)):  # others tell theirs a little later
            wait(futures, timeout=PATIENCE)
        problems = [(design.title(n), problem_of(future)) for n, future in enumerate(futures)]
    raise worst([(title, problem) for title, problem in problems if problem is not None])


def take_part(
    worker: WorkerProcess,
    job: Event,
    silence: float,
    start: threading.Barrier,
    heard: Callable[[Event], None],
) -> Event:
    """`serve`, beside other boards: where one fails before the start, none starts."""
    try:
        return serve(worker, job, silence, start.wait, heard)
    except threading.BrokenBarrierError:
        raise Aborted("another board failed") from None
    except BaseException:
        start.abort()
        raise


def serve(
    worker: WorkerProcess,
    job: Event,
    silence: float,
    start: Callable[[], Any],
    heard: Callable[[Event], None],
) -> Event:
    """Have a worker do its board's job, which `start` begins: it waits for all boards. Returns its
    closing message."""
    for event in worker.work(job, silence):
        if event["event"] == "done":
            return event
        if event["event"] == "built":
            start()
            with suppress(OSError):  # of a worker that died meanwhile the next message is its end
                worker.connection.send("start")
        heard(event)
    raise AssertionError("a worker ends with a message")


class Aborted(HostError):
    """A board ended because another one had failed."""


def problem_of(future: Future[Event]) -> BaseException | None:
    """What a board failed with, if it is through."""
    return future.exception() if future.done() else None


def worst(problems: list[tuple[str, BaseException]]) -> BaseException:
    """The one error of boards that failed: a crash or a refusal before deadlocks, which the other
    boards report for want of words, and those before boards that only ended with another."""
    deadlocks, others = [], []
    for title, problem in problems:
        if isinstance(problem, DeadlockError):
            deadlocks.append((title, problem))
        elif not isinstance(problem, Aborted):
            others.append((title, problem))
    if not others:
        return of_boards(deadlocks) if deadlocks else problems[0][1]
    title, problem = others[0]
    return of_board(title, problem) if isinstance(problem, HostError) else problem


def of_board(title: str, error: HostError) -> HostError:
    """An error with the board that it is of."""
    return HostError(f"{title}: {error.reason}", remedy=error.remedy, details=error.details)


def of_boards(errors: list[tuple[str, DeadlockError]]) -> DeadlockError:
    """One deadlock of several boards, each kernel with its board."""
    kernels = [f"{title}: {kernel}" for title, error in errors for kernel in error.kernels]
    return DeadlockError(kernels, errors[0][1].seconds)


def merged(done: list[Event], strict: bool) -> Event:
    """The boards' closing messages as one: times in turn add up, of boards side by side the
    longest counts."""
    total = max if strict else sum
    outputs: Tensors = {}
    for message in done:
        outputs |= message["outputs"]
    return {
        "event": "done",
        "outputs": outputs,
        "device": done[0]["device"],
        "build_seconds": sum(message["build_seconds"] for message in done),
        "image_seconds": [total(float(np.mean(message["image_seconds"])) for message in done)],
        "kernel_seconds": total(message["kernel_seconds"] for message in done),
    }
