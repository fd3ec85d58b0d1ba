"""Keeps worker processes between runs, so that the start of the OpenCL runtime is paid once."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from .process import WorkerProcess, key_of


class Session:
    """Worker processes, of which at most `keep` wait for the next run. A context manager that ends
    them.

    Threads may share a session: runs at the same time get a worker each. A forked process starts
    workers of its own. After `close` each run has a process for itself.
    """

    def __init__(self, keep: int = 2):
        self.keep = keep
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        _SESSIONS.add(self)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def worker(self, variables: dict[str, str]) -> Iterator[WorkerProcess]:
        """A worker with the environment `variables`, for one job. It is killed if that fails.
        Raises OSError."""
        process = self._take(variables)
        try:
            yield process
        finally:
            self._give_back(process)

    def close(self) -> None:
        """End the workers that wait, and let none wait from now on."""
        self.keep = 0
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()

    def _take(self, variables: dict[str, str]) -> WorkerProcess:
        """A waiting worker that fits, or a new one."""
        key = key_of(variables)
        with self._lock:
            found = next((p for p in reversed(self._idle) if p.key == key), None)
            if found is not None:
                self._idle.remove(found)
        if found is not None and not found.alive():
            found.kill()
            found = None
        process = found or WorkerProcess(variables)
        with self._lock:
            self._busy.add(process)
        return process

    def _give_back(self, process: WorkerProcess) -> None:
        """Keep a worker that can serve again; those that wait longest make room."""
        with self._lock:
            self._busy.discard(process)
            if not process.spent:
                self._idle.append(process)
            surplus = self._idle[: max(0, len(self._idle) - self.keep)]
            self._idle = self._idle[len(surplus) :]
        if process.spent:
            process.kill()
        for waiting in surplus:
            waiting.close()

    def _forget(self) -> None:
        """In a forked process: the workers are the other's."""
        for process in (*self._idle, *self._busy):
            process.abandon()
        self._lock = threading.Lock()
        self._idle, self._busy = [], set()


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()


def _forget_all() -> None:
    for session in list(_SESSIONS):
        session._forget()


os.register_at_fork(after_in_child=_forget_all)

# What runs use that are given no session of their own.
SHARED = Session()
atexit.register(SHARED.close)
