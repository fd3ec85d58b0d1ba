"""The figures of docs/results.md: `python -m benchmarks.results > docs/results.md`. Predictions of
the model, and CPU runs beside them.

On PAC D5005, float32: every network from base to the best design, one optimisation after another,
in both styles; roofline and least bandwidth; images a second that onnxruntime reaches on one thread
of this machine (and TVM, where apache-tvm is installed).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

import hlsgen
from benchmarks import published_base
from benchmarks.prose import paragraph
from benchmarks.sparsify.fps import lines as sparse_lines
from examples.ablation import seen
from hlsgen.boards import board as find_board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.model.resources import Caps
from hlsgen.model.times import rate
from hlsgen.plan import OPTIMISATIONS, Plan
from hlsgen.rewrites.prefix import has_prefix, prefixes
from hlsgen.schedule.folded.steps import feeding_layers
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.provenance import headline, throughput_band
from hlsgen.zoo import network

BOARD = "pac_d5005"
NETWORKS = ("lenet5", "mobilenetv1", "resnet18", "resnet34", "mobilenetv2", "resnet50")
GOALS = {"lenet5": 100_000, "mobilenetv1": 1_000, "resnet34": 150}
# A launch of the designs that share weights among images.
IMAGES = 16
# Copies of a pipelined design that are tried.
COPIES = (2, 3, 4, 5, 6, 8, 10, 12, 16)
# Switched on one after another; the rest stays off.
LADDER = (
    ("cached_writes",),
    ("fuse",),
    ("unroll",),
    ("tile",),
    ("channels", "parameterised"),
    ("autorun", "concurrent_queues", "relaxed_fp"),
)


# Networks whose steps are set beside what the audit sees of them.
LADDER_NETWORKS = ("lenet5", "mobilenetv1")
LADDER_HEAD = """The rows above up to the pipelined design, with what the audit sees in their text:
the largest initiation interval of an innermost loop (*II*), the most loops that one sum passes
through, units of global memory. [model.md](model.md) has the laws."""

PUBLISHED = """
The published flow reports up to 846 times between its base and its best accelerators, not of which
network, and no absolute base figure. Its base kernels are TVM's. By the laws of plain kernels these
cost, at 196 MHz (the middle of 51 such bitstreams), what the table says. In TVM's order the window
is innermost, and a 3x3 convolution takes 12 cycles a multiply-accumulate; here the channels are,
and it takes 4.3: a base of ours is up to three times as fast, and what is measured against it gains
that much less. *846 times*: images a second of that base times 846. *Most*: what the 896
multipliers of its 1x1 convolutions of MobileNetV1 could do at that clock. In all three networks 846
times the base is less, so nothing contradicts the published figure. Ours is larger because the
designs are faster, not because the base is slower: they use up to 5,184 multipliers, and the layers
of a pipeline work at the same time."""


@dataclass(frozen=True)
class Row:
    """One line of a network's table; for a hybrid design with a prefix also what is behind it."""

    title: str
    predicted: Estimate | None
    why: str = ""
    behind: str = ""
    band: tuple[float, float] = (0.0, 0.0)


def rows(graph: Graph) -> list[Row]:
    """From base to the finished designs."""
    found = [row(graph, "base", "base", [])]
    for style in ("pipelined", "folded"):
        on: list[str] = []
        for step in LADDER:
            on += step
            if step[0] in ("cached_writes", "fuse", "unroll", "tile") and style == "folded":
                # until channels are switched on, both styles are the same kernels through global
                # memory
                continue
            disable = [name for name in OPTIMISATIONS if name not in on]
            title = (
                f"{style}: + {', '.join(step)}"
                if step[0] == "channels" or not disable
                else f"+ {', '.join(step)}"
            )
            found.append(row(graph, title if disable else f"**{style}**", style, disable))
        if style == "pipelined" and (copied := best_of_copies(graph, found[-1])):
            found.append(copied)
        if style == "folded":
            found.append(row(graph, f"**folded, {IMAGES} images a launch**", style, [], IMAGES))
    if feeding_layers(graph) or any(prefixes(graph)):
        one = row(graph, "**hybrid**", "hybrid", [])
        several = row(graph, f"**hybrid, {IMAGES} images a launch**", "hybrid", [], IMAGES)
        found += [
            item for item in (one, several) if item.predicted
        ]  # a network may have neither pairs nor a prefix that helps
    return found


def best_of_copies(graph: Graph, one: Row) -> Row | None:
    """The fewest copies of the pipelined design that together do the most, where more than one fit
    the board."""
    best = one
    for copies in COPIES:
        if (
            one.predicted is None
            or 2 * max(one.predicted.resources.shares(find_board(BOARD)).values()) > Caps().dsps
        ):
            break  # half the board is not free
        more = row(graph, f"**pipelined, {copies} copies**", "pipelined", [], copies=copies)
        assert best.predicted is not None
        if more.predicted is None or more.predicted.throughput < 1.01 * best.predicted.throughput:
            break
        best = more
    return best if best is not one else None


def row(
    graph: Graph, title: str, style: str, disable: list[str], images: int = 1, copies: int = 1
) -> Row:
    """Plan and predict; a design that does not fit says so."""
    goal = Goal(images=images, copies=copies)
    try:
        plan = hlsgen.schedule(graph, board=BOARD, style=style, disable=disable, goal=goal)
    except PlanError as error:
        return Row(title, None, error.reason)
    predicted = headline(graph, plan, goal.calibration)
    behind = behind_prefix(graph, plan, predicted) if has_prefix(plan) else ""
    band = throughput_band(graph, plan, predicted, goal.calibration)
    return Row(title, predicted, behind=behind, band=band)


def behind_prefix(graph: Graph, plan: Plan, predicted: Estimate) -> str:
    """How much of the engines' time behind a prefix their multipliers work: what they rest is the
    most that other groups could gain there."""
    prefix = {kernel.layer for kernel in plan.kernels}
    rest = [item for item in predicted.timing.layers if item.name not in prefix]
    share = sum(item.ideal_cycles for item in rest) / sum(item.cycles for item in rest)
    if not share:
        return ""  # nothing behind it multiplies
    return (
        f"Behind the {len(prefix)} layers of the prefix, with {plan.images} images a "
        f"launch, the engines' multipliers work {share:.0%} of the time."
    )


def onnxruntime_rate(model: onnx.ModelProto, graph: Graph) -> float:
    """Images a second of onnxruntime on one thread: the best of several runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {
        i.name: np.random.default_rng(0).standard_normal(i.shape).astype(np.float32)
        for i in session.get_inputs()
    }
    count = max(1, int(2e9 / max(sum(t.size for t in graph.tensors.values()) * 300, 1)))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(min(count, 200)):
            session.run(None, feed)
        best = min(best, (time.perf_counter() - started) / min(count, 200))
    return 1 / best


def tvm_rate(model: onnx.ModelProto) -> str:
    """Images a second of TVM, untuned, on one thread, as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        found = subprocess.run(
            [sys.executable, "-m", "benchmarks.tvm_rate", str(path)], capture_output=True, text=True
        )
    return (
        f"{rate(float(found.stdout))} images a second" if found.returncode == 0 else "not installed"
    )


def line(item: Row) -> str:
    """One row of Markdown."""
    p = item.predicted
    if p is None:
        return f"| {item.title} | does not fit: {item.why} |" + " |" * 8
    r, target = p.resources, find_board(BOARD)
    shares = " | ".join(f"{share:.0%}" for share in r.shares(target).values())
    fits = "" if all(share <= 1 for share in r.shares(target).values()) else " (does not fit)"
    return (
        f"| {item.title}{fits} | {rate(p.throughput)} "
        f"| {' to '.join(map(rate, item.band))} | {p.latency * 1e3:.3g} | {shares} "
        f"| {r.fmax:.0f} | "
        f"{'' if fits else roofline_shares(p)} | {p.least_bandwidth:.3g} |"
    )


def roofline_shares(p: Estimate) -> str:
    """Shares of the roofline at the predicted and at the fixed clock."""
    return f"{p.throughput / p.roofline_fps:.0%} ({p.throughput / p.fixed_roofline_fps:.0%})"


def ladder(graph: Graph) -> Iterator[str]:
    """Rows of Markdown: each optimisation's gain, and what the audit sees change in the text."""
    before, on = 0.0, list[str]()
    for step in ((), *LADDER):
        on += step
        disable = [name for name in OPTIMISATIONS if name not in on]
        style = "pipelined" if on else "base"
        plan = hlsgen.schedule(graph, board=BOARD, style=style, disable=disable if on else [])
        predicted, text = headline(graph, plan, Goal().calibration), seen(graph, plan)
        title = "+ " + ", ".join(step) if step else "base"
        gain = f"{predicted.throughput / before:.2f}" if before else ""
        before, moved = predicted.throughput, predicted.timing.bytes / 1e6
        yield (
            f"| {title} | {rate(before)} | {gain} | {text.interval} | {text.loops} "
            f"| {text.units} | {moved:.2f} |"
        )


def main() -> None:
    """Print the page."""
    print((Path(__file__).parent / "results_head.md").read_text())
    for name in NETWORKS:
        model = network(name)
        graph = hlsgen.load_graph(model)
        found = rows(graph)
        print(f"## {name}\n")
        print(
            "| design | images/s | band | latency, ms | ALMs | memory blocks | DSPs | MHz | of "
            "roofline | least GB/s |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        for item in found:
            print(line(item))
        if found[-1].behind:
            print(f"\n{paragraph(found[-1].behind)}")
        best = max(
            (r.predicted for r in found if r.predicted and r.title.startswith("**")),
            key=lambda p: p.throughput,
        )
        base = found[0].predicted
        assert base is not None
        said = (
            f"Best: {rate(best.throughput)} images a second, "
            f"{best.throughput / base.throughput:,.0f} times the base design; the bottleneck is "
            f"{best.timing.bottleneck}."
        )
        if name in GOALS:
            reached = "reached" if best.throughput >= GOALS[name] else "missed"
            said += (
                f" Goal {GOALS[name]:,}: {reached}; 75 % of the roofline: "
                f"{'reached' if best.throughput >= 0.75 * best.roofline_fps else 'missed'}."
            )
        said += (
            f" One thread of this machine: onnxruntime {rate(onnxruntime_rate(model, graph))} "
            f"images a second, TVM (untuned) {tvm_rate(model)}."
        )
        print(f"\n{paragraph(said)}\n", flush=True)
    print(f"## What each optimisation changes\n\n{paragraph(LADDER_HEAD)}")
    for name in LADDER_NETWORKS:
        print(f"\n| {name} | images/s | gain | II | loops of a sum | units | MB an image |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for text in ladder(hlsgen.load_graph(network(name))):
            print(text, flush=True)
    print(f"\n## The published flow\n\n{paragraph(PUBLISHED.strip())}\n")
    print(published_base.HEAD)
    for name in published_base.NETWORKS:
        print(published_base.base(name).row, flush=True)
    print()
    print("## Sparse networks\n")
    print(
        "Images a second with the same share of zeros in every layer; see "
        "[sparsification.md](sparsification.md).\n"
    )
    for text in sparse_lines():
        print(text, flush=True)
    print()
    print((Path(__file__).parent / "results_audit.md").read_text(), end="")


if __name__ == "__main__":
    main()
