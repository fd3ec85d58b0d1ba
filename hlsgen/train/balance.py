"""Chooses cuts so that the stages take equally long: times of the layers, by a model that always
says the same or measured, and traffic between workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import torch

from hlsgen.errors import PlanError
from hlsgen.frontend.training import Trainable
from hlsgen.graph import Graph
from hlsgen.ops import operators
from hlsgen.train.cut import Part, crossing, trained_layers
from hlsgen.train.layers import Tensor
from hlsgen.train.module import PartModule, canonical

# Runs of each layer, of which the fastest counts.
REPEATS = 3


# Of the model: floating-point operations and bytes a second of one thread. What counts for cuts is
# how they stand to each other.
FLOPS, BYTES = 6e10, 4e9


@dataclass(frozen=True)
class LayerTime:
    """Seconds of a minibatch's passes through one layer, its weights' update within `backward`."""

    name: str
    forward: float
    backward: float


def estimate_layers(graph: Graph, batch: int) -> list[LayerTime]:
    """What the layers' passes of a minibatch take by a model: arithmetic, and every value read and
    written once. A backward pass is twice the forward pass, for the gradients of inputs and of
    weights; a layer of pictures needs the latter alone."""
    pictures = {port.tensor for port in graph.inputs}
    found = []
    for layer in trained_layers(graph)[0]:
        values = sum(graph.tensors[name].size for name in (*layer.inputs, layer.output))
        known = operators().get(layer.op)  # what is there in training alone has no products
        macs = known.work(layer, graph).macs if known else 0
        forward = batch * (2 * macs / FLOPS + 4 * values / BYTES)
        found.append(
            LayerTime(layer.name, forward, forward * (1 if pictures & {*layer.inputs} else 2))
        )
    return found


def measure_layers(
    network: Trainable, inputs: Tensor, channels_last: bool = False
) -> list[LayerTime]:
    """Run the layers one by one on a minibatch, in one layout."""
    layers, _ = trained_layers(network.graph)
    values: dict[str, Tensor] = {
        port.tensor: canonical(inputs, port) for port in network.graph.inputs
    }
    pictures, found = set(values), []
    for layer in layers:
        module = PartModule(
            network,
            Part((layer,), layer.inputs, (layer.output,), False),
            str(inputs.device),
            channels_last,
        )
        module.mode.training = True
        # Nobody wants the gradient of the network's own input.
        entering = [
            module.laid_out(values[name]).detach().requires_grad_(name not in pictures)
            for name in layer.inputs
        ]
        leaves = [x for x in entering if x.requires_grad]
        forward, backward = [], []
        for _ in range(REPEATS):
            start = perf_counter()
            (result,) = module(*entering)
            middle = perf_counter()
            weights = list(module.weights.values())
            if result.requires_grad:
                torch.autograd.backward(result, torch.ones_like(result), inputs=[*leaves, *weights])
            with torch.no_grad():
                for weight in weights:
                    if weight.grad is not None:
                        weight.data.add_(weight.grad, alpha=0.0)  # as long as an update takes
            forward.append(middle - start)
            backward.append(perf_counter() - middle)
        values[layer.output] = result.detach()
        found.append(LayerTime(layer.name, min(forward), min(backward)))
    return found


def crossing_bytes(graph: Graph, place: int, batch: int) -> int:
    """Bytes of a minibatch that a cut before a place sends forward, and as gradients back."""
    layers, scores = trained_layers(graph)
    return (
        8 * batch * sum(graph.tensors[name].size for name in crossing(graph, layers, scores, place))
    )


def choose_cuts(
    graph: Graph, times: Sequence[LayerTime], stages: int, batch: int, bandwidth: float
) -> list[str]:
    """The layers to cut after, so that the slowest stage, its sending included, is as fast as can
    be; of equals the least traffic.

    `bandwidth` is in bytes a second. Dynamic programming over the places; raises PlanError for more
    stages than layers.
    """
    count = len(times)
    if stages > count:
        raise PlanError(
            f"{stages} stages of {count} layers", where="--workers", remedy="use fewer workers"
        )
    compute = [0.0]
    for time in times:
        compute.append(compute[-1] + time.forward + time.backward)
    sending = [
        0.0,
        *(crossing_bytes(graph, place, batch) / bandwidth for place in range(1, count)),
        0.0,
    ]
    best: list[dict[int, tuple[float, float, list[int]]]] = [{0: (0.0, 0.0, [])}]
    for stage in range(1, stages + 1):
        row: dict[int, tuple[float, float, list[int]]] = {}
        for end in range(stage, count - (stages - stage) + 1):
            options = [
                (
                    max(slowest, compute[end] - compute[start] + sending[start] + sending[end]),
                    traffic + sending[end],
                    [*cuts, end],
                )
                for start, (slowest, traffic, cuts) in best[-1].items()
                if start < end
            ]
            row[end] = min(options, key=lambda option: option[:2])
        best.append(row)
    return [times[place - 1].name for place in best[-1][count][2][:-1]]


def seconds_of(times: Sequence[LayerTime]) -> float:
    """All layers' passes of a minibatch."""
    return sum(time.forward + time.backward for time in times)
