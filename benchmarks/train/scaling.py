"""More workers than this machine has: python -m benchmarks.train.scaling [--networks ...]

Measures each network's layers, cuts it for 2, 4 and 8 workers, and lets the simulator run the
schedules with those times.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import torch

from benchmarks.train.runs import NETWORKS, table
from hlsgen.frontend.training import load_for_training
from hlsgen.train.balance import LayerTime, choose_cuts, crossing_bytes, measure_layers
from hlsgen.train.simulate import StageTime, gpipe, pipelined, sequential
from hlsgen.train.trainer import BANDWIDTH
from hlsgen.zoo import network

BATCH, MINIBATCHES, MICROBATCHES = 128, 100, 4


def stage_times(name: str, stages: int, times: list[LayerTime]) -> list[StageTime]:
    """The stages of a network that is cut so that they take equally long."""
    graph = load_for_training(network(name)).graph
    layers = [time.name for time in times]
    cuts = choose_cuts(graph, times, stages, BATCH, BANDWIDTH)
    bounds = [0, *(layers.index(cut) + 1 for cut in cuts), len(layers)]
    found = []
    for a, b in pairwise(bounds):
        sending = crossing_bytes(graph, b, BATCH) / 2 / BANDWIDTH if b < len(layers) else 0.0
        found.append(
            StageTime(
                sum(t.forward for t in times[a:b]), sum(t.backward for t in times[a:b]), sending
            )
        )
    return found


def main() -> None:
    """Measure, simulate, print speed-ups over one worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default="vgg16,resnet20,resnet56")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.networks.split(","):
        net = load_for_training(network(name))
        shape = net.graph.inputs[0].image_shape
        times = measure_layers(
            net, torch.rand(BATCH, *shape[1:]), name in NETWORKS and name.startswith("resnet")
        )
        for workers in (2, 4, 8):
            stages = stage_times(name, workers, times)
            one = sequential(stages, MINIBATCHES)
            slowest = max(s.forward + s.backward for s in stages)
            piped, piped_micro = (
                pipelined(stages, MINIBATCHES),
                gpipe(stages, MINIBATCHES, MICROBATCHES),
            )
            rows.append(
                [
                    name,
                    str(workers),
                    f"{one / piped:.2f}",
                    f"{one / piped_micro:.2f}",
                    f"{one / MINIBATCHES / slowest / workers:.0%}",
                ]
            )
    print(
        table(
            ["network", "workers", "pipelined", f"GPipe, {MICROBATCHES} microbatches", "balance"],
            rows,
        )
    )


if __name__ == "__main__":
    main()
