"""The structure of folded designs: readers, engines, epilogue, writer, each as it is described."""

from __future__ import annotations

from hlsgen.descriptors import record_fields
from hlsgen.engines import engine_of
from hlsgen.engines.base import Engine, setting
from hlsgen.graph import Graph
from hlsgen.kernel.charge import charged
from hlsgen.kernel.hardware import Fifo, Structure
from hlsgen.kernel.step import Channel, StepKernel
from hlsgen.model.shared_channels import shared_channels
from hlsgen.model.shared_kernels import (
    Finish,
    bias_words,
    engines_used,
    epilogue,
    feature_reader,
    finish,
    parameter_reader,
    residual_reader,
    step_reader,
    taking,
    writer,
)
from hlsgen.plan import Plan


def folded_structure(graph: Graph, plan: Plan) -> Structure:
    """All kernels and channels of a folded plan."""
    used, end = engines_used(graph, plan), finish(graph, plan)
    words = len(record_fields(graph, plan.steps))
    kernels = shared_kernels(plan, used, end)
    for known in used:
        kernels += [*known.described(graph, plan), *known.readers(plan)]
    channels = [*shared_channels(plan, used, end, pairs_fed(graph, plan))]
    channels += [channel for known in used for group in known.channels(plan) for channel in group]
    return Structure(
        tuple(charged(kernel) for kernel in kernels),
        tuple(fifo(channel, words) for channel in channels),
    )


def fifo(channel: Channel, words: int) -> Fifo:
    """A channel as the model counts it, where a record has so many words."""
    return Fifo(channel.name, channel.word.bits, channel.depth or words)


def shared_kernels(plan: Plan, used: tuple[Engine, ...], end: Finish) -> list[StepKernel]:
    """Those that serve all engines."""
    at = setting(plan)
    return [
        step_reader(used, end),
        feature_reader(at, used, end),
        *[residual_reader(at)] * bool(end.joins),
        parameter_reader(at, taking(plan, used), end),
        epilogue(at, end, *bias_words(plan.steps)),
        writer(at, end),
    ]


def pairs_fed(graph: Graph, plan: Plan) -> tuple[tuple[str, str], ...]:
    """The engines that feed others, each with the one that it feeds."""
    pairs = (
        (engine_of(graph.layer(step.feeder)).name, step.engine)
        for step in plan.steps
        if step.feeder
    )
    return tuple(dict.fromkeys(pairs))
