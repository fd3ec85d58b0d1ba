"""The worker process: it alone loads OpenCL, so that a deadlock or a crash of a driver cannot take
the caller along.

It takes jobs from a connection, one after another, and answers each with messages, of which `done`,
or a failure, is the last. After a failure it leaves: kernels may still be waiting, and only the end
of the process ends them.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from .design import HostDesign
from .errors import DeadlockError, HostError

# A process that has grown beyond this many bytes serves no further job.
MEMORY_LIMIT = 1 << 30


def leave_with_parent(lifeline: int) -> None:
    """Let the kernel end this process when the parent is gone, whatever this process is doing then.

    Nobody writes into the pipe `lifeline`, and the parent holds its only other end. When that is
    closed, SIGIO comes, which ends a process.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    gone, _, _ = select.select([lifeline], [], [], 0)
    if gone:
        os._exit(0)


def list_devices() -> dict[str, Any]:
    """The closing message with all devices that this process sees."""
    from .devices import describe, visible_devices

    return {
        "event": "done",
        "devices": [describe(device) for device in visible_devices()],
        "reusable": True,
    }


class Server:
    """Does the jobs of one connection. The executor of the latest run stays, for the same
    design."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self.design: HostDesign | None = None
        self.executor: Any = None
        self.choice: Any = None

    def perform(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job. Returns the closing message, of failures too."""
        try:
            return list_devices() if job["task"] == "devices" else self.run(job)
        except DeadlockError as error:
            return {"event": "deadlock", "kernels": error.kernels, "seconds": job["timeout"]}
        except HostError as error:
            return {"event": "error", "reason": error.reason, "remedy": error.remedy}
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return {"event": "crash", "reason": reason, "details": traceback.format_exc()}

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run all images of a job, sending progress and layers. Returns the closing message."""
        from .devices import describe

        design = self.design_at(Path(job["design"]))
        inputs, count = job["inputs"], job["images"]
        if inputs or not job["folder"]:  # a board of a system may have none of its own
            design.check_design_inputs(inputs)
        if job["folder"]:  # the emulator looks for I/O channels in the current one
            self.executor = None
            os.chdir(job["folder"])
        self.connection.send({"event": "build"})
        executor, build_seconds = self.executor_for(job, design, count)
        self.connection.send({"event": "built", "seconds": build_seconds})
        if job["waits"]:  # for other boards
            self.connection.recv()
        seconds, kernel_seconds = [], 0.0
        results: list[dict[str, np.ndarray]] = []
        repeat, batch = job["repeat"], executor.batch
        firsts = [first for first in range(0, count, batch) for _ in range(repeat)]
        batches = [
            {name: array[first : first + batch] for name, array in inputs.items()}
            for first in firsts
        ]
        sizes = [min(batch, count - first) for first in firsts]
        for number, taken in enumerate(executor.batches(batches, sizes, job["timeout"])):
            first, size = firsts[number], sizes[number]
            seconds.append(taken / size)
            kernel_seconds += taken
            if (number + 1) % repeat:
                continue
            for index in range(size):
                results.append(executor.outputs(index))
                message = {"event": "image", "index": first + index}
                self.connection.send(
                    message | {"layers": executor.layers(index)} if job["layers"] else message
                )
        return {
            "event": "done",
            "outputs": {name: np.concatenate([r[name] for r in results]) for name in results[0]},
            "device": describe(executor.device),
            "build_seconds": build_seconds,
            "image_seconds": seconds,
            "kernel_seconds": kernel_seconds,
            # Kernels that start by themselves never end: on a CPU they would go on polling.
            "reusable": not executor.endless,
        }

    def design_at(self, path: Path) -> HostDesign:
        """The design of a directory, read once as long as nobody changes it."""
        if self.design is None or self.design.path != path or not self.design.unchanged():
            self.executor = None  # its memory first
            self.design = HostDesign(path)
        return self.design

    def executor_for(
        self, job: dict[str, Any], design: HostDesign, count: int
    ) -> tuple[Any, float]:
        """The executor of a job, and the seconds that building its program took.

        So a board that holds the design is not programmed again. A validation starts from poisoned
        buffers, lest a kernel that writes nothing is taken for right by what is there from the run
        before.
        """
        from .devices import is_board, select
        from .executor import Executor

        device = select(job["device"], job["board"])
        if is_board(device) and "concurrent" in design.manifest.runs:
            job = job | {"mode": "concurrent"}  # its kernels are compiled for no other one
        choice = {name: job[name] for name in ("device", "mode", "layers")}
        kept = self.executor is not None and self.choice == choice and self.executor.poison is None
        if kept and self.executor.serves(count, job["optimise"]):
            return self.executor, 0.0
        self.executor = None  # its memory first
        # A run for its layers is a validation.
        self.executor = Executor(
            design,
            device,
            job["mode"],
            tapped=job["layers"],
            # Batches that grow image by image would each build a program.
            images=1 << (count - 1).bit_length() if kept and job["mode"] == "sequential" else count,
            poison=job["poison"] if job["layers"] else None,
            optimise=job["optimise"],
        )
        self.choice = choice
        return self.executor, self.executor.build_seconds

    def release(self) -> None:
        """Drop the buffers of a validation: nobody needs them again."""
        if self.executor is not None and self.executor.poison is not None:
            self.executor = None


def memory() -> int:
    """Bytes that this process occupies; 0 on systems that do not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def main(descriptor: int, lifeline: int) -> None:
    """Serve jobs until one fails or the parent closes the connection."""
    leave_with_parent(lifeline)
    connection = Connection(descriptor)
    server = Server(connection)
    connection.send({"event": "ready"})
    while True:
        try:
            job = connection.recv()
        except EOFError:
            os._exit(0)
        message = server.perform(job)
        del job
        server.release()
        # What kernels print is in the buffers of the C library.
        ctypes.CDLL(None).fflush(None)
        if message["event"] == "done":
            message["reusable"] &= memory() < MEMORY_LIMIT
        connection.send(message)
        if not message.get("reusable"):
            os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
