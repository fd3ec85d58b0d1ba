"""The sparsest setting of a method within an accuracy budget."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx

from hlsgen.data.evaluate import Evaluator, Score
from hlsgen.errors import PlanError
from hlsgen.sparsify.apply import Sparsified, sparsify
from hlsgen.sparsify.methods import METHODS, Norms
from hlsgen.sparsify.patterns import Pattern, fitting
from hlsgen.sparsify.reconstruct import Calibration
from hlsgen.sparsify.weights import layers_of

# Bisection ends when it knows the sparsity to this much.
RESOLUTION = 1 / 256
# Slopes of the triangular line that are tried: the last layer's share of its largest weight over
# the first's.
SLOPES = (0.25, 0.5, 1.0, 2.0, 4.0)
# Steps by which the relative method moves the share of one layer.
STEPS = (0.12, 0.06, 0.03)
GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.73, 0.8, 0.85, 0.9, 0.95)

Make = Callable[[float], Sparsified]


@dataclass(frozen=True)
class Found:
    """The best setting: the sparsified network, its score, the settings that lead to it, and how
    many networks were evaluated."""

    result: Sparsified
    score: Score
    settings: str
    evaluations: int


@dataclass(frozen=True)
class Searcher:
    """What the searches of all methods share."""

    model: onnx.ModelProto
    evaluator: Evaluator
    max_loss: float
    norms: Norms | None = None
    depthwise: bool = False
    spare: Collection[str] = ()
    calibration: Calibration | None = None
    pattern: Pattern | None = None

    @property
    def floor(self) -> float:
        """The least accuracy that the budget allows: `max_loss` points below the dense network."""
        return self.evaluator.reference.share - self.max_loss

    def make(self, method: str, sparsity: float, slope: float = 1.0) -> Sparsified:
        """A network at a sparsity."""
        norms = self.norms if method == "wanda" else None
        return sparsify(
            self.model,
            method,
            sparsity=sparsity,
            slope=slope,
            norms=norms,
            depthwise=self.depthwise,
            spare=self.spare,
            calibration=self.calibration,
            pattern=self.pattern,
        )

    def with_shares(self, shares: np.ndarray) -> Sparsified:
        """A network whose layers have the given shares of zeros."""
        return sparsify(
            self.model,
            "relative",
            shares=[float(s) for s in shares],
            depthwise=self.depthwise,
            spare=self.spare,
            calibration=self.calibration,
            pattern=self.pattern,
        )

    def model_at(self, method: str, sparsity: float) -> onnx.ModelProto:
        """The network of `make`."""
        return self.make(method, sparsity).model

    def shared_model(self, shares: np.ndarray) -> onnx.ModelProto:
        """The network of `with_shares`."""
        return self.with_shares(shares).model

    def good(self, key: str, make: Callable[[], Sparsified]) -> bool:
        """Whether a network is within the budget; one that the method cannot make is not."""
        try:
            return self.evaluator(key, lambda: make().model).share >= self.floor
        except PlanError:
            return False

    def bisect(self, key: str, make: Make) -> float:
        """The largest sparsity within the budget, as if accuracy fell steadily."""
        low, high = 0.0, 1.0
        while high - low > RESOLUTION:
            middle = (low + high) / 2
            if self.good(f"{key} {middle:.5f}", partial(make, middle)):
                low = middle
            else:
                high = middle
        return low

    def search(self, method: str) -> Found:
        """The sparsest network of a method."""
        if method == "triangular":
            found = {
                slope: self.bisect(f"triangular {slope}", partial(self.sloped, slope))
                for slope in SLOPES
            }
            slope = max(found, key=lambda s: found[s])
            return self.found(
                self.sloped(slope, found[slope]), f"slope {slope:g}, sparsity {found[slope]:.4f}"
            )
        if method == "relative":
            shares = self.shares()
            return self.found(
                self.with_shares(shares), "shares " + ", ".join(f"{share:.3f}" for share in shares)
            )
        sparsity = self.bisect(method, partial(self.make, method))
        return self.found(self.make(method, sparsity), f"sparsity {sparsity:.4f}")

    def sloped(self, slope: float, sparsity: float) -> Sparsified:
        """A triangular network."""
        return self.make("triangular", sparsity, slope)

    def found(self, result: Sparsified, settings: str) -> Found:
        """A result with its score."""
        key = f"{result.method} {settings}"
        return Found(
            result, self.evaluator(key, lambda: result.model), settings, len(self.evaluator.scores)
        )

    def shares(self) -> np.ndarray:
        """Shares of zeros for every layer: first alike, or as LAMP spreads them if that goes
        further; then layer by layer.

        The layers that hold most weights, and lose least accuracy alone at a high share, move
        first; steps become smaller.
        """
        layers = fitting(
            self.model, layers_of(self.model, self.depthwise, self.spare), self.pattern
        )
        sizes = np.array([layer.values.size for layer in layers], float)
        shares = np.full(len(layers), self.bisect("relative", partial(self.make, "relative")))
        spread = self.make("lamp", self.bisect("lamp", partial(self.make, "lamp")))
        if spread.sparsity > float(shares @ sizes / sizes.sum()):
            shares = np.array([1 - layer.kept / layer.weights for layer in spread.layers])
        alone = []
        for number in range(len(layers)):
            trial = np.zeros(len(layers))
            trial[number] = 0.9
            alone.append(self.evaluator(f"alone {number}", partial(self.shared_model, trial)).share)
        # Weights that a step removes, worth less where the layer is sensitive.
        order = np.argsort(
            -sizes * np.clip(np.array(alone) / max(self.evaluator.reference.share, 1e-9), 0.05, 1),
            kind="stable",
        )
        for step in STEPS:
            for number in order:
                trial = shares.copy()
                trial[number] = min(trial[number] + step, 0.995)
                if trial[number] > shares[number] and self.good(
                    f"shares {trial.tobytes().hex()}", partial(self.with_shares, trial)
                ):
                    shares = trial
        return shares

    def curve(self, method: str) -> list[tuple[float, Score]]:
        """Accuracy at a grid of sparsities, as far as the method reaches."""
        points = []
        for sparsity in GRID:
            try:
                score = self.evaluator(
                    f"{method} {sparsity:.5f}", partial(self.model_at, method, sparsity)
                )
            except PlanError:
                break
            points.append((sparsity, score))
        return points


def curves(searcher: Searcher) -> dict[str, list[tuple[float, Score]]]:
    """Curves of all methods (Wanda where there are norms)."""
    return {
        name: searcher.curve(name)
        for name in METHODS
        if name != "wanda" or searcher.norms is not None
    }
