"""Augments pictures while a network learns from them, as networks for CIFAR-10 are trained (He et
al., 2015)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

AUGMENTATIONS = ("crop", "flip")
# Pixels of border from which a picture is cut out again.
BORDER = 4


def augmented(
    images: np.ndarray, black: np.ndarray, kinds: Collection[str], seed: tuple[int, ...]
) -> np.ndarray:
    """Pictures `(N, C, H, W)`, each shifted by up to BORDER pixels with `black` (1, C, H, W) coming
    in ("crop"), and every other one, by chance, mirrored left to right ("flip")."""
    random, found = np.random.default_rng(seed), images
    count, _, height, width = images.shape
    if "crop" in kinds:
        shifts = random.integers(0, 2 * BORDER + 1, (count, 2))
        border = ((0, 0), (0, 0), (BORDER, BORDER), (BORDER, BORDER))
        wide = np.repeat(np.pad(black, border, "edge"), count, 0)
        wide[:, :, BORDER:-BORDER, BORDER:-BORDER] = images
        found = np.stack(
            [w[:, y : y + height, x : x + width] for w, (y, x) in zip(wide, shifts, strict=True)]
        )
    if "flip" in kinds:
        mirrored = random.random((count, 1, 1, 1)) < 0.5
        found = np.where(mirrored, found[..., ::-1], found)
    return found
