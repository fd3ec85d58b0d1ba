"""Tensors between neighbouring stages, over torch.distributed: sent without waiting, received ahead
of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist

from hlsgen.train.layers import Tensor

# Messages that may be under way in one direction: one is used while the next one arrives.
AHEAD = 2


@dataclass
class Clock:
    """Where a worker's time in training goes, in seconds; what is neither forward nor backward is
    idle."""

    forward: float = 0.0
    backward: float = 0.0
    total: float = 0.0

    @property
    def busy(self) -> float:
        """The share of the time that is used."""
        return (self.forward + self.backward) / self.total if self.total else 0.0

    @contextmanager
    def measure(self, what: str) -> Any:
        """Add the time of a block to `what`."""
        start = perf_counter()
        yield
        setattr(self, what, getattr(self, what) + perf_counter() - start)


@dataclass(frozen=True)
class Kind:
    """Shape, type and layout of a tensor that is sent again and again."""

    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    channels_last: bool = False

    @classmethod
    def of(cls, tensor: Tensor) -> Kind:
        """That of a tensor."""
        last = (
            tensor.dim() == 4
            and tensor.is_contiguous(memory_format=torch.channels_last)
            and not tensor.is_contiguous()
        )
        return cls(tuple(tensor.shape), tensor.dtype, last)

    def empty(self, device: str) -> Tensor:
        """A tensor of this kind."""
        memory = torch.channels_last if self.channels_last else torch.contiguous_format
        return torch.empty(self.shape, dtype=self.dtype, device=device, memory_format=memory)

    def wire(self, tensor: Tensor) -> Tensor:
        """The elements of a tensor in the order in which they travel; bytes in place of truth
        values, which not every backend knows."""
        if self.channels_last:
            tensor = tensor.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
        tensor = tensor.contiguous()
        return tensor.view(torch.uint8) if self.dtype == torch.bool else tensor


@dataclass
class Inbox:
    """Messages of `kinds` from a peer; buffers are new, since what is received is kept."""

    peer: int
    kinds: Sequence[Kind]
    device: str
    expected: int = 0
    pending: deque[list[tuple[Tensor, Any]]] = field(default_factory=deque)

    def expect(self, count: int) -> None:
        """So many further messages will come."""
        self.expected += count
        self._post()

    def _post(self) -> None:
        while self.expected and len(self.pending) < AHEAD:
            buffers = [kind.empty(self.device) for kind in self.kinds]
            pairs = enumerate(zip(self.kinds, buffers, strict=True))
            works = [
                dist.irecv(kind.wire(buffer), self.peer, tag=tag) for tag, (kind, buffer) in pairs
            ]
            self.pending.append(list(zip(buffers, works, strict=True)))
            self.expected -= 1

    def take(self) -> tuple[Tensor, ...]:
        """The next message."""
        message = self.pending.popleft()
        for _, work in message:
            work.wait()
        self._post()
        return tuple(buffer for buffer, _ in message)


@dataclass
class Outbox:
    """Messages of `kinds` to a peer."""

    peer: int
    kinds: Sequence[Kind]
    pending: deque[list[tuple[Tensor, Any]]] = field(default_factory=deque)

    def send(self, tensors: Sequence[Tensor]) -> None:
        """Send a message; the sender goes on meanwhile."""
        self.flush(AHEAD - 1)
        wired = [kind.wire(tensor) for kind, tensor in zip(self.kinds, tensors, strict=True)]
        self.pending.append([(t, dist.isend(t, self.peer, tag=tag)) for tag, t in enumerate(wired)])

    def flush(self, left: int = 0) -> None:
        """Wait until no more than `left` messages are under way."""
        while len(self.pending) > left:
            for _, work in self.pending.popleft():
                work.wait()
