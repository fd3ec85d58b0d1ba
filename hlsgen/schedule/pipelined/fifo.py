"""How deep the FIFOs of a pipelined design must be so that branches cannot deadlock.

Think of time as the number of input pixels that have arrived. A streaming kernel emits an output
pixel as soon as the last input pixel it needs is there (`Operator.needed_pixels`), so every pixel
of every tensor has an earliest time. Pixels that need no more than the one before them (those of a
row tile, the last rows of an image) still leave one after another, an instant apart. Where two
branches join, the earlier branch waits in its FIFO: the most it ever holds is what has been
produced by the time the join consumes pixel p, less the p pixels consumed before. All that pixel p
cannot do without is among it, so with FIFOs that deep every pixel can be had when it is asked for,
and a network of deterministic kernels with blocking channels that can do this never deadlocks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan

# Vectors beyond the need, for the latencies of the pipelines on the way; also the least depth of
# any FIFO.
MARGIN = 16
# Instants between two input pixels: more than all pixels of an image that may follow one.
INSTANTS = 1 << 32


def pixel_times(
    graph: Graph, kernels: Mapping[str, KernelPlan] | None = None
) -> dict[str, np.ndarray]:
    """For each tensor, when each of its pixels can exist at the earliest: arrays of length H*W, in
    instants. `kernels`: those of the layers, where they are known."""
    times = {
        port.tensor: INSTANTS * np.arange(1, graph.tensors[port.tensor].pixels + 1)
        for port in graph.inputs
    }
    for layer in graph.layers:
        kernel = (kernels or {}).get(layer.name)
        arrivals = [
            arrival(layer, graph, i, times[name], kernel) for i, name in enumerate(layer.inputs)
        ]
        times[layer.output] = one_by_one(np.max(arrivals, axis=0))
    return times


def one_by_one(times: np.ndarray) -> np.ndarray:
    """No earlier, and each later than the one before."""
    places = np.arange(len(times))
    later: np.ndarray = np.maximum.accumulate(times - places) + places
    return later


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
    if len(layer.inputs) == 1:
        return 0
    produced = np.searchsorted(times[tensor], times[layer.output], side="right")
    needed = operator(layer.op).needed_of(layer, graph, position)
    consumed = np.arange(len(produced)) if needed is None else np.concatenate([[0], needed[:-1]])
    return int((produced - consumed).max())


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
