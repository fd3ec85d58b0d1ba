"""Minibatches: which pictures, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from hlsgen.data.augment import augmented
from hlsgen.data.pictures import Stored, read_stored, read_test_pictures
from hlsgen.errors import ModelError
from hlsgen.host.pictures import channels_first
from hlsgen.train.settings import Settings

# Where there is no test set, every so many of the pictures is held out for it.
HELD_OUT = 10


@dataclass(frozen=True)
class Batches:
    """Labelled pictures in minibatches of `batch`. In training every epoch has an order of its own
    and the rest that fills no minibatch is left out; else (`seed` None) they come as they are
    stored, the last minibatch filled up with pictures that come again. `augment`: how pictures vary
    from epoch to epoch."""

    stored: Stored
    chosen: np.ndarray
    batch: int
    seed: int | None
    augment: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Minibatches of an epoch."""
        return (
            len(self.chosen) // self.batch
            if self.seed is not None
            else -(-len(self.chosen) // self.batch)
        )

    def places(self, step: int) -> np.ndarray:
        """Which pictures are in a minibatch; steps count over all epochs."""
        epoch, place = divmod(step, len(self))
        found = order(self.seed, epoch, len(self.chosen))[
            place * self.batch : (place + 1) * self.batch
        ]
        return self.chosen[np.resize(found, self.batch)]

    def inputs(self, step: int) -> torch.Tensor:
        """The pictures, as the network takes them."""
        inputs = self.stored.inputs(self.places(step))
        if self.augment and self.seed is not None:
            last = channels_first(self.stored.shape) != tuple(self.stored.shape)
            images, black = (
                np.moveaxis(x, -1, 1) if last else x for x in (inputs, self.stored.black())
            )
            images = augmented(images, black, self.augment, (self.seed, step, len(inputs)))
            inputs = np.ascontiguousarray(np.moveaxis(images, 1, -1) if last else images)
        return torch.from_numpy(inputs)

    def labels(self, step: int) -> torch.Tensor:
        """Their classes, int64."""
        assert self.stored.labels is not None
        return torch.from_numpy(self.stored.labels[self.places(step)].astype(np.int64))

    def real(self, step: int) -> int:
        """How many pictures of a minibatch have not come before in this epoch."""
        return min(self.batch, len(self.chosen) - step % len(self) * self.batch)


@lru_cache(2)
def order(seed: int | None, epoch: int, count: int) -> np.ndarray:
    """The order of an epoch."""
    return (
        np.arange(count)
        if seed is None
        else np.random.default_rng((seed, epoch)).permutation(count)
    )


def read_batches(
    settings: Settings, shape: tuple[int, ...], classes: int
) -> tuple[Batches, Batches]:
    """Pictures to learn from and pictures to test on. Raises ModelError."""
    train = read_stored(settings.data, shape, settings.preparation, "train")
    assert train is not None
    test = read_test_pictures(settings.data, settings.test, shape, settings.preparation)
    for stored, option in (
        (train, f"--data {settings.data}"),
        (test, f"--test {settings.test or settings.data}"),
    ):
        if stored is not None:
            check_labels(stored, classes, option)
    places = np.arange(len(train.images))
    held = places % HELD_OUT == 0
    kept = places if test is not None else places[~held]
    if settings.limit:
        kept = np.random.default_rng(settings.seed).permutation(kept)[: settings.limit]
    if len(kept) < settings.batch:
        raise ModelError(
            f"{len(kept)} pictures fill no minibatch of {settings.batch}",
            where="--data",
            remedy="lower --batch",
        )
    if settings.augment and len(shape) != 4:
        raise ModelError(
            f"inputs {list(shape[1:])} are no pictures", where="--augment", remedy="leave it out"
        )
    learnt = Batches(train, kept, settings.batch, settings.seed, settings.augment)
    tested = places[held] if test is None else np.arange(len(test.images))
    return learnt, Batches(test or train, tested, settings.batch, None)


def check_labels(stored: Stored, classes: int, option: str) -> None:
    """Raise ModelError unless every picture has a class that the network knows."""
    if stored.labels is None:
        raise ModelError(
            "holds no labels", where=option, remedy="training needs one whole number a picture"
        )
    low, high = int(stored.labels.min()), int(stored.labels.max())
    if low < 0 or high >= classes:
        raise ModelError(
            f"labels from {low} to {high}, the network has {classes} classes",
            where=option,
            remedy="number the classes from 0",
        )
