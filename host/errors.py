"""Errors of running a design."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for a misspelt name, to follow the words that refuse it; nothing where
    no known name is near."""
    spellings = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), spellings, n=1)
    return f"; did you mean {spellings[near[0]]!r}?" if near else ""


class HostError(Exception):
    """A problem that the user can act on: what went wrong and what to do. `details`: the trace of
    what nobody foresaw."""

    def __init__(self, reason: str, *, remedy: str = "", details: str = ""):
        self.reason, self.remedy, self.details = reason, remedy, details
        super().__init__(f"{reason}\n  what to do: {remedy}" if remedy else reason)


class DeadlockError(HostError):
    """The time limit passed with kernels still waiting. `kernels` names those that have not
    finished."""

    def __init__(self, kernels: list[str], seconds: float):
        self.kernels, self.seconds = kernels, seconds
        super().__init__(
            f"after {seconds:g} s these kernels have not finished: {', '.join(kernels)}",
            remedy="raise --timeout if the network is large; otherwise a FIFO is too shallow, or a "
            "kernel waits for data that never comes",
        )
