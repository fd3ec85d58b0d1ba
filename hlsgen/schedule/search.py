"""The search for pipelined designs: vector widths and unrolled windows of all layers together, with OR-tools' CP-SAT.

Every tensor class has a width, every layer one option (input width, output width, window unrolled or not) that agrees with the
widths of its tensors. An option's ALMs, memory blocks and DSPs add up under the caps. For the highest throughput the slowest
layer's cycles are bisected: is there a design in which no layer needs more than T? The last "no" proves the last "yes" optimal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import PlanError
from hlsgen.graph import Graph, Layer
from hlsgen.hardware import Fifo, Lsu
from hlsgen.ops import operator
from hlsgen.plan import EdgePlan, KernelPlan, Plan
from hlsgen.schedule.choices import WIDTHS, Choice, partial_sums
from hlsgen.schedule.fifo import depth, pixel_times
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined_timing import pipelined_cycles, shares
from hlsgen.schedule.resources import costs, fifo_cost, kernel_cost, lsu_cost
from hlsgen.schedule.structure import BITS, WEIGHT_FIFO, collected, pipelined_kernels

# Resources in the solver are whole numbers: ALMs, and hundredths of memory blocks and DSPs.
SCALE = np.array([1, 100, 100])


@dataclass(frozen=True)
class Option:
    """One way to build a layer: its kernel, cycles an image, and (ALMs, blocks, DSPs) scaled by SCALE."""

    kernel: KernelPlan
    cycles: int
    cost: tuple[int, ...]


# Options of layers that were built before, by all that they depend on within one search.
Known = dict[Any, tuple[Option, ...]]


@dataclass(frozen=True)
class Problem:
    """Options of every layer, cost of every tensor class's channels at each width, fixed costs and limits."""

    options: dict[str, tuple[Option, ...]]
    widths: dict[str, tuple[int, ...]]
    channels: dict[tuple[str, int], tuple[int, ...]]
    limits: tuple[int, ...]
    ends: dict[str, tuple[str, str]]
    leads: dict[str, float]


def solve(problem: Problem, board: Board, goal: Goal) -> tuple[Choice, str]:
    """The best choice for a goal, and a sentence on how good it is. Raises PlanError when nothing fits."""
    levels = sorted({option.cycles for options in problem.options.values() for option in options})
    floor = max(min(option.cycles for option in options) for options in problem.options.values())
    levels = [level for level in levels if level >= floor]
    if goal.objective == "resources":
        allowed = [
            level for level in levels if goal.copies * board.device.fmax_low * 1e6 / level >= goal.fps
        ] or levels[:1]
        target, proof = allowed[-1], f"Fewest resources for {goal.fps:,.0f} images a second even at the lowest clock."
    else:
        target, proof = bisect(problem, levels, goal)
    found = run(problem, target, goal, fewest=goal.objective != "latency", latency=goal.objective == "latency")
    if found is None:
        found = run(problem, target, goal, fewest=False)
    if found is None:
        raise smallest_is_too_large(problem, board, goal)
    widths = {name: found[name] for name in problem.widths}
    unrolled = frozenset(layer for layer in problem.options if found[f"{layer} unrolled"])
    folds = {layer: found[f"{layer} fold"] for layer in problem.options}
    skips = {layer: found[f"{layer} skip"] for layer in problem.options}
    at_onces = {layer: found[f"{layer} at once"] for layer in problem.options}
    return Choice(widths, unrolled, folds, skips, at_onces), proof


def bisect(problem: Problem, levels: list[int], goal: Goal) -> tuple[int, str]:
    """The least cycles of the slowest layer that a design within the caps reaches, and the proof or the gap."""
    low, high, proven = 0, len(levels) - 1, True
    if run(problem, levels[high], goal, fewest=False) is None:
        return levels[high], ""
    while low < high:
        middle = (low + high) // 2
        status: list[bool] = []
        if run(problem, levels[middle], goal, fewest=False, decided=status) is not None:
            high = middle
        else:
            proven = proven and status[0]
            low = middle + 1
    if proven:
        return levels[
            high
        ], "No choice of vector widths and unrolled windows within the caps has a faster slowest kernel (proven)."
    bound = max(min(option.cycles for option in options) for options in problem.options.values())
    gap = levels[high] / bound - 1
    return levels[
        high
    ], f"The search ran into its time limit: a slowest kernel up to {gap:.0%} faster is not ruled out."


def smallest_is_too_large(problem: Problem, board: Board, goal: Goal) -> PlanError:
    """What is short, from the least cost of every layer."""
    least = np.sum([np.min([o.cost for o in options], axis=0) for options in problem.options.values()], axis=0) / SCALE
    limits = np.array(problem.limits) / SCALE
    names = ("ALMs", "memory blocks", "DSPs")
    worst = int(np.argmax(least / np.maximum(limits, 1)))
    if least[worst] > limits[worst]:
        text = f"needs {ceil(least[worst]):,} {names[worst]}; {int(limits[worst]):,} may be used"
    else:
        text = "needs more ALMs, memory blocks and DSPs together than may be used"
    if goal.pins:
        return PlanError(
            f"{text}, or what --set fixes contradicts itself",
            where=f"pipelined design on {board.name}",
            remedy="a tensor has one width: the unroll_oc of its producer is the unroll_ic of its consumers",
        )
    return PlanError(text, where=f"pipelined design on {board.name}", remedy="use --style folded, or a larger board")


# ---- the model


def build_problem(
    graph: Graph, board: Board, plan: Plan, goal: Goal, classes: dict[str, str], known: Known | None = None
) -> Problem:
    """All options with their costs; `known` remembers those of layers that several graphs have. Raises PlanError when pins leave a layer without any."""
    check_pins(graph, goal)
    tile = plan.enabled("unroll") and plan.enabled("tile")
    possible = WIDTHS if tile else (1,)
    widths = {name: legal_widths(graph, classes, name, possible) for name in dict.fromkeys(classes.values())}
    convert = fit_matrix(goal)
    options, known = {}, {} if known is None else known
    for layer in graph.layers:
        source, result = classes[layer.inputs[0]], classes[layer.output]
        pins = tuple(sorted(item for item in goal.pins.items() if item[0][0] == layer.name))
        key = layer.name, source == result, widths[source], widths[result], len(graph.consumers[layer.output]), pins
        if key not in known:
            known[key] = layer_options(layer, graph, board, plan, goal, classes, widths, convert)
        options[layer.name] = known[key]
    times = pixel_times(graph)
    channels = {
        (name, width): scaled(convert @ channel_cost(graph, board, plan, classes, name, width, times))
        for name in widths
        for width in widths[name]
    }
    caps, device = goal.caps, board.device
    fixed = scaled(convert @ fixed_cost(graph, board, plan))  # of all copies
    totals = np.array([device.alms * caps.alms - board.reserved_alms, device.blocks * caps.blocks - board.reserved_blocks,
                       board.available_dsps * caps.dsps])  # fmt: skip
    if plan.disabled:
        totals = totals * 1000  # an ablated design need not fit
    limits = tuple(int(v) // plan.copies for v in np.floor(totals * SCALE) - np.array(fixed))
    ends = {layer.name: (classes[layer.inputs[0]], classes[layer.output]) for layer in graph.layers}
    leads = {layer.name: shares(layer, graph)[0] for layer in graph.layers}
    return Problem(options, widths, channels, limits, ends, leads)


def check_pins(graph: Graph, goal: Goal) -> None:
    """Raise PlanError for pins of layers that do not exist."""
    known = {layer.name for layer in graph.layers}
    for owner, name in goal.pins:
        if owner not in ("engines", "front") and owner not in known:
            raise PlanError(
                f"the network has no layer {owner!r}",
                where=f"--set {owner}.{name}",
                remedy="layers: build -v lists them",
            )


def legal_widths(graph: Graph, classes: dict[str, str], name: str, possible: Iterable[int]) -> tuple[int, ...]:
    """Widths that all kernels at a class's tensors can handle, none wider than twice its channels."""
    members = [graph.tensors[tensor] for tensor, owner in classes.items() if owner == name]
    widest = max(tensor.channels for tensor in members)
    found = []
    for width in possible:
        if width > 1 and width >= 2 * widest:
            continue
        if all(
            operator(layer.op).legal_widths(layer, tensor, width)
            for tensor in members
            for layer in graph.layers
            if tensor.name in (*layer.inputs, layer.output)
        ):
            found.append(width)
    return tuple(found)


def layer_options(
    layer: Layer, graph: Graph, board: Board, plan: Plan, goal: Goal, classes: dict[str, str],
    widths: dict[str, tuple[int, ...]], convert: np.ndarray,
) -> tuple[Option, ...]:  # fmt: skip
    """Every kernel of a layer that pins allow, with cycles and cost."""
    source, result = classes[layer.inputs[0]], classes[layer.output]
    windows = (False, True) if plan.enabled("unroll") and hasattr(layer.attributes, "window") else (False,)
    if plan.enabled("unroll") and hasattr(layer.attributes, "counted_pads"):
        windows = (True,)  # pooling always reduces its whole window at once
    found = []
    for width in widths[source]:
        for output in (width,) if source == result else widths[result]:
            for window in windows:
                choices = kernels_of(layer, graph, plan, KernelPlan(layer.name, width, output, window))
                found += undominated([option(layer, graph, board, plan, k, convert) for k in choices if goal.allows(k)])
    if not found:
        raise PlanError(
            "its layer cannot be built so",
            where=f"--set {layer.name}",
            remedy="choose other factors: powers of two up to 16",
        )
    return tuple(found)


def undominated(options: list[Option]) -> list[Option]:
    """The options of one pair of widths without those that another beats, or equals, in time and in every resource."""
    ordered = sorted(options, key=lambda o: (o.cycles, sum(o.cost)))
    kept: list[Option] = []
    for option in ordered:
        if not any(all(a <= b for a, b in zip(best.cost, option.cost, strict=True)) for best in kept):
            kept.append(option)
    return kept


def kernels_of(layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan) -> list[KernelPlan]:
    """The kernels of given widths: folded or not, skipping zeros or not, with one input vector a turn or several."""
    op, free = operator(layer.op), plan.enabled("fuse") and plan.enabled("tile")
    shapes = [replace(kernel, fold=fold) for fold in (op.folds(layer, kernel) if free else (1,))]
    if free and plan.enabled("unroll") and plan.enabled("cached_writes"):
        shapes += [replace(kernel, skip=skip) for skip in op.skips(layer, graph, kernel) if skip]
        shapes += [replace(kernel, at_once=count) for count in op.at_onces(layer, graph, kernel) if count > 1]
    return [replace(shape, partial_sums=partial_sums(*op.reduction(layer, graph, shape))) for shape in shapes]


def option(layer: Layer, graph: Graph, board: Board, plan: Plan, kernel: KernelPlan, convert: np.ndarray) -> Option:
    """Cycles and cost of one kernel, with its share of the weight loader."""
    readers = [EdgePlan(layer.output, c.name, 0, kernel.output_width, 1) for c in graph.consumers[layer.output]]
    one = replace(plan, kernels=(kernel,), edges=tuple(readers))
    cost = sum((kernel_cost(k, board.device) for k in pipelined_kernels(layer, graph, one)), np.zeros(5))
    if kernel.at_once > 1:
        cost = cost + fifo_cost(collected(kernel, BITS[plan.dtype]), board.device)
    if layer.weights:
        cost = cost + fifo_cost(Fifo("weights", BITS[plan.dtype], WEIGHT_FIFO), board.device)
    return Option(kernel, pipelined_cycles(layer, graph, kernel, plan, board), scaled(convert @ cost))


def channel_cost(
    graph: Graph, board: Board, plan: Plan, classes: dict[str, str], name: str, width: int, times: dict[str, np.ndarray]
) -> np.ndarray:
    """Cost of all channels of a class's tensors at a width."""
    total = np.zeros(5)
    for tensor in (t for t, owner in classes.items() if owner == name):
        readers = [(layer.name, i) for layer in graph.layers for i, name in enumerate(layer.inputs) if name == tensor]
        readers += [("", 0)] * sum(port.tensor == tensor for port in graph.outputs)
        for reader, position in readers:
            fifo = Fifo(tensor, width * BITS[plan.dtype], depth(tensor, reader, position, width, graph, times))
            total = total + fifo_cost(fifo, board.device)
    return total


def fixed_cost(graph: Graph, board: Board, plan: Plan) -> np.ndarray:
    """Readers, writers and the weight loader at their widest, and the interconnect."""
    device, table = board.device, costs(board.device.family)
    vector = WIDTHS[-1] * BITS[plan.dtype]
    lsus = (
        [Lsu("in", vector)] * len(graph.inputs) * plan.copies
        + [Lsu("out", vector, store=True)] * len(graph.outputs) * plan.copies
        + [Lsu("weights", 32)]
    )
    total = table["interconnect"] + len(lsus) * (
        table["interconnect_per_lsu"] + table["launched_kernel"] + 3 * table["loop"]
    )
    return (
        total + sum((lsu_cost(lsu, device) for lsu in lsus), np.zeros(5)) + len(lsus) * np.array([1000, 1500, 0, 0, 0])
    )


def fit_matrix(goal: Goal) -> np.ndarray:
    """From (ALUT, FF, RAM, DSP, MLAB) to (ALM, blocks, DSPs)."""
    c = goal.calibration
    return np.array([c.alm, (0, 0, c.ram, 0, 0), (0, 0, 0, c.dsp, 0)])


def scaled(cost: np.ndarray) -> tuple[int, ...]:
    """Rounded up to the solver's whole numbers; what exceeds any device by far is as good as infinite."""
    return tuple(int(v) for v in np.minimum(np.ceil(cost * SCALE - 1e-9), 1 << 40))


# ---- CP-SAT


def run(
    problem: Problem, target: int, goal: Goal, fewest: bool, latency: bool = False, decided: list[bool] | None = None
) -> dict[str, int] | None:
    """A design in which no layer needs more than `target` cycles: any, the one with the fewest resources, or the one with the
    least latency. None if there is none (or none was found in time: `decided` then holds False)."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    width = {(n, w): model.new_bool_var(f"{n} {w}") for n, ws in problem.widths.items() for w in ws}
    for name, possible in problem.widths.items():
        model.add_exactly_one(width[name, w] for w in possible)
    chosen: list[tuple[Any, Option]] = []
    for layer, options in problem.options.items():
        mine = [(model.new_bool_var(""), option) for option in options if option.cycles <= target]
        if not mine:
            if decided is not None:
                decided.append(True)
            return None
        chosen += mine
        model.add_exactly_one(variable for variable, _ in mine)
        source, result = problem.ends[layer]
        for name, side in ((source, "input_width"), (result, "output_width")):
            for w in problem.widths[name]:
                model.add(sum(v for v, option in mine if getattr(option.kernel, side) == w) == width[name, w])
    used = [total(chosen, width, problem, i) for i in range(3)]
    for amount, limit in zip(used, problem.limits, strict=True):
        model.add(amount <= max(limit, 0))
    if latency:
        model.minimize(
            sum(int(option.cycles * (1 + 100 * problem.leads[option.kernel.layer])) * v for v, option in chosen)
        )
    elif fewest:
        shares = [max(1, 10**6 // max(limit, 1)) for limit in problem.limits]
        model.minimize(sum(share * amount for share, amount in zip(shares, used, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = goal.seconds
    solver.parameters.num_workers = 1  # with more, equal inputs could give different designs
    solver.parameters.random_seed = 1
    solver.parameters.relative_gap_limit = 0.005
    status = solver.solve(model)
    if decided is not None:
        decided.append(status != cp_model.UNKNOWN)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    found = {name: next(w for w in ws if solver.value(width[name, w])) for name, ws in problem.widths.items()}
    kernels = [option.kernel for v, option in chosen if solver.value(v)]
    found |= {f"{kernel.layer} unrolled": int(kernel.unroll_window) for kernel in kernels}
    found |= {f"{kernel.layer} skip": kernel.skip for kernel in kernels}
    found |= {f"{kernel.layer} at once": kernel.at_once for kernel in kernels}
    return found | {f"{kernel.layer} fold": kernel.fold for kernel in kernels}


def total(chosen: list[tuple[Any, Option]], width: dict[tuple[str, int], Any], problem: Problem, index: int) -> Any:
    """Linear expression of one resource."""
    return sum(option.cost[index] * v for v, option in chosen) + sum(
        problem.channels[key][index] * v for key, v in width.items()
    )
