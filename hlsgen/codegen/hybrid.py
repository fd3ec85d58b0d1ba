"""Generates hybrid designs whose prefix is a pipeline: its kernels beside the engines that compute
the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

from hlsgen.boards import Board
from hlsgen.codegen.design import Generated
from hlsgen.codegen.folded import FoldedGenerator, generate_folded, memory_of
from hlsgen.codegen.pipelined import PipelinedGenerator
from hlsgen.codegen.pipelined_parts import Place
from hlsgen.codegen.render import render
from hlsgen.graph import Graph
from hlsgen.host.manifest import Argument, Launch, Run
from hlsgen.plan import Plan
from hlsgen.rewrites.dense_as_convolution import reshaped
from hlsgen.rewrites.prefix import halves, has_prefix

# What the text of the engines names, beside words that no layer is called by
# (`hlsgen/ops/reserved.py`).
READERS = ("step_reader", "filter_reader", "weight_expander")
ENGINE_SUFFIXES = ("_weights", "_engine", "_tiles", "_results")
# Buffers of a pipelined design under their names beside a folded one; results go into a memory of
# feature maps.
BUFFERS = {"weights": "prefix_weights", "filters": "prefix_filters"}


def generate_hybrid(graph: Graph, plan: Plan, board: Board) -> Generated:
    """Generate a hybrid design, with a prefix or without."""
    if not has_prefix(plan):
        return generate_folded(graph, plan, board)
    (prefix, ahead), (rest, after) = halves(graph, plan)
    engines = FoldedGenerator(reshaped(rest, after), after)
    stream = PipelinedGenerator(*with_own_names(prefix, ahead, engines.numbers))
    (between,), (result,) = rest.inputs, stream.graph.outputs
    # Vectors of the prefix in one of the engines'.
    lanes = engines.engines.width // stream.widths[result.tensor]
    base = engines.placement.locations[between.tensor].base
    parts = stream.parts(Place(base * lanes, engines.placement.size * lanes))
    text = render("pipelined/kernels.j2", **stream.printed(parts))
    found = engines.generate(board, prefix=text, unions=stream.unions())
    names = BUFFERS | {"output_1": memory_of(rest, rest.tensors[between.tensor])}
    stream.weights.store(found.weights, names)
    ahead_of_it = stream.manifest("", found.weights, parts, board)
    pairs = zip(ahead_of_it.layers, prefix.layers, strict=True)
    layers = [replace(result, name=layer.name) for result, layer in pairs]
    return joined(found, replace(ahead_of_it, layers=layers), plan.images, names)


def with_own_names(prefix: Graph, plan: Plan, engines: Iterable[str]) -> tuple[Graph, Plan]:
    """The prefix with other names for layers that are called like a kernel or a channel of the
    engines."""
    taken = {*READERS, *(f"{engine}{suffix}" for engine in engines for suffix in ENGINE_SUFFIXES)}
    names = {layer.name: layer.name for layer in prefix.layers}
    for name in names:
        if not taken.isdisjoint((name, f"{name}_weights")):
            names[name] = next(
                other for n in count(1) if (other := f"{name}_ahead_{n}") not in names
            )
    layers = tuple(replace(layer, name=names[layer.name]) for layer in prefix.layers)
    kernels = tuple(replace(kernel, layer=names[kernel.layer]) for kernel in plan.kernels)
    edges = tuple(replace(edge, consumer=names.get(edge.consumer, "")) for edge in plan.edges)
    return replace(prefix, layers=layers), replace(plan, kernels=kernels, edges=edges)


def joined(rest: Generated, prefix: Generated, images: int, names: Mapping[str, str]) -> Generated:
    """The manifest of both parts. The host runs the prefix for the next launch while the engines
    run; it swaps the alternating buffers. `names`: of the prefix's buffers."""
    buffers = {names.get(name, name): buffer for name, buffer in prefix.buffers.items()}
    for name in (names["weights"], names["filters"]):
        if name in buffers:
            buffers[name] = replace(buffers[name], section=name)
    buffers |= rest.buffers
    between = names["output_1"]
    buffers[between] = replace(buffers[between], alternating=True)
    first = {mode: adapted(run, images, names) for mode, run in prefix.runs.items()}
    then = rest.runs
    runs = {
        mode: Run(
            tuple(dict.fromkeys([*first[mode].options, *then[mode].options])),
            first[mode].once,
            (*(first[mode].launches if mode == "sequential" else ()), *then[mode].launches),
            (*first[mode].autorun, *then[mode].autorun),
            first[mode].launches if mode == "concurrent" else (),
        )
        for mode in then
    }
    layers = [*prefix.layers, *rest.layers]
    return Generated(
        rest.source,
        rest.weights,
        buffers,
        prefix.inputs,
        rest.outputs,
        layers,
        runs,
        rest.step_fields,
    )


def adapted(run: Run, images: int, names: Mapping[str, str]) -> Run:
    """A run of the prefix with this design's buffers, always for all images of a launch."""

    def argument(given: Argument) -> Argument:
        if given.images:
            return replace(given, images=False, number=images)
        if given.buffer is None:
            return given
        return replace(given, buffer=names.get(given.buffer, given.buffer))

    def all_of(launches: tuple[Launch, ...]) -> tuple[Launch, ...]:
        return tuple(
            replace(launch, arguments=tuple(map(argument, launch.arguments))) for launch in launches
        )

    return replace(run, once=all_of(run.once), launches=all_of(run.launches))
