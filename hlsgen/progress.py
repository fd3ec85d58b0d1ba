"""What a long computation tells whoever listens: its stage, and the best that it has found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A stage in words; in a search the images a second of the best design so far, and those that
    no design of this search goes beyond (0: not known)."""

    stage: str
    best: float = 0.0
    bound: float = 0.0

    @property
    def gap(self) -> float:
        """By what share of itself the best could still be beaten; infinite where nothing is
        known."""
        return max(self.bound / self.best - 1, 0.0) if self.best and self.bound else float("inf")


Listener = Callable[[Progress], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """What is computed in the block tells `listener`."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def stage(text: str, best: float = 0.0, bound: float = 0.0) -> None:
    """Tell where the computation is."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(Progress(text, best, bound))
