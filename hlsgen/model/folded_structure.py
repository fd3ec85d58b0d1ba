"""The structure of folded designs: readers, engines, epilogue, writer, each as it is described."""

from __future__ import annotations

from hlsgen.descriptors import record_fields
from hlsgen.engines import engine_of
from hlsgen.engines.base import Engine, setting, sum_vector
from hlsgen.graph import Graph
from hlsgen.kernel.charge import charged
from hlsgen.kernel.hardware import Fifo, Structure
from hlsgen.kernel.step import Channel, StepKernel
from hlsgen.model.finishing import Finish, engines_used, finish
from hlsgen.model.shared_channels import shared_channels
from hlsgen.model.shared_kernels import (
    bias_words,
    epilogue,
    feature_reader,
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
    channels = [*shared_channels(graph, plan, used, end, pairs_fed(graph, plan))]
    channels += [c for known in used for group in known.channels(graph, plan) for c in group]
    return Structure(
        tuple(charged(kernel) for kernel in folded_kernels(graph, plan)),
        tuple(fifo(channel, words) for channel in channels),
    )


def folded_kernels(graph: Graph, plan: Plan) -> list[StepKernel]:
    """The kernels of a folded plan, as they are described."""
    used = engines_used(graph, plan)
    kernels = shared_kernels(graph, plan, used, finish(graph, plan))
    for known in used:
        kernels += [*known.described(graph, plan), *known.readers(graph, plan)]
    return kernels


def fifo(channel: Channel, words: int) -> Fifo:
    """A channel as the model counts it, where a record has so many words."""
    return Fifo(channel.name, channel.word.bits, channel.depth or words)


def shared_kernels(
    graph: Graph, plan: Plan, used: tuple[Engine, ...], end: Finish
) -> list[StepKernel]:
    """Those that serve all engines."""
    at = setting(graph, plan)
    given = [
        (f"{name}_out", sum_vector(graph, plan, name)) if name else ("plain_in", at.vector)
        for name in end.sources
    ]
    if end.rounding and end.rounding.passed:
        given.append(("plain_floats", at.floats))
    return [
        step_reader(used, end),
        feature_reader(at, used, end),
        *[residual_reader(at, end)] * end.takes_in,
        parameter_reader(at, taking(plan, used), end),
        epilogue(at, end, tuple(given), *bias_words(plan.steps)),
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
