"""The whole way from a float network and pictures to a quantised one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import onnx

from hlsgen.data.evaluate import Evaluator, Score, run
from hlsgen.errors import ModelError
from hlsgen.quantise.bias import corrected
from hlsgen.quantise.errors import LayerError, Twice
from hlsgen.quantise.network import LAYERS, quantised_layers
from hlsgen.quantise.noise import carried_noise
from hlsgen.quantise.prepare import prepared
from hlsgen.quantise.static import Progress, quantised, silent

# Pictures for what is measured layer by layer, or holds every tensor in memory.
NOISE_PICTURES = 4


@dataclass(frozen=True)
class Layer:
    """A layer with weights: how many, noise of its own and with all before it (dB of its result;
    None where it is float, or its result is)."""

    name: str
    op_type: str
    weights: int
    own: float | None
    carried: float | None


@dataclass(frozen=True)
class Quantised:
    """A QDQ network, its layers in order, and the names of those left in float."""

    model: onnx.ModelProto
    layers: tuple[Layer, ...]
    kept: tuple[str, ...]


@dataclass
class Quantiser:
    """Quantises one float network on calibration inputs `(N, ...)`, with more or fewer layers left
    in float. `say` is told what is being done. Raises ModelError for networks that cannot be
    quantised."""

    float_model: onnx.ModelProto
    inputs: np.ndarray
    method: str = "minmax"
    correct_bias: bool = True
    progress: Progress = silent

    def __post_init__(self) -> None:
        self.model = prepared(self.float_model)
        self.first = quantised(self.model, self.inputs, self.method, (), self.progress)
        if not quantised_layers(self.first):
            raise ModelError(
                "no Conv, Gemm or MatMul with constant weights is in it, nothing else is worth "
                "quantising",
                where="model",
            )
        self.twice = Twice(self.model, self.first)
        self.errors = self.twice.errors(self.inputs)

    @cached_property
    def influences(self) -> dict[str, float]:
        """Noise of the network's results by the one layer that is quantised."""
        return self.twice.influences(self.inputs[:NOISE_PICTURES])

    def noisiest(self, count: int) -> tuple[str, ...]:
        """The layers that alone make most noise in the network's results."""
        if not count:
            return ()
        return tuple(sorted(self.errors, key=lambda name: -self.influences[name])[:count])

    def network(self, kept: Sequence[str] = ()) -> onnx.ModelProto:
        """The quantised network with these layers left in float. Raises ModelError for names of no
        layer."""
        unknown = [name for name in kept if name not in self.errors]
        if unknown:
            raise ModelError(
                f"no layer that is quantised is called {unknown[0]!r}",
                where="--keep",
                remedy=f"layers: {', '.join(self.errors)}",
            )
        model, errors = self.first, self.errors
        if kept:
            model = quantised(self.model, self.inputs, self.method, kept, self.progress)
            if self.correct_bias:
                errors = Twice(self.model, model).errors(self.inputs)
        return corrected(model, errors) if self.correct_bias else model

    def result(self, model: onnx.ModelProto, kept: Sequence[str]) -> Quantised:
        """A network of this quantiser with its table."""
        carried = carried_noise(self.model, model, self.inputs[:NOISE_PICTURES])
        outputs = {name: layer.output for name, layer in quantised_layers(model).items()}
        sizes = {t.name: prod(t.dims) for t in self.model.graph.initializer}
        layers = []
        for node in self.model.graph.node:
            if node.op_type in LAYERS and node.input[1] in sizes:
                error: LayerError | None = self.errors.get(node.name)
                own = error.decibels if error and node.name in outputs else None
                layers.append(
                    Layer(
                        node.name,
                        node.op_type,
                        sizes[node.input[1]],
                        own,
                        carried.get(outputs.get(node.name, "")),
                    )
                )
        return Quantised(model, tuple(layers), tuple(kept))


@dataclass(frozen=True)
class Judged:
    """A quantised network's score on pictures, and the noise of its scores: root mean square error
    over the deviation of the float network's scores."""

    quantised: Quantised
    score: Score
    noise: float


def judged(
    quantiser: Quantiser, model: onnx.ModelProto, kept: Sequence[str], evaluator: Evaluator
) -> Judged:
    """Run a network of the quantiser on the evaluator's pictures, and make its table."""
    return Judged(quantiser.result(model, kept), *measured(model, evaluator))


def measured(model: onnx.ModelProto, evaluator: Evaluator) -> tuple[Score, float]:
    """A network's score and the noise of its scores."""
    scores = run(model, evaluator.pictures.inputs)
    scores = scores.reshape(len(scores), -1)
    error = scores - evaluator.dense_scores
    noise = float(np.sqrt(np.square(error).mean()) / evaluator.dense_scores.std())
    return evaluator.count(scores), noise


def within(
    quantiser: Quantiser, evaluator: Evaluator, max_loss: float, say: Callable[[str], None]
) -> Judged:
    """The network with the fewest layers in float, of 0, 1, 2, 4 and so on, that loses at most a
    share of its accuracy. Raises ModelError where not even the last one does."""
    count, total = 0, len(quantiser.errors)
    while count < total:
        say(f"{count} of {total} layers in float")
        kept = quantiser.noisiest(count)
        model = quantiser.network(kept)
        score, noise = measured(model, evaluator)
        if evaluator.reference.share - score.share <= max_loss:
            return Judged(quantiser.result(model, kept), score, noise)
        count = 2 * count or 1
    raise ModelError(
        f"it loses more than {max_loss:.1%} even with most layers in float",
        where="--max-loss",
        remedy="give more pictures for calibration, or allow more",
    )
