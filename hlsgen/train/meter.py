"""Measures what autograd keeps of the minibatches in flight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

Tensor = torch.Tensor


@dataclass
class Meter:
    """Bytes kept of each minibatch in flight, weights left out, and the most that were kept at
    once."""

    kept: dict[int, int] = field(default_factory=dict)
    most_bytes: int = 0
    most_minibatches: int = 0

    @contextmanager
    def watch(self, step: int, weights: Iterable[Tensor]) -> Iterator[None]:
        """Count what a forward pass keeps: every storage once."""
        known = {weight.untyped_storage().data_ptr() for weight in weights}
        storages: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in known:
                storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield
        self.kept[step] = sum(storages.values())
        self.most_bytes = max(self.most_bytes, sum(self.kept.values()))
        self.most_minibatches = max(self.most_minibatches, len(self.kept))

    def release(self, step: int) -> None:
        """A backward pass is done, and autograd has let go."""
        self.kept.pop(step)
