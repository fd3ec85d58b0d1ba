"""The base of the published flow (TVM's plain kernels) beside ours, by the laws of plain loops:
`python -m benchmarks.published_base`.

Both are a kernel a layer through global memory. TVM's feature maps lie channel after channel, so a
sum passes through the input channels first and through a row of the window last; ours lie pixel
after pixel, and the channels come last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import hlsgen
from benchmarks.model.plain_kernels import LINE
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.plain import PlainNest
from hlsgen.model.plain_loops import nest_cycles
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.zoo import network

NETWORKS = ("lenet5", "mobilenetv1", "resnet34")
# Cycles from one addition to the next on Stratix 10.
INTERVAL = 4
# The middle of 51 bitstreams of CNN kernels that TVM generated for a Stratix 10 (pc2/CustoNN2).
MHZ = 196
# What the published flow gained at most (arXiv 2203.04015), and the multipliers of its 1x1
# convolutions of MobileNetV1.
GAIN, MULTIPLIERS = 846, 896


@dataclass(frozen=True)
class Base:
    """Cycles of an image in our base kernels and in TVM's, and its multiply-accumulates."""

    network: str
    ours: float
    tvm: float
    macs: int

    @property
    def row(self) -> str:
        """In Markdown: cycles a multiply-accumulate of both; images a second of TVM's base, 846
        times as many, and what 896 multipliers could do at most."""
        rate = MHZ * 1e6 / self.tvm
        most = MHZ * 1e6 * MULTIPLIERS / self.macs
        return (
            f"| {self.network} | {self.ours / self.macs:.2f} | {self.tvm / self.macs:.2f} "
            f"| {rate:,.3g} | {GAIN * rate:,.0f} | {most:,.0f} |"
        )


HEAD = """| network | cycles a MAC, base here | in TVM's order | images/s | 846 times | most |
|---|---:|---:|---:|---:|---:|"""


def base(name: str) -> Base:
    """Both bases of a network of the zoo."""
    graph = hlsgen.load_graph(network(name))
    plan = hlsgen.schedule(graph, style="base")
    ours = sum(
        nest_cycles(n, INTERVAL) for layer in graph.layers for n in nests(layer, graph, plan)
    )
    tvm = sum(tvm_cycles(layer, graph, plan) for layer in graph.layers)
    macs = sum(operator(layer.op).work(layer, graph).macs for layer in graph.layers)
    return Base(name, ours, tvm, macs)


def nests(layer: Layer, graph: Graph, plan: Plan) -> tuple[PlainNest, ...]:
    """The loops of our base kernel."""
    return operator(layer.op).layered_nests(layer, graph, plan.kernel(layer.name))


def tvm_cycles(layer: Layer, graph: Graph, plan: Plan) -> float:
    """A layer in TVM's order. Where a sum passes through a window and channels, the window's rows
    are the innermost runs, whose first words miss the cache as far as the window moves."""
    window = getattr(layer.attributes, "window", None)
    moved = 4 * window.stride[1] / LINE if window else 0.0
    turned = [replace(n, sums=n.sums[-1:] + n.sums[:-1]) for n in nests(layer, graph, plan)]
    return sum(nest_cycles(nest, INTERVAL, min(moved, 1.0)) for nest in turned)


def main() -> None:
    """Print the table."""
    print(HEAD)
    for name in NETWORKS:
        print(base(name).row, flush=True)


if __name__ == "__main__":
    main()
