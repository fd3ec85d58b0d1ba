"""Quantising as it is asked for: the pictures, how many layers stay in float, and what came of
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from hlsgen.data.evaluate import METRICS, Evaluator, Score, input_shape
from hlsgen.data.parts import parted
from hlsgen.errors import UsageError, did_you_mean
from hlsgen.host.pictures import read_preparation
from hlsgen.quantise.flow import Judged, Quantiser, judged, within
from hlsgen.quantise.static import METHODS, Progress, silent, tools
from hlsgen.words import counted

CALIBRATION = 32


@dataclass(frozen=True)
class QuantiseOptions:
    """Pictures at `data`, prepared as `prepare` says (a name or a TOML file), of which `calibrate`
    set the ranges and the others judge by `metric`; ranges by `method`; layers left in float: the
    `keep_float` noisiest, those called `keep`, or as many as it takes to lose at most `max_loss`, a
    share. Raises UsageError for what cannot be."""

    data: str | Path
    prepare: str | Path = ""
    calibrate: int = CALIBRATION
    method: str = "minmax"
    keep_float: int = 0
    keep: tuple[str, ...] = ()
    max_loss: float | None = None
    metric: str = "top1"
    correct_bias: bool = True

    def __post_init__(self) -> None:
        for flag, value, known in (
            ("--method", self.method, METHODS),
            ("--metric", self.metric, METRICS),
        ):
            if value not in known:
                raise UsageError(
                    f"there is no {value!r}{did_you_mean(value, known)}",
                    where=flag,
                    remedy=f"choose from {', '.join(known)}",
                )
        if self.calibrate < 1:
            raise UsageError(
                counted(self.calibrate, "picture"), where="--calibrate", remedy="for example 32"
            )
        if self.keep_float < 0:
            raise UsageError(
                counted(self.keep_float, "layer"), where="--keep-float", remedy="for example 2"
            )
        if sum((self.keep_float > 0, bool(self.keep), self.max_loss is not None)) > 1:
            raise UsageError(
                "each of them decides which layers stay in float",
                where="--keep-float, --keep, --max-loss",
                remedy="give one",
            )


@dataclass(frozen=True)
class Outcome:
    """A quantised network with its score, that of the float network, and how many pictures set the
    ranges. Without labels a picture is right where the float network's answer stays."""

    options: QuantiseOptions
    judged: Judged
    reference: Score
    labels: bool
    calibrated: int
    caution: str

    @property
    def model(self) -> onnx.ModelProto:
        """The quantised network."""
        return self.judged.quantised.model

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, all but the network."""
        return {
            "method": self.options.method,
            "calibration_pictures": self.calibrated,
            "metric": self.options.metric,
            "labels": self.labels,
            "float32": self.reference.to_dict(),
            "int8": self.judged.score.to_dict(),
            "caution": self.caution,
            "noise": self.judged.noise,
            "kept_float": list(self.judged.quantised.kept),
            "layers": [asdict(layer) for layer in self.judged.quantised.layers],
        }


def quantise(
    model: onnx.ModelProto,
    options: QuantiseOptions,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Quantise a float network and judge the result. `progress` is told how many pictures are done,
    `say` what is done. Raises ModelError for networks and pictures that do not fit, HlsgenError
    without onnxruntime."""
    tools()
    calibration, pictures = parted(
        options.data, input_shape(model), read_preparation(options.prepare), options.calibrate
    )
    evaluator = Evaluator(model, pictures, options.metric)
    quantiser = Quantiser(model, calibration, options.method, options.correct_bias, progress)
    if options.max_loss is not None:
        found = within(quantiser, evaluator, options.max_loss, say)
    else:
        kept = options.keep or quantiser.noisiest(options.keep_float)
        found = judged(quantiser, quantiser.network(kept), kept, evaluator)
    same = calibration is pictures.inputs
    caution = "one picture calibrates and judges: give more" if same else ""
    labels = pictures.labels is not None
    return Outcome(options, found, evaluator.reference, labels, len(calibration), caution)


def in_words(kept: Mapping[str, Any]) -> str:
    """Accuracy before and after, or agreement, in a line."""
    found, total = kept["int8"], counted(kept["int8"]["pictures"], "picture")
    layers = len(kept["kept_float"])
    more = f", {counted(layers, 'layer')} left in float" if layers else ""
    more += f"; {kept['caution']}" if kept["caution"] else ""
    if not kept["labels"]:
        return f"int8 agrees with float32 on {found['share']:.1%} of {total}{more}"
    before = kept["float32"]["share"]
    metric = kept["metric"]
    return f"{metric} {found['share']:.1%} in int8, {before:.1%} in float32, {total}{more}"
