"""A training run, as each of its workers goes through it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import torch
import torch.distributed as dist

from hlsgen.errors import PlanError
from hlsgen.frontend.training import Trainable, load_for_training
from hlsgen.train.apart import BackwardWorker, ForwardWorker
from hlsgen.train.balance import LayerTime, choose_cuts, estimate_layers, measure_layers, seconds_of
from hlsgen.train.batches import Batches, read_batches
from hlsgen.train.checkpoint import Checkpoint, read_checkpoint
from hlsgen.train.cut import Part, split, trained_layers
from hlsgen.train.engine import Worker
from hlsgen.train.exchange import Clock, Kind
from hlsgen.train.journal import Epoch, Journal
from hlsgen.train.meter import Meter
from hlsgen.train.module import check_sharing
from hlsgen.train.plan import Segment, segments
from hlsgen.train.roles import Role, role_of, stage_count
from hlsgen.train.settings import LAYOUTS, Layout, Settings
from hlsgen.train.stage import Stage

# A worker that hears nothing for so long takes its neighbours for dead.
PATIENCE = timedelta(minutes=30)
# Bytes a second between two workers of one machine, for choosing cuts: gloo over the loopback
# device, measured.
BANDWIDTH = 1.5e9


@dataclass(frozen=True)
class StageReport:
    """What a worker tells at the end: its role, where its time went, what it held. `staleness` and
    `flying` as measured."""

    role: Role
    layers: tuple[str, ...]
    weights: int
    clock: Clock
    staleness: int
    flying: int
    kept_bytes: int
    bytes_a_minibatch: int


@dataclass(frozen=True)
class Survey:
    """What is known before training starts: the cuts, the layout of feature maps, and the layers'
    times where the cuts were chosen or the layers measured."""

    cuts: tuple[str, ...]
    layout: Layout
    times: tuple[LayerTime, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The result of a run, on the worker that reports. `values`: the learnt initializers;
    `seconds`: training without testing."""

    network: Trainable
    survey: Survey
    values: dict[str, Any]
    journal: Journal
    reports: tuple[StageReport, ...]
    seconds: float
    test: Batches


@dataclass
class Watcher:
    """What a run tells while it goes on; only the reporting worker does."""

    start: Callable[[Sequence[Part], Survey], None] = lambda parts, survey: None
    minibatch: Callable[[int, int, float, float], None] = lambda done, total, loss, accuracy: None
    epoch: Callable[[Epoch], None] = lambda epoch: None


@dataclass
class Trainer:
    """One worker of a run. `folder` takes journal and checkpoints."""

    settings: Settings
    folder: Path
    rank: int = 0
    world: int = 1
    resume: bool = False
    watcher: Watcher = field(default_factory=Watcher)
    recent: list[tuple[float, int]] = field(default_factory=list)

    def run(self) -> Outcome | None:
        """The whole run. Returns the outcome on the reporting worker, None on others. Raises
        HlsgenError."""
        torch.set_num_threads(self.settings.threads or torch.get_num_threads())
        self.device = device_of(self.settings.device)
        self.network = load_for_training(self.settings.model)
        self.train, self.test = self.read_data()
        identity = self.settings.identity()
        saved = read_checkpoint(self.folder, identity, self.world) if self.resume else None
        self.stages = stage_count(self.world, self.settings.placement)
        self.role = role_of(self.rank, self.stages, self.settings.placement)
        self.survey = self.broadcast(self.look_around(saved) if self.rank == 0 else None)
        self.parts = split(self.network.graph, self.survey.cuts)
        check_sharing(self.network, self.parts)
        self.total = self.settings.epochs * len(self.train)
        self.worker = self.make_worker()
        self.journal = Journal(self.folder)
        self.seconds, self.staleness = 0.0, 0
        if self.reporting:
            self.watcher.start(self.parts, self.survey)
        done = self.go_on_from(saved) if saved else 0
        for epoch in range(done, self.settings.epochs):
            self.run_epoch(epoch)
        return self.finish()

    def read_data(self) -> tuple[Batches, Batches]:
        """Pictures to learn from and to test on."""
        _, scores = trained_layers(self.network.graph)
        shape = self.network.graph.inputs[0].image_shape
        return read_batches(self.settings, shape, self.network.graph.tensors[scores].channels)

    @property
    def reporting(self) -> bool:
        """Whether this worker knows the loss, and so reports."""
        return self.role.stage == self.stages - 1

    def look_around(self, saved: Checkpoint | None) -> Survey:
        """Layout and cuts: those of the settings or of the run that goes on, else the best by a
        model, or by measuring where that is asked for."""
        settings = self.settings
        if len(settings.cuts) + 1 != self.stages and settings.cuts:
            raise PlanError(
                f"{len(settings.cuts)} cuts make {len(settings.cuts) + 1} stages, {self.world} "
                f"workers run {self.stages}",
                where="--cut",
                remedy="leave --workers out",
            )
        if saved is not None:
            return Survey(saved.cuts, saved.layout)
        cut = self.stages > 1 and not settings.cuts
        layout, times = settings.layout, list[LayerTime]()
        if settings.measure_cuts:
            layout, times = self.measured()
        else:
            layout = "channels_last" if layout == "auto" else layout
            times = estimate_layers(self.network.graph, settings.batch) if cut else []
        cuts = settings.cuts
        if cut:
            cuts = tuple(
                choose_cuts(self.network.graph, times, self.stages, settings.batch, BANDWIDTH)
            )
        return Survey(cuts, cast("Layout", layout), tuple(times))

    def measured(self) -> tuple[str, list[LayerTime]]:
        """The faster layout, unless one is set, and what the layers take in it."""
        inputs, layout = self.train.inputs(0).to(self.device), self.settings.layout
        found = {
            name: measure_layers(self.network, inputs, name == "channels_last")
            for name in (LAYOUTS[1:] if layout == "auto" else (layout,))
        }
        best = min(found, key=lambda name: seconds_of(found[name]))
        return best, found[best]

    def broadcast(self, value: Any) -> Any:
        """Worker 0's value, on every worker."""
        box = [value]
        if self.world > 1:
            dist.broadcast_object_list(box, 0)
        return box[0]

    def make_worker(self) -> Worker | BackwardWorker:
        """The worker for this role."""
        part, settings = (
            self.parts[self.role.stage],
            replace(self.settings, layout=self.survey.layout),
        )
        both = self.role.forward and self.role.backward
        meter = Meter() if both and settings.scheme != "gpipe" else None
        stage = Stage(self.network, part, settings, self.total, self.device, meter)
        entering, leaving = kinds_at(stage)
        place = (stage, self.role.stage, self.stages, entering, leaving)
        if self.settings.scheme == "gpipe":
            from hlsgen.train.gpipe import GpipeWorker

            return GpipeWorker(*place)
        if self.role.forward and self.role.backward:
            return Worker(*place, self.settings.placement)
        return ForwardWorker(*place) if self.role.forward else BackwardWorker(*place)

    def run_epoch(self, epoch: int) -> None:
        """Train an epoch, test, save."""
        self.recent, start = [], perf_counter()
        course = [
            segment
            for segment in segments(self.settings, len(self.train))
            if segment.epoch == epoch
        ]
        for segment in course:
            self.run_segment(segment)
        seconds = perf_counter() - start
        self.seconds += seconds
        right = self.worker.evaluate(self.test)
        if self.reporting:
            batch, count = self.settings.batch, len(self.recent)
            loss, accuracy = (sum(values) / count for values in zip(*self.recent, strict=True))
            rate = self.settings.rate_at(course[-1].offset + course[-1].steps - 1, self.total)
            tested = len(self.test.chosen)
            done = Epoch(
                epoch + 1, course[-1].scheme, rate, loss, accuracy / batch, right / tested, seconds
            )
            self.journal.epochs.append(done)
            self.watcher.epoch(done)
        self.save_checkpoint(epoch + 1)

    def run_segment(self, segment: Segment) -> None:
        """Train a segment, and look how stale the weights were."""

        def report(step: int, loss: float, right: int) -> None:
            self.journal.minibatch(step, loss, right / self.settings.batch)
            self.recent.append((loss, right))
            self.watcher.minibatch(step + 1, self.total, loss, right / self.settings.batch)

        stage, base = self.worker.stage, self.worker.stage.updates
        stage.versions.clear()
        self.worker.train(
            segment.schedule(self.stages), self.train, segment.offset, segment.steps, report
        )
        stale = (
            step - segment.offset - (version - base) for step, version in stage.versions.items()
        )
        self.staleness = max(self.staleness, *stale, 0)

    # ---- what all workers put together

    def gather(self, value: Any) -> list[Any]:
        """Every worker's value, by rank, on the reporting worker; an empty list on others."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world if self.reporting else []
        dist.gather_object(value, found if self.reporting else None, dst=self.stages - 1)
        return found

    def save_checkpoint(self, epoch: int) -> None:
        """Save everything that the run goes on from. No worker begins the next epoch before that is
        done, so a failure there cannot take it along."""
        states = self.gather(self.worker.stage.state())
        if self.reporting:
            self.journal.write()
            Checkpoint(
                self.settings.identity(),
                self.survey.cuts,
                self.survey.layout,
                epoch,
                self.seconds,
                self.journal.noted(),
                workers=tuple(states),
            ).write(self.folder)
        if self.world > 1:
            dist.barrier()

    def go_on_from(self, saved: Checkpoint) -> int:
        """Go on from a checkpoint; returns the epochs that are done. Raises TrainingError."""
        self.worker.stage.load(saved.workers[self.rank])
        self.journal.load(saved.journal)
        self.seconds = saved.seconds
        return saved.epoch

    def finish(self) -> Outcome | None:
        """Put the weights together."""
        values = self.gather(self.worker.stage.module.values() if self.role.forward else {})
        reports = self.gather(self.stage_report())
        if not self.reporting:
            return None
        merged = {name: array for found in values for name, array in found.items()}
        return Outcome(
            self.network, self.survey, merged, self.journal, tuple(reports), self.seconds, self.test
        )

    def stage_report(self) -> StageReport:
        """What this worker did."""
        stage = self.worker.stage
        meter = stage.meter or Meter()
        weights = sum(weight.numel() for weight in stage.learnt)
        names = tuple(layer.name for layer in stage.part.layers)
        size = meter.most_bytes // max(meter.most_minibatches, 1)
        return StageReport(
            self.role,
            names,
            weights,
            self.worker.clock,
            self.staleness,
            meter.most_minibatches,
            meter.most_bytes,
            size,
        )


def kinds_at(stage: Stage) -> tuple[list[Kind], list[Kind]]:
    """The tensors that enter and leave a stage with a minibatch."""
    graph, settings, part = stage.network.graph, stage.settings, stage.part
    last = settings.layout == "channels_last"

    def kinds(names: Sequence[str]) -> list[Kind]:
        tensors = [graph.tensors[name] for name in names]
        return [
            Kind((settings.batch, *t.shape), channels_last=last and t.pixels > 1 < t.channels)
            for t in tensors
        ]

    images = Kind((settings.batch, *graph.inputs[0].image_shape[1:]))
    return [images] if part.first else kinds(part.inputs), kinds(part.outputs)


def device_of(device: str) -> str:
    """The device of this worker: on machines with several GPUs each worker has one."""
    if device != "cuda":
        return device
    if not torch.cuda.is_available():
        raise PlanError(
            "torch finds no GPU",
            where="--device cuda",
            remedy="leave --device out to train on the CPU",
        )
    number = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
    torch.cuda.set_device(number)
    return f"cuda:{number}"


def leave() -> None:
    """Leave the other workers, when all have come so far: one that goes early takes its connections
    with it."""
    dist.barrier()
    dist.destroy_process_group()


def join(settings: Settings, rank: int, world: int, store: str) -> None:
    """Join the other workers; `store` is a file that all of them see, or "env://" under
    torchrun."""
    backend = "nccl" if settings.device == "cuda" else "gloo"
    dist.init_process_group(
        backend, init_method=store, rank=rank, world_size=world, timeout=PATIENCE
    )
