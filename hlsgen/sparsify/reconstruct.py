"""Sparse layers fitted to what the dense network computes on a few pictures, without labels: layer
by layer in order, each seeing the sparse network before it (layer-wise calibration, arXiv
2104.15023)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.sparsify.offsets import Offset, offset_of
from hlsgen.sparsify.patterns import Groups
from hlsgen.sparsify.surgeon import fitted, form
from hlsgen.sparsify.unfold import Unfolding, unfolding
from hlsgen.sparsify.walk import Walk
from hlsgen.sparsify.weights import WEIGHTED, Changed, Layer, tensors_of

# Of the mean square of a layer's inputs, what is added to each: few pictures say little of weights
# that they hardly use, which then stay as they are.
DAMPING = 0.01

# Called with how many layers are done, and of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Calibration:
    """Inputs `(N, ...)` as the network takes them, to fit layers on."""

    inputs: np.ndarray
    progress: Progress = lambda done, of: None


@dataclass
class Moments:
    """Means of what a layer sees over all samples: `(parts, columns)`, and of products `(parts,
    columns, columns)`; in the sparse network, and of the dense with the sparse one."""

    sparse: np.ndarray
    dense: np.ndarray
    squares: np.ndarray
    products: np.ndarray

    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """Squares and products less those of the means."""
        return (
            self.squares - self.sparse[:, :, None] * self.sparse[:, None],
            self.products - self.dense[:, :, None] * self.sparse[:, None],
        )


def reconstruct(
    model: onnx.ModelProto,
    layers: Sequence[Layer],
    calibration: Calibration,
    groups: Mapping[str, Groups],
) -> list[Changed]:
    """Choose anew which weights of the layers are zero, as many in each as are (of those that have
    `groups`, by name, in each group), and fit the others to the dense network's results; returns
    the constants that shift results, changed too.

    Layers that do not unfold, or whose weights other nodes read, stay as they are. Raises
    ModelError.
    """
    constants, sparse_constants = tensors_of(model), dict(tensors_of(model))
    dense, sparse = Walk(model, calibration.inputs), Walk(model, calibration.inputs)
    readers = readers_of(dense.nodes)
    by_tensor = {id(layer.tensor): layer for layer in layers}
    offsets: list[Changed] = []
    for place, node in enumerate(dense.nodes):
        weights = node.input[WEIGHTED[node.op_type]] if node.op_type in WEIGHTED else ""
        layer = by_tensor.pop(id(constants.get(weights)), None)
        if layer is None:
            continue
        calibration.progress(len(layers) - len(by_tensor) - 1, len(layers))
        unfolded, source = unfolding(node, layer.values.shape), node.input[0]
        sole = sum(len(readers[v]) for v, t in constants.items() if t is layer.tensor) == 1
        if unfolded is not None and sole and source not in constants:
            dense.advance(place, constants)
            sparse.advance(place, sparse_constants)
            channels = layer.values.shape[layer.filters]
            offset = offset_of(node, channels, readers, constants)
            seen = moments(unfolded, sparse.live[source], dense.live[source])
            shift = fit(layer, unfolded, seen, offset, groups.get(layer.name))
            if offset is not None:
                changed = offset.shifted(shift)
                offsets.append(changed)
                sparse_constants[offset.value] = numpy_helper.from_array(changed.values)
        value = numpy_helper.from_array(layer.values)
        sparse_constants |= {v: value for v, t in constants.items() if t is layer.tensor}
    return offsets


def readers_of(nodes: Sequence[onnx.NodeProto]) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each value."""
    found: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in node.input:
            found[name].append(node)
    return found


def moments(unfolded: Unfolding, sparse: list[np.ndarray], dense: list[np.ndarray]) -> Moments:
    """The moments of a layer's input, given batch by batch in both networks."""
    total: list[Any] = [0.0] * 4
    samples = 0
    for one, other in zip(gathered(unfolded, sparse), gathered(unfolded, dense), strict=True):
        samples += one.shape[-1]
        across = one.transpose(0, 2, 1)
        sums = (
            one.sum(axis=-1, dtype=np.float64),
            other.sum(axis=-1, dtype=np.float64),
            (one @ across).astype(np.float64),
            (other @ across).astype(np.float64),
        )
        total = [a + b for a, b in zip(total, sums, strict=True)]
    return Moments(*(each / samples for each in total))


def gathered(unfolded: Unfolding, batches: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Columns of so many batches at a time that there are at least as many samples as columns."""
    held: list[np.ndarray] = []
    for number, batch in enumerate(batches):
        held.append(unfolded.columns(batch))
        columns, samples = held[0].shape[1:]
        if len(held) * samples >= columns or number == len(batches) - 1:
            yield np.concatenate(held, axis=-1)
            held = []


def fit(
    layer: Layer, unfolded: Unfolding, seen: Moments, offset: Offset | None, groups: Groups | None
) -> np.ndarray:
    """Fit a layer's weights; returns the shift `(channels,)` of its result that they need."""
    old = unfolded.matrix(numpy_helper.to_array(layer.tensor))
    squares, products = (seen.squares, seen.products) if offset is None else seen.centred()
    damping = DAMPING * np.trace(seen.squares, axis1=1, axis2=2) / seen.squares.shape[-1]
    forms = [
        form(square + ridge * np.eye(len(square)), rows @ product + ridge * rows)
        for rows, square, product, ridge in zip(
            old, squares, products, np.maximum(damping, 1e-12), strict=True
        )
    ]
    if groups is not None:
        groups = replace(groups, labels=unfolded.matrix(groups.labels).astype(np.int64))
    new = fitted(forms, layer.values.size - int(np.count_nonzero(layer.values)), groups)
    layer.values = unfolded.values(new, layer.values.shape)
    shift = (old @ seen.dense[:, :, None] - new @ seen.sparse[:, :, None])[:, :, 0]
    total: np.ndarray = shift.sum(axis=0) if unfolded.summed else shift.reshape(-1)
    return total
