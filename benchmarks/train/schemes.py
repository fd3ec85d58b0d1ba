"""The schedules that `anchors` sets side by side, as workers of `hlsgen.train.launch`: hlsgen's
own, torch's data parallelism, and torch's pipelines. Each notes the passes that its main thread
makes, with the time that they take on a core (`replay`). Needs Linux, which tells memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.distributed.pipelining import Schedule1F1B, ScheduleGPipe, ScheduleInterleaved1F1B
from torch.nn.parallel import DistributedDataParallel

from benchmarks.train.replay import Trace
from hlsgen.frontend.training import load_for_training
from hlsgen.train.batches import Batches, read_batches
from hlsgen.train.cut import split
from hlsgen.train.engine import Report, Worker
from hlsgen.train.exchange import Clock
from hlsgen.train.gpipe import GpipeWorker, Piped, mean_loss
from hlsgen.train.schedule import Sequential, Stale
from hlsgen.train.settings import Settings
from hlsgen.train.stage import Stage, Tensors
from hlsgen.train.trainer import join, kinds_at

CLASSES = 10


@dataclass(frozen=True)
class Scheme:
    """A schedule of `workers` processes, with `threads` each; `kind` is one of `KINDS`."""

    kind: str
    workers: int = 2
    threads: int = 1
    microbatches: int = 1


@dataclass
class TracedStage(Stage):
    """Stage `number` of `count`, whose passes are noted."""

    trace: Trace = field(default_factory=Trace)
    number: int = 0
    count: int = 1

    def forward(self, step: int, inputs: Sequence[torch.Tensor]) -> Tensors:
        """Noted, and how many updates its weights miss."""
        with self.trace.forward(self.number, (step, 0), step - self.updates):
            return super().forward(step, inputs)

    def backward(self, step: int, gradients: Sequence[torch.Tensor]) -> Tensors:
        """Noted."""
        with self.trace.backward(self.number, self.count, (step, 0)):
            return super().backward(step, gradients)


class TracedPipe(Piped):
    """A stage as torch's schedules take it, whose passes are noted."""

    def __init__(self, stage: TracedStage):
        super().__init__(stage, stage.number, stage.count, Clock())
        self.traced, self.seen = stage, Counter[tuple[str, int]]()

    def turn(self, kind: str, chunk: int) -> tuple[int, int]:
        """Minibatch and microbatch of a pass."""
        self.seen[kind, chunk] += 1
        return self.seen[kind, chunk] - 1, chunk

    def forward_one_chunk(self, fwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        """Noted, and how many updates its weights miss."""
        stage, turn = self.traced, self.turn("forward", fwd_chunk_id)
        with stage.trace.forward(stage.number, turn, turn[0] - stage.updates):
            return super().forward_one_chunk(fwd_chunk_id, *args, **kwargs)

    def backward_one_chunk(self, bwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        """Noted."""
        stage, turn = self.traced, self.turn("backward", bwd_chunk_id)
        with stage.trace.backward(stage.number, stage.count, turn):
            return super().backward_one_chunk(bwd_chunk_id, *args, **kwargs)


class DataParallel(Worker):
    """A worker that runs the whole network on its share of every minibatch."""

    def __init__(self, stage: TracedStage):
        super().__init__(stage, 0, 1, (), ())
        self.trace, self.module = stage.trace, DistributedDataParallel(stage.module)

    def train(
        self, schedule: Stale, batches: Batches, offset: int, steps: int, report: Report
    ) -> None:
        """Run the minibatches; all workers meet after each."""
        rank, world = dist.get_rank(), dist.get_world_size()
        mine = slice(rank, None, world)
        for step in range(offset, offset + steps):
            self.stage.prepare(step)
            for weight in self.stage.learnt:
                weight.grad = None
            with self.trace.note(("share", rank, step), ()):
                scores = self.module(batches.inputs(step)[mine])[0].flatten(1)
                F.cross_entropy(scores, batches.labels(step)[mine]).backward()
            with self.trace.note(
                ("meeting", rank, step), [("share", other, step) for other in range(world)]
            ):
                self.stage.update(step)


def alone(own: list[TracedStage], rank: int) -> Worker:
    """One worker, the whole network."""
    return Worker(own[0], 0, 1, (), ())


def data_parallel(own: list[TracedStage], rank: int) -> Worker:
    """A worker of several with the whole network each."""
    return DataParallel(own[0])


def stale(own: list[TracedStage], rank: int) -> Worker:
    """A stage of hlsgen's pipeline."""
    return Worker(own[0], rank, own[0].count, *kinds_at(own[0]))


def gpipe(own: list[TracedStage], rank: int) -> Worker:
    """A stage of GPipe's."""
    return piped(own, rank, ScheduleGPipe(TracedPipe(own[0]), *dealt(own)))


def one_f_one_b(own: list[TracedStage], rank: int) -> Worker:
    """A stage of 1F1B."""
    return piped(own, rank, Schedule1F1B(TracedPipe(own[0]), *dealt(own)))


def interleaved(own: list[TracedStage], rank: int) -> Worker:
    """Stages of interleaved 1F1B."""
    pipes: list[Any] = [TracedPipe(stage) for stage in own]
    return piped(own, rank, ScheduleInterleaved1F1B(pipes, *dealt(own)))


def dealt(own: list[TracedStage]) -> tuple[int, Callable[..., torch.Tensor]]:
    """Microbatches, and the loss of one."""
    return own[0].settings.microbatches, mean_loss


def piped(own: list[TracedStage], rank: int, pipe: Any) -> Worker:
    """A worker in a schedule of torch's."""
    return GpipeWorker(own[0], rank, dist.get_world_size(), (), (), pipe, own[1:])


KINDS: dict[str, Callable[[list[TracedStage], int], Worker]] = {
    "alone": alone,
    "data parallel": data_parallel,
    "gpipe": gpipe,
    "1f1b": one_f_one_b,
    "interleaved": interleaved,
    "stale": stale,
}


def work(rank: int, world: int, store: str, scheme: Scheme, settings: Settings, out: Path) -> None:
    """Train, and leave weights and what was measured, a file each of every worker, in `out`."""
    torch.set_num_threads(scheme.threads)
    if world > 1:
        join(settings, rank, world, store)
    net = load_for_training(settings.model)
    learnt, _ = read_batches(settings, net.graph.inputs[0].image_shape, CLASSES)
    parts = split(net.graph, settings.cuts)
    total, trace = settings.epochs * len(learnt), Trace()
    numbers = [0] if scheme.kind == "data parallel" else range(rank, len(parts), world)
    own = [
        TracedStage(net, parts[n], settings, total, trace=trace, number=n, count=len(parts))
        for n in numbers
    ]
    worker = KINDS[scheme.kind](own, rank)
    schedule = Stale(len(parts)) if scheme.kind == "stale" else Sequential(len(parts))
    start, epochs = memory("VmRSS"), []
    Path("/proc/self/clear_refs").write_text("5")  # the most memory so far is what there is now
    for epoch in range(settings.epochs):
        if world > 1:
            dist.barrier()
        wall, cpu = perf_counter(), process_time()
        trace.begin()
        worker.train(schedule, learnt, epoch * len(learnt), len(learnt), lambda *told: None)
        passes = [asdict(made) for made in trace.end()]
        used = {"wall": perf_counter() - wall, "cpu": process_time() - cpu}
        epochs.append(used | {"passes": passes})
    size = memory("VmHWM") - start
    found = {"epochs": epochs, "bytes": size, "staleness": trace.staleness}
    Path(out, f"{rank}.json").write_text(json.dumps(found))
    values: dict[str, Any] = {n: a for stage in own for n, a in stage.module.values().items()}
    np.savez(Path(out, f"{rank}.npz"), **values)
    if world > 1:
        dist.barrier()


def memory(name: str) -> int:
    """Bytes of this process's memory, by a field of /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))
