"""A worker of `train`: runs the trainer, and on the worker that reports shows the run and writes
the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from hlsgen.cli.console import Console, command
from hlsgen.data.evaluate import run as run_onnxruntime
from hlsgen.frontend.model import write_model
from hlsgen.host.files import write_whole
from hlsgen.train.batches import Batches
from hlsgen.train.cut import Part
from hlsgen.train.journal import CURVES, EPOCHS, Epoch
from hlsgen.train.schedule import Sequential, Stale, stale_share
from hlsgen.train.settings import RUN, Settings
from hlsgen.train.trainer import Outcome, StageReport, Survey, Trainer, Watcher, join, leave
from hlsgen.words import counted


def run_worker(
    rank: int,
    world: int,
    store: str,
    settings: Settings,
    folder: Path,
    resume: bool,
    words: Sequence[str],
    out: str,
    as_json: bool,
    quiet: bool = False,
) -> None:
    """One worker's share of the run. Raises HlsgenError."""
    if world > 1:
        join(settings, rank, world, store)
    console = Console(as_json, quiet)
    with console.progress("training") as update:
        show = Show(console, settings, words, update)
        watcher = Watcher(show.start, show.minibatch, show.epoch)
        outcome = Trainer(settings, folder, rank, world, resume, watcher=watcher).run()
    if world > 1:
        leave()
    if outcome is not None:
        finish(outcome, settings, folder, words, out, console)


@dataclass
class Show:
    """What the reporting worker prints while training; `update` moves the bar."""

    console: Console
    settings: Settings
    words: Sequence[str]
    update: Any

    def start(self, parts: Sequence[Part], survey: Survey) -> None:
        """The stages."""
        schedule = (
            Stale(len(parts)) if self.settings.scheme == "pipelined" else Sequential(len(parts))
        )
        times = {time.name: time.forward + time.backward for time in survey.times}
        rows = []
        weights = []
        for number, part in enumerate(parts):
            weights.append(
                sum(array.size for layer in part.layers for array in layer.weights.values())
            )
            names = [layer.name for layer in part.layers]
            span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
            took = f"{1e3 * sum(times[name] for name in names):.1f}" if times else ""
            rows.append(
                (str(number + 1), span, f"{weights[-1]:,}", took, str(schedule.staleness(number)))
            )
        columns = [
            ("stage", "right"),
            ("layers", "left"),
            ("weights", "right"),
            ("ms alone" if self.settings.measure_cuts else "ms by the model", "right"),
            ("staleness", "right"),
        ]
        self.console.table(columns, rows)
        stale = stale_share(schedule, weights)
        self.console.say(
            f"{self.settings.scheme}, {counted(len(parts), 'stage')}; {stale:.1%} of the weights "
            "are stale in forward passes; "
            f"feature maps {survey.layout.replace('_', ' ')}"
        )
        self.console.say(f"the same again: {repeat(self.words, survey)}")

    def minibatch(self, done: int, total: int, loss: float, accuracy: float) -> None:
        """Move the bar."""
        self.update(done, total, f"loss {loss:.3f}, accuracy {accuracy:.1%}")

    def epoch(self, epoch: Epoch) -> None:
        """A line an epoch."""
        self.console.say(
            f"epoch {epoch.epoch}/{self.settings.epochs}, {epoch.scheme}: loss "
            f"{epoch.loss:.4f}, accuracy {epoch.accuracy:.2%}, "
            f"test {epoch.test_accuracy:.2%}, {epoch.seconds:.1f} s"
        )


def repeat(words: Sequence[str], survey: Survey) -> str:
    """The command that repeats a run, with the cuts and the layout that it found."""
    cuts = ["--cut", ",".join(survey.cuts)] if survey.cuts else []
    return command("train", *words, *cuts, "--layout", survey.layout)


def finish(
    outcome: Outcome,
    settings: Settings,
    folder: Path,
    words: Sequence[str],
    out: str,
    console: Console,
) -> None:
    """Write the network, and say how it went."""
    model = outcome.network.restore(outcome.values)
    write_model(model, out)
    show_workers(outcome.reports, console)
    with console.status("testing with onnxruntime"):
        accuracy = tested(model, outcome.test)
    last, pictures = outcome.journal.epochs[-1], len(outcome.test.chosen)
    console.say(
        f"{out}: {accuracy:.2%} of {pictures:,} test pictures right in "
        f"onnxruntime, {last.test_accuracy:.2%} in torch; "
        f"{outcome.seconds:.1f} s of training"
    )
    console.say(f"curves: {folder / CURVES}; tables: {folder / EPOCHS}")
    told = {
        "ok": True,
        "out": out,
        "cuts": list(outcome.survey.cuts),
        "layout": outcome.survey.layout,
        "command": repeat(words, outcome.survey),
        "accuracy": accuracy,
        "torch_accuracy": last.test_accuracy,
        "pictures": pictures,
        "seconds": outcome.seconds,
        "epochs": [vars(epoch) for epoch in outcome.journal.epochs],
        "workers": [worker_record(report) for report in outcome.reports],
        "folder": str(folder),
    }
    write_whole(folder / RUN, json.dumps(told, indent=1) + "\n")
    console.result(told)


def tested(model: onnx.ModelProto, test: Batches) -> float:
    """The share of pictures that a network gets right in onnxruntime."""
    scores, labels = run_onnxruntime(model, test.stored.inputs(test.chosen)), test.stored.labels
    assert labels is not None
    right = scores.reshape(len(scores), -1).argmax(1) == labels[test.chosen]
    return int(right.sum()) / len(scores)


def worker_record(report: StageReport) -> dict[str, Any]:
    """A worker's part of the JSON object."""
    return {
        "role": report.role.title,
        "layers": list(report.layers),
        "weights": report.weights,
        "busy": report.clock.busy,
        "forward_seconds": report.clock.forward,
        "backward_seconds": report.clock.backward,
        "seconds": report.clock.total,
        "staleness": report.staleness,
        "minibatches_in_flight": report.flying,
        "bytes_a_minibatch": report.bytes_a_minibatch,
        "most_bytes": report.kept_bytes,
    }


def show_workers(reports: Sequence[StageReport], console: Console) -> None:
    """Where the workers' time went and what they held."""
    columns = [
        ("worker", "left"),
        ("busy", "right"),
        ("idle", "right"),
        ("forward s", "right"),
        ("backward s", "right"),
        ("measured staleness", "right"),
        ("minibatches held", "right"),
        ("MB held", "right"),
    ]
    rows = [
        (
            report.role.title,
            f"{report.clock.busy:.0%}",
            f"{1 - report.clock.busy:.0%}",
            f"{report.clock.forward:.1f}",
            f"{report.clock.backward:.1f}",
            str(report.staleness) if report.role.forward else "",
            str(report.flying) if report.flying else "",
            f"{report.kept_bytes / 1e6:.1f}" if report.flying else "",
        )
        for report in reports
    ]
    console.table(columns, rows)
