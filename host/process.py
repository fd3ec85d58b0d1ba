"""A worker process as its parent sees it: started, given jobs, watched, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Pipe
from typing import Any

from .errors import DeadlockError, HostError

# Changes of these variables, and of these only, call for a new process: drivers read them when they
# are loaded.
PREFIXES = (
    "ACL",
    "AOCL",
    "CL_",
    "HLSGEN_",
    "INTEL",
    "LD_",
    "OCL_",
    "POCL_",
    "PYOPENCL_",
    "XDG_CACHE_HOME",
)
# Seconds that a worker gets to leave by itself.
FAREWELL = 2.0


class WorkerProcess:
    """One child process that runs jobs one after another.

    It is in a session of its own, so that Ctrl-C reaches the parent alone. It dies with the parent,
    however that ends: the kernel signals it when the last end of the pipe `lifeline` is closed.
    Nothing of it is on disk: arrays travel with the messages, the log has no name.
    """

    def __init__(self, variables: dict[str, str]):
        self.key = key_of(variables)
        self.connection, theirs = Pipe()
        watched, lifeline = os.pipe()
        self.lifeline = open(lifeline, "wb", buffering=0)  # noqa: SIM115 (closed by `release`)
        # The emulator prints warnings about the host's CPU: kept in a file, shown only if the
        # worker dies.
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self.child = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno()), str(watched)],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                pass_fds=[theirs.fileno(), watched],
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(watched)
        self.started = False
        # Whether it must not be given another job: so until the one that it has is done.
        self.spent = True

    def work(self, job: dict[str, Any], silence: float) -> Iterator[dict[str, Any]]:
        """Give the worker a job and yield its messages, the closing one last.

        Raises HostError for every other end, also when nothing is heard for `silence` seconds. The
        worker is `spent` then.
        """
        self.spent = True
        if not self.started:
            self.receive(silence)
            self.started = True
        else:
            os.ftruncate(self.log.fileno(), 0)
            os.lseek(self.log.fileno(), 0, os.SEEK_SET)
        try:
            self.connection.send(job)
        except OSError:
            raise self.crash() from None
        while True:
            message = self.receive(silence)
            event = message["event"]
            if event == "deadlock":
                raise DeadlockError(message["kernels"], message["seconds"])
            if event == "error":
                raise HostError(message["reason"], remedy=message["remedy"])
            if event == "crash":
                raise HostError(
                    f"running the design failed ({message['reason']})", details=message["details"]
                )
            if event == "done":
                self.spent = not message["reusable"]
                yield message
                return
            yield message

    def receive(self, silence: float) -> dict[str, Any]:
        """The worker's next message. Raises HostError when there is none."""
        if not self.connection.poll(silence):
            raise HostError(
                f"the device did not answer for {silence:g} s and was stopped",
                remedy="raise --timeout",
            )
        try:
            message: dict[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            raise self.crash() from None
        return message

    def crash(self) -> HostError:
        """The error that tells of a worker that died, with the last lines that it printed."""
        last = "\n".join(self.printed().splitlines()[-15:])
        return HostError(f"the OpenCL runtime crashed (exit status {self.child.wait()})\n{last}")

    def printed(self) -> str:
        """What the worker printed since its latest job began: messages of the runtime, and of
        `printf` in kernels."""
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode(errors="replace")

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.child.poll() is None

    def close(self) -> None:
        """Let an idle worker leave."""
        self.connection.close()
        try:
            self.child.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self.child.kill()
        self.child.wait()
        self.release()

    def release(self) -> None:
        """Close this side's ends."""
        self.connection.close()
        self.lifeline.close()
        self.log.close()

    def abandon(self) -> None:
        """Forget the process, in a fork of its parent: it belongs to the other."""
        self.child.returncode = 0
        self.release()


def key_of(variables: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """What a worker must have been started with to serve a job: the interpreter and the variables
    that drivers read."""
    return sys.executable, frozenset((k, v) for k, v in variables.items() if k.startswith(PREFIXES))
