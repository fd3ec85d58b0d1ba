"""How deep the FIFOs of a pipelined design must be so that branches cannot deadlock.

Think of time as the number of input pixels that have arrived. A streaming kernel emits an output
pixel as soon as the last input pixel it needs is there (`Operator.needed_pixels`), so every pixel
of every tensor has an earliest time. Where two branches join, the earlier branch waits in its FIFO:
the most it ever holds is what has been produced by the time the join consumes pixel p, less the p
pixels consumed before. With FIFOs that deep there is a sequential schedule that never blocks, and a
network of deterministic kernels with blocking channels that has one never deadlocks.

Many pixels may be due at one time: those of a row tile, or the last rows of an image. An input of
which no pixel can come before the other inputs are there does not wait even then, for the join
takes each pixel as it comes, as a kernel of one input does (`comes_last`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlsgen.graph import Graph, Layer, Port
from hlsgen.model.links import leaves, packing
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan, Plan
from hlsgen.rewrites.prefix import BETWEEN

# Vectors beyond the need, for the latencies of the pipelines on the way; also the least depth of
# any FIFO.
MARGIN = 16


def pixel_times(
    graph: Graph, kernels: Mapping[str, KernelPlan] | None = None
) -> dict[str, np.ndarray]:
    """For each tensor, when each of its pixels can exist at the earliest: arrays of length H*W, in
    input pixels. `kernels`: those of the layers, where they are known."""
    times = {port.tensor: arrivals_of(port, graph) for port in graph.inputs}
    for layer in graph.layers:
        kernel = (kernels or {}).get(layer.name)
        arrivals = [
            arrival(layer, graph, i, times[name], kernel) for i, name in enumerate(layer.inputs)
        ]
        times[layer.output] = np.max(arrivals, axis=0)
    return times


def arrivals_of(port: Port, graph: Graph) -> np.ndarray:
    """When each pixel of an input comes. Those that share a link come side by side, each as far
    through its image as the others."""
    pixels = np.arange(1, graph.tensors[port.tensor].pixels + 1)
    if port.name != BETWEEN:
        return pixels
    most = max(graph.tensors[p.tensor].pixels for p in graph.inputs if p.name == BETWEEN)
    return -(-pixels * most // len(pixels))


def arrival(
    layer: Layer, graph: Graph, position: int, times: np.ndarray, kernel: KernelPlan | None
) -> np.ndarray:
    """When what each output pixel needs of an input has come."""
    needed = operator(layer.op).needed_of(layer, graph, position, kernel)
    if needed is None:
        return times
    # Output pixels leave in order, and one that lies in the padding alone needs no input at all.
    return np.maximum.accumulate(np.concatenate([[0], times])[needed])


def waiting_pixels(
    tensor: str, consumer: str, position: int, graph: Graph, times: dict[str, np.ndarray]
) -> int:
    """The most pixels of `tensor` that wait at once for the layer `consumer`, which reads it as
    input `position`."""
    layer = graph.layer(consumer)
    if comes_last(tensor, layer, position, graph):
        return 0
    produced = np.searchsorted(times[tensor], times[layer.output], side="right")
    needed = operator(layer.op).needed_of(layer, graph, position)
    consumed = np.arange(len(produced)) if needed is None else np.concatenate([[0], needed[:-1]])
    return int((produced - consumed).max())


def comes_last(tensor: str, layer: Layer, position: int, graph: Graph) -> bool:
    """Whether no pixel of an input can be made before what the layer needs with it of all its other
    inputs."""
    others = [(i, name) for i, name in enumerate(layer.inputs) if i != position]
    return all(
        name != tensor and follows(tensor, name, layer, position, i, graph) for i, name in others
    )


def follows(
    tensor: str, other: str, layer: Layer, position: int, other_position: int, graph: Graph
) -> bool:
    """Whether each pixel of `tensor` is made of as many pixels of `other` as a layer needs beside
    it."""
    made = made_of(tensor, other, graph)
    if made is None:
        return False
    mine, theirs = (
        operator(layer.op).needed_of(layer, graph, i) for i in (position, other_position)
    )
    if mine is not None or theirs is not None:  # windows: not pixel by pixel
        return False
    return len(made) == graph.tensors[other].pixels and bool((made > np.arange(len(made))).all())


def made_of(tensor: str, other: str, graph: Graph) -> np.ndarray | None:
    """How many pixels of the tensor `other` must be there before each pixel of `tensor`; None where
    it is not made of it."""
    found = {other: np.arange(1, graph.tensors[other].pixels + 1)}
    for layer in graph.layers:
        arrivals = [
            arrival(layer, graph, i, found[name], None)
            for i, name in enumerate(layer.inputs)
            if name in found
        ]
        if arrivals and layer.output != other:
            found[layer.output] = np.max(arrivals, axis=0)
    return found.get(tensor)


def depth(
    tensor: str,
    consumer: str,
    position: int,
    width: int,
    graph: Graph,
    times: dict[str, np.ndarray],
) -> int:
    """Depth in vectors of the channel from `tensor` to input `position` of `consumer` ("" is the
    host's writer)."""
    if not consumer:
        return MARGIN
    per_pixel = -(-graph.tensors[tensor].channels // width)
    waiting = waiting_pixels(tensor, consumer, position, graph, times)
    return waiting * per_pixel + MARGIN


def least_depths(graph: Graph, plan: Plan, times: dict[str, np.ndarray]) -> dict[int, int]:
    """Least depths of all channels of a plan, by position in `plan.edges`: what `depth` says, and
    at links that several tensors share more.

    The receiving end gives all of a tensor's vectors of a round before it goes on to the next one:
    so many may wait for another tensor. The sending end is a join that takes a round's pixels of
    every tensor in turn: what comes early waits for the others.
    """
    found = {
        i: depth(edge.tensor, edge.consumer, edge.position, edge.width, graph, times)
        for i, edge in enumerate(plan.edges)
    }
    if plan.arriving and len(plan.arriving.tensors) > 1:
        packed = packing(graph, plan, plan.arriving)
        rounds = {t.tensor: packed.groups(t) * t.together for t in packed.tensors}
        for i, edge in enumerate(plan.edges):
            if edge.tensor in rounds:
                found[i] += rounds[edge.tensor]
    if plan.leaving and len(plan.leaving.tensors) > 1:
        packed = packing(graph, plan, plan.leaving)
        needed = packed.pixels_needed()
        due = np.max(
            [times[t.tensor][n - 1] for t, n in zip(packed.tensors, needed, strict=True)], axis=0
        )
        waiting = {}
        for tensor, counts in zip(packed.tensors, needed, strict=True):
            made = np.searchsorted(times[tensor.tensor], due + 1)  # times are whole
            taken = np.concatenate([[0], counts[:-1]])
            waiting[tensor.tensor] = int((made - taken).max()) * tensor.per_pixel + MARGIN
        for i, edge in enumerate(plan.edges):
            if not edge.consumer and leaves(graph.outputs[edge.position], plan):
                found[i] = max(found[i], waiting[edge.tensor])
    return found
