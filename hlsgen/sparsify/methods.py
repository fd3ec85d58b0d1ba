"""The methods: which weights become zero for a sparsity, or for given thresholds. All change the
layers' values in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hlsgen.errors import PlanError
from hlsgen.sparsify.select import CHUNK, chunks, smallest, zero_smallest
from hlsgen.sparsify.weights import Layer

# Norms of each layer's inputs by input channel, by layer name (Wanda alone).
Norms = Mapping[str, np.ndarray]


def total(layers: Sequence[Layer]) -> int:
    """Number of weights."""
    return sum(layer.values.size for layer in layers)


def span(layer: Layer) -> float:
    """The largest magnitude of a layer's weights."""
    return float(np.abs(layer.values).max())


def cut(layers: Sequence[Layer], thresholds: Sequence[float]) -> None:
    """w <- 0 where |w| <= tau_l. Raises PlanError for a threshold that leaves nothing of its
    layer."""
    for layer, threshold in zip(layers, thresholds, strict=True):
        if not 0 <= threshold < span(layer):
            raise PlanError(
                f"threshold {threshold:g} is not below its largest weight {span(layer):g}, or "
                "negative",
                where=f"layer {layer.name}",
                remedy="a layer without weights computes nothing: choose a smaller threshold",
            )
    for layer, threshold in zip(layers, thresholds, strict=True):
        layer.values[np.abs(layer.values) <= np.float32(threshold)] = 0


def bounded(layers: Sequence[Layer], scales: Sequence[float], count: int, method: str) -> None:
    """Zero the `count` smallest |w| / scale. Raises PlanError where that would wipe out a layer."""
    values = [layer.values for layer in layers]
    threshold = smallest(values, count, scales)
    tops = [
        float(np.float32(span(layer)) / np.float32(scale))
        for layer, scale in zip(layers, scales, strict=True)
    ]
    narrowest = int(np.argmin(tops))
    if count and threshold >= tops[narrowest]:
        most = sum(
            int((part < tops[narrowest]).sum()) for _, part in chunks(values, scales)
        ) / total(layers)
        raise PlanError(
            f"sparsity {count / total(layers):.1%} would wipe out layer "
            f"{layers[narrowest].name}; it reaches at most {most:.1%}",
            where=f"method {method}",
            remedy="choose a smaller sparsity, or another method",
        )
    zero_smallest(values, count, scales)


def flat(layers: Sequence[Layer], count: int) -> None:
    """One threshold for all layers, below the largest weight of every layer."""
    bounded(layers, [1.0] * len(layers), count, "flat")


def triangular(layers: Sequence[Layer], count: int, slope: float = 1.0) -> None:
    """Thresholds on a line from the first layer to the last: tau_l = tau_first + (l - 1) / (L - 1)
    (tau_last - tau_first).

    For a sparsity the line goes through shares of the first and of the last layer's largest weight,
    the last's `slope` times as large.
    """
    bounded(
        layers, line(span(layers[0]), slope * span(layers[-1]), len(layers)), count, "triangular"
    )


def line(first: float, last: float, count: int) -> list[float]:
    """Numbers from `first` to `last`."""
    return [float(t) for t in np.linspace(first, last, count)]


def relative(layers: Sequence[Layer], count: int, shares: Sequence[float] | None = None) -> None:
    """In every layer the same share of its weights, or `shares` of them in proportion, so that they
    add up to `count`."""
    sizes = np.array([layer.values.size for layer in layers])
    wanted = sizes * np.asarray(
        shares if shares is not None else [count / sizes.sum()] * len(layers)
    )
    counts = np.floor(wanted).astype(np.int64)
    if shares is None:  # the largest remainders are rounded up
        rest = np.argsort(counts - wanted, kind="stable")[: count - int(counts.sum())]
        counts[rest] += 1
    for layer, zeros in zip(layers, counts, strict=True):
        zero_smallest([layer.values], int(zeros))


def global_magnitude(layers: Sequence[Layer], count: int) -> None:
    """One threshold for all layers, whatever becomes of them."""
    zero_smallest([layer.values for layer in layers], count)


def lamp(layers: Sequence[Layer], count: int) -> None:
    """The smallest w^2 / (sum of all v^2 in the layer with |v| >= |w|): large layers give more,
    none gives its last weight."""
    scores = [lamp_scores(layer.values) for layer in layers]
    threshold = smallest(scores, count)
    counts = [int(np.searchsorted(score, np.float32(threshold))) for score in scores]
    for number, score in enumerate(
        scores
    ):  # those that equal the threshold, as many as are missing
        equal = int(np.searchsorted(score, np.float32(threshold), side="right")) - counts[number]
        counts[number] += min(equal, count - sum(counts))
    for layer, zeros in zip(layers, counts, strict=True):
        zero_smallest([layer.values], zeros)


def lamp_scores(values: np.ndarray) -> np.ndarray:
    """LAMP's scores of a layer, from the smallest weight to the largest."""
    square: np.ndarray = np.abs(values).reshape(-1)
    square.sort()
    square *= square
    # the sum of all that is larger; from the largest down, in pieces, so that little memory is
    # needed beside
    after = 0.0
    for end in range(square.size, 0, -CHUNK):
        piece = square[max(end - CHUNK, 0) : end]
        tails = np.cumsum(piece[::-1], dtype=np.float64)[::-1] + after
        after = float(tails[0])
        np.divide(piece, np.maximum(tails, 1e-300), out=piece, casting="same_kind")
    return square


def wanda(layers: Sequence[Layer], count: int, norms: Norms) -> None:
    """In every filter alike the smallest |w| times the norm of the input channel that it
    multiplies."""
    sizes = np.array([layer.values.size for layer in layers])
    wanted = sizes * (count / sizes.sum())
    counts = np.floor(wanted).astype(np.int64)
    counts[np.argsort(counts - wanted, kind="stable")[: count - int(counts.sum())]] += 1
    for layer, zeros in zip(layers, counts, strict=True):
        shape = [1] * layer.values.ndim
        shape[layer.inputs] = -1
        norm = norms[layer.name].astype(np.float32)
        channels = layer.values.shape[layer.inputs]
        scores = np.abs(layer.values) * (
            norm[:channels] if len(norm) >= channels else np.resize(norm, channels)
        ).reshape(shape)
        scores[layer.values == 0] = -0.0
        rows = np.moveaxis(scores, layer.filters, 0).reshape(scores.shape[layer.filters], -1)
        # Rank within the filter first, the score itself among equal ranks: filters give alike.
        order = np.argsort(np.argsort(rows, axis=1, kind="stable"), axis=1, kind="stable").astype(
            np.float32
        )
        ranks = order + rows / (2 * max(float(rows.max()), 1e-30))
        back = np.moveaxis(
            ranks.reshape(np.moveaxis(scores, layer.filters, 0).shape), 0, layer.filters
        )
        zero_smallest([layer.values], int(zeros), scores=[np.ascontiguousarray(back)])


METHODS: dict[str, Callable[..., None]] = {
    "flat": flat,
    "triangular": triangular,
    "relative": relative,
    "global": global_magnitude,
    "lamp": lamp,
    "wanda": wanda,
}
