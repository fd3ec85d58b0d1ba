"""`sparsify`: a network with fewer weights, and the table of what was done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from hlsgen.errors import PlanError, did_you_mean
from hlsgen.sparsify.methods import METHODS, Norms, cut, line, span, total
from hlsgen.sparsify.patterns import Pattern, fitting, impose
from hlsgen.sparsify.reconstruct import Calibration, reconstruct
from hlsgen.sparsify.select import CHUNK
from hlsgen.sparsify.shrink import shrunk
from hlsgen.sparsify.storage import stored_bytes
from hlsgen.sparsify.weights import Layer, layers_of, left_out, with_values


@dataclass(frozen=True)
class LayerReport:
    """One layer: weights, how many are not zero, largest magnitude that was zeroed, largest of all,
    bytes when compressed."""

    name: str
    weights: int
    kept: int
    threshold: float
    span: float
    bytes: int


@dataclass(frozen=True)
class Sparsified:
    """The network and its table. `weights`, `kept` count what may become zero; bias, depthwise
    filters and the like are spared. `left_out`: why a node with weights is not in the table."""

    model: onnx.ModelProto
    method: str
    layers: tuple[LayerReport, ...]
    left_out: dict[str, str]

    @property
    def weights(self) -> int:
        """Weights that might have become zero."""
        return sum(layer.weights for layer in self.layers)

    @property
    def kept(self) -> int:
        """Of these, weights that are not zero."""
        return sum(layer.kept for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """Share of zeros."""
        return (self.weights - self.kept) / self.weights

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        size = sum(layer.bytes for layer in self.layers)
        return {
            "method": self.method,
            "sparsity": self.sparsity,
            "weights": self.weights,
            "kept": self.kept,
            "compression": self.weights / max(self.kept, 1),
            "dense_bytes": 4 * self.weights,
            "compressed_bytes": size,
            "layers": [asdict(layer) for layer in self.layers],
            "left_out": self.left_out,
        }


def sparsify(
    model: onnx.ModelProto,
    method: str,
    *,
    sparsity: float | None = None,
    threshold: Sequence[float] | None = None,
    slope: float = 1.0,
    shares: Sequence[float] | None = None,
    norms: Norms | None = None,
    depthwise: bool = False,
    spare: Collection[str] = (),
    calibration: Calibration | None = None,
    pattern: Pattern | None = None,
) -> Sparsified:
    """Zero small weights of a copy of `model`.

    One of: `sparsity`, the share of all weights that is to be zero, met exactly; `threshold`, one
    for flat and global, two (first and last layer) for triangular; `shares`, for relative, the
    share of each layer. `slope`: of the triangular line. `norms`: for wanda, from
    `hlsgen.sparsify.norms`. With a `calibration` the method gives each layer's share alone;
    its weights, biases and means are fitted. A `pattern` says where zeros may be, and N:M how many
    there are, in place of a sparsity. Weights that are spared, and all else of the model,
    stay bit by bit as they are. Raises PlanError and ModelError.
    """
    if pattern is not None and pattern.share is not None:
        method, sparsity = "relative", pattern.share
    check(method, sparsity, threshold, shares, norms)
    layers = fitting(model, layers_of(model, depthwise, spare), pattern)
    spans = [span(layer) for layer in layers]
    if threshold is not None:
        cut(layers, line(threshold[0], threshold[-1], len(layers)))
    else:
        run(layers, method, sparsity, slope, shares, norms)
    groups = {}
    if pattern is not None:
        for layer in layers:
            groups[layer.name] = impose(pattern, layer, numpy_helper.to_array(layer.tensor))
    offsets = [] if calibration is None else reconstruct(model, layers, calibration, groups)
    reports = []
    for layer, largest in zip(layers, spans, strict=True):
        kept = int(np.count_nonzero(layer.values))
        gone = largest_zeroed(numpy_helper.to_array(layer.tensor), layer.values)
        reports.append(
            LayerReport(
                layer.name, layer.values.size, kept, gone, largest, stored_bytes(layer.values)
            )
        )
    left = left_out(model, layers, depthwise, spare)
    sparse = with_values(model, [*layers, *offsets])
    if pattern is not None and pattern.whole:
        sparse = shrunk(sparse)
    return Sparsified(sparse, method, tuple(reports), left)


def largest_zeroed(before: np.ndarray, after: np.ndarray) -> float:
    """The largest magnitude that became zero."""
    old, new, largest = before.reshape(-1), after.reshape(-1), 0.0
    for start in range(0, old.size, CHUNK):
        part = slice(start, start + CHUNK)
        largest = max(largest, float(np.abs(old[part][new[part] == 0]).max(initial=0.0)))
    return largest


def run(
    layers: Sequence[Layer],
    method: str,
    sparsity: float | None,
    slope: float,
    shares: Sequence[float] | None,
    norms: Norms | None,
) -> None:
    """Apply a method for a sparsity, or for the shares of the layers."""
    if shares is not None:
        if len(shares) != len(layers):
            raise PlanError(
                f"{len(shares)} shares for {len(layers)} layers", where="method relative"
            )
        METHODS[method](layers, 0, shares=shares)
        return
    assert sparsity is not None
    count = round(sparsity * total(layers))
    extra: dict[str, dict[str, Any]] = {"triangular": {"slope": slope}, "wanda": {"norms": norms}}
    METHODS[method](layers, count, **extra.get(method, {}))


def check(
    method: str,
    sparsity: float | None,
    threshold: Sequence[float] | None,
    shares: Sequence[float] | None,
    norms: Norms | None,
) -> None:
    """Raise PlanError for arguments that make no sense."""
    if method not in METHODS:
        raise PlanError(
            f"unknown method {method!r}{did_you_mean(method, METHODS)}",
            where="--method",
            remedy=f"choose one of {', '.join(METHODS)}",
        )
    if sum(given is not None for given in (sparsity, threshold, shares)) != 1:
        raise PlanError(
            "give either a sparsity or thresholds",
            where="--sparsity",
            remedy="--sparsity 0.5, or --threshold T",
        )
    for share in (*([] if sparsity is None else [sparsity]), *(shares or ())):
        if not 0 <= share <= 1:
            raise PlanError(
                f"{share:g} is not between 0 and 1",
                where="--sparsity",
                remedy="0.5 zeroes half of the weights",
            )
    wanted = {"flat": 1, "global": 1, "triangular": 2}.get(method)
    if threshold is not None and len(threshold) != wanted:
        raise PlanError(
            f"method {method} takes {wanted or 'no'} threshold{'s' if wanted == 2 else ''}",
            where="--threshold",
            remedy="or give --sparsity",
        )
    if shares is not None and method != "relative":
        raise PlanError(
            "shares of the layers are for the relative method", where=f"method {method}"
        )
    if method == "wanda" and norms is None:
        raise PlanError(
            "wanda needs pictures to measure the layers' inputs",
            where="--method wanda",
            remedy="give --data",
        )
