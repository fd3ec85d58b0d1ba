"""A network's designs on PAC D5005, float32: from the base to the best, one optimisation after
another, in all styles, with roofline and least bandwidth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import hlsgen
from benchmarks.prose import paragraph
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
HEAD = (
    "| design | images/s | band | latency, ms | ALMs | memory blocks | DSPs | MHz | of roofline | "
    "least GB/s |\n" + "|---" * 10 + "|"
)


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


def lines(name: str) -> Iterator[str]:
    """A network's table, and what there is to say of it."""
    graph = hlsgen.load_graph(network(name))
    found = rows(graph)
    yield HEAD
    yield from map(line, found)
    if found[-1].behind:
        yield f"\n{paragraph(found[-1].behind)}"
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
    yield f"\n{paragraph(said)}"


def changes(name: str) -> Iterator[str]:
    """A network's optimisations, each with what the audit sees change in the text."""
    yield f"| {name} | images/s | gain | II | loops of a sum | units | MB an image |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    yield from ladder(hlsgen.load_graph(network(name)))
