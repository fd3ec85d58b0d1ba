"""How a command ends when it is told to: it unwinds, so that children are stopped and nothing
half-written stays."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was asked to end by another signal than Ctrl-C's."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(signal.Signals(number).name)


def exit_status(error: KeyboardInterrupt) -> int:
    """The status that shells expect of a process that a signal ended."""
    return 128 + (error.number if isinstance(error, Terminated) else signal.SIGINT)


@contextmanager
def polite_end() -> Iterator[None]:
    """SIGTERM and SIGHUP raise Terminated, as Ctrl-C raises KeyboardInterrupt. (Signal handlers
    belong to the main thread.)"""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def no_interrupts() -> Iterator[None]:
    """Processes that start meanwhile never see Ctrl-C, which a terminal sends to all: their parent
    ends them. One that comes meanwhile waits."""
    # multiprocessing would start it with the first process, and let SIGINT through from then on
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
