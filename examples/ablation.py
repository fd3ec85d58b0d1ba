"""What is each optimisation worth? Switch them off one at a time: `python -m examples.ablation
[MODEL.onnx]`."""

from __future__ import annotations

import sys

import hlsgen
from hlsgen.model.estimate import estimate
from hlsgen.plan import OPTIMISATIONS
from hlsgen.zoo import network


def main() -> None:
    """Print the predicted throughput without each optimisation, against the design with all of
    them."""
    graph = hlsgen.load(sys.argv[1] if len(sys.argv) > 1 else network("lenet5"))
    style = hlsgen.schedule(graph).style
    whole = estimate(graph, hlsgen.schedule(graph, style=style)).throughput
    print(f"{style}, all optimisations: {whole:,.0f} images a second")
    for name, meaning in OPTIMISATIONS.items():
        found = estimate(graph, hlsgen.schedule(graph, style=style, disable=[name])).throughput
        print(f"without {name:18} {found / whole:7.1%}  ({meaning})")


if __name__ == "__main__":
    main()
