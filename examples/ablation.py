"""What is each optimisation worth, and why? `python -m examples.ablation [MODEL.onnx]` switches
them off one at a time and sets beside the predicted rate what the audit sees in the text."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import hlsgen
from hlsgen.audit.design import audit_text
from hlsgen.graph import Graph
from hlsgen.model.estimate import estimate
from hlsgen.plan import OPTIMISATIONS, Plan
from hlsgen.zoo import network


@dataclass(frozen=True)
class Seen:
    """What the audit sees in a design's text: the largest initiation interval of an innermost loop,
    the most loops that one sum passes through, units of global memory."""

    interval: int
    loops: int
    units: int


def seen(graph: Graph, plan: Plan) -> Seen:
    """Audit the text of a plan. Raises AuditError where the extra `audit` is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        kernels = audit_text(hlsgen.generate(graph, plan, Path(folder) / "design").source)
    loops = [sum(nest.carried) for k in kernels for nest in k.nests]
    return Seen(max(k.interval[1] for k in kernels), max(loops), sum(len(k.units) for k in kernels))


def main() -> None:
    """Print a row for the design with all optimisations and for each without one."""
    graph = hlsgen.load_graph(sys.argv[1] if len(sys.argv) > 1 else network("lenet5"))
    style = hlsgen.schedule(graph).style
    print(f"{style:22} images/s    share  II  loops  units  MB an image")
    whole = 0.0
    for name in ("", *OPTIMISATIONS):
        plan = hlsgen.schedule(graph, style=style, disable=[name] if name else [])
        found, text = estimate(graph, plan), seen(graph, plan)
        whole = whole or found.throughput
        print(
            f"{f'without {name}' if name else 'all optimisations':22}"
            f"{found.throughput:11,.0f} {found.throughput / whole:6.1%} {text.interval:5}"
            f"{text.loops:7}{text.units:7}{found.timing.bytes / 1e6:10.2f}  "
            f"{OPTIMISATIONS.get(name, '')}"
        )


if __name__ == "__main__":
    main()
