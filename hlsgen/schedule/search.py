"""The search for pipelined designs: vector widths and unrolled windows of all layers together, with OR-tools' CP-SAT.

Every tensor class has a width, every layer one option (input width, output width, window unrolled or not) that agrees with the
widths of its tensors. An option's ALMs, memory blocks and DSPs add up under the caps. For the highest throughput the slowest
layer's cycles are bisected: is there a design in which no layer needs more than T? The last "no" proves the last "yes" optimal.
"""

from __future__ import annotations

from bisect import bisect_right
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
from hlsgen.ops.base import vectors
from hlsgen.ops.sparse import WORTHWHILE
from hlsgen.plan import EdgePlan, KernelPlan, Plan
from hlsgen.schedule.bursts import Bursts, bursts
from hlsgen.schedule.choices import WIDTHS, Choice, partial_sums
from hlsgen.schedule.fifo import depth, pixel_times
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined_timing import pipelined_cycles, shares
from hlsgen.schedule.resources import clock_of, costs, fifo_cost, kernel_cost, lsu_cost
from hlsgen.schedule.structure import BITS, WEIGHT_FIFO, collected, pipelined_kernels, streamed, transfer

# Resources in the solver are whole numbers: ALMs, and hundredths of memory blocks and DSPs.
SCALE = np.array([1, 100, 100])
# Among more levels than that the search ends when none can be faster by more than this.
LEVELS, GAP = 1000, 0.005
# The first targets, in parts of the least cycles that there can be.
STEPS = (1.1, 1.3, 2, 4)
# So many readers and more share memory as badly as can be.
MANY = 3
# Lanes of the vectors of convolutions whose weights stream from memory: narrow ones would take long for a strip's rows, wide ones leave less choice of how many
# vectors are multiplied at once.
STREAMED_WIDTHS = (4, 8)
# Strips that the search tries: more take weights from memory too often.
STRIPS = (1, 2, 7)


@dataclass(frozen=True)
class Option:
    """One way to build a layer: its kernel, cycles an image, (ALMs, blocks, DSPs) scaled by SCALE, bytes of weights that it takes from memory for an
    image, and the share of its input that it needs before its first output."""

    kernel: KernelPlan
    cycles: int
    cost: tuple[int, ...]
    bytes: int = 0
    lead: float = 0.0


# An option of a layer under way to the solver, with the variable that says whether it is chosen.
Chosen = tuple[str, Any, Option]
# Options of layers that were built before, by all that they depend on within one search.
Known = dict[Any, tuple[Option, ...]]


@dataclass(frozen=True)
class Problem:
    """Options of every layer, cost of every tensor class's channels at each width, fixed costs and limits. `bandwidth`: bytes of weights that memory has a cycle;
    `bursts`: FIFOs round kernels that take them from there; `bit_blocks`: scaled memory blocks of a bit."""

    options: dict[str, tuple[Option, ...]]
    widths: dict[str, tuple[int, ...]]
    channels: dict[tuple[str, int], tuple[int, ...]]
    limits: tuple[int, ...]
    ends: dict[str, tuple[str, str]]
    bandwidth: float
    bursts: Bursts
    bit_blocks: float


def solve(problem: Problem, board: Board, goal: Goal) -> tuple[Choice, str, int]:
    """The best choice for a goal, a sentence on how good it is, and the cycles that its slowest layer may take. Raises PlanError when nothing fits."""
    levels = sorted({option.cycles for options in problem.options.values() for option in options})
    floor = max(min(option.cycles for option in options) for options in problem.options.values())
    levels = [level for level in levels if level >= floor]
    if goal.objective == "resources":
        allowed = [
            level for level in levels if goal.copies * board.device.fmax_low * 1e6 / level >= goal.fps
        ] or levels[:1]
        target, proof = allowed[-1], f"Fewest resources for {goal.fps:,.0f} images a second even at the lowest clock."
    else:
        least = fewest_cycles(problem)
        target, proof = bisect(problem, [level for level in levels if level >= least] or levels[-1:], goal)
    found = run(problem, target, goal, fewest=goal.objective != "latency", latency=goal.objective == "latency")
    if found is None:
        found = run(problem, target, goal, fewest=False)
    if found is None:
        raise smallest_is_too_large(problem, board, goal)
    return chosen_of(problem, found), proof, target


def slower(problem: Problem, target: int, goal: Goal) -> Choice | None:
    """The choice with the fewest resources whose slowest layer takes no more than so many cycles."""
    found = run(problem, target, goal, fewest=True)
    return None if found is None else chosen_of(problem, found)


def chosen_of(problem: Problem, found: dict[str, int]) -> Choice:
    """A solution of the solver as a choice."""
    widths = {name: found[name] for name in problem.widths}
    unrolled = frozenset(layer for layer in problem.options if found[f"{layer} unrolled"])
    folds = {layer: found[f"{layer} fold"] for layer in problem.options}
    skips = {layer: found[f"{layer} skip"] for layer in problem.options}
    at_onces = {layer: found[f"{layer} at once"] for layer in problem.options}
    strips = {layer: found[f"{layer} strips"] for layer in problem.options}
    return Choice(widths, unrolled, folds, skips, at_onces, strips)


def fewest_cycles(problem: Problem) -> float:
    """Cycles of the slowest layer that no design within the caps goes below: every layer takes DSPs times cycles, and these are so many DSPs at most."""
    dsps = problem.limits[2] - sum(min(problem.channels[name, w][2] for w in ws) for name, ws in problem.widths.items())
    work = sum(min(option.cost[2] * option.cycles for option in options) for options in problem.options.values())
    return work / max(dsps, 1)


def bisect(problem: Problem, levels: list[int], goal: Goal) -> tuple[int, str]:
    """The least cycles of the slowest layer that a design within the caps reaches, and the proof or the gap."""
    undecided: list[int] = []

    def possible(place: int) -> bool:
        status: list[bool] = []
        found = run(problem, levels[place], goal, fewest=False, decided=status)
        undecided.extend([place] * (not all(status)))
        return found is not None

    low = 0
    for high in (*(bisect_right(levels, times * levels[0]) - 1 for times in STEPS), len(levels) - 1):
        if high >= low:
            if possible(high):
                break
            low = high + 1
    else:
        return levels[-1], ""
    while low < high and not close(levels, low, high):
        middle = (low + high) // 2
        low, high = (low, middle) if possible(middle) else (middle + 1, high)
    if not undecided:
        faster = f"a slowest kernel more than {GAP:.1%} faster" if low < high else "a faster slowest kernel"
        return levels[high], f"No choice of vector widths and unrolled windows within the caps has {faster} (proven)."
    bound = max(min(option.cycles for option in options) for options in problem.options.values())
    gap = levels[high] / bound - 1
    return levels[
        high
    ], f"The search ran into its time limit: a slowest kernel up to {gap:.0%} faster is not ruled out."


def close(levels: list[int], low: int, high: int) -> bool:
    """Whether the rest of a long search could gain next to nothing."""
    return len(levels) > LEVELS and levels[high] <= (1 + GAP) * levels[low]


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
    graph: Graph, board: Board, plan: Plan, goal: Goal, classes: dict[str, str], known: Known | None = None,
    streams: bool = True,
) -> Problem:  # fmt: skip
    """All options with their costs; `known` remembers those of layers that several graphs have. Without `streams` all weights are on chip. Raises PlanError when pins leave a layer without any."""
    check_pins(graph, goal)
    tile = plan.enabled("unroll") and plan.enabled("tile")
    possible = WIDTHS if tile else (1,)
    widths = {name: legal_widths(graph, classes, name, possible) for name in dict.fromkeys(classes.values())}
    convert = fit_matrix(goal)
    options, known = {}, {} if known is None else known
    for layer in graph.layers:
        source, result = classes[layer.inputs[0]], classes[layer.output]
        pins = tuple(sorted((field, value) for (owner, field), value in goal.pins.items() if owner == layer.name))
        readers = len(graph.consumers[layer.output])
        key = alike(layer, graph), source == result, widths[source], widths[result], readers, pins
        if key not in known:
            known[key] = layer_options(layer, graph, board, plan, goal, classes, widths, convert)
        options[layer.name] = tuple(o for o in known[key] if streams or not o.bytes)
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
    return Problem(options, widths, channels, limits, ends, memory_bytes(graph, board, plan, full_clock(board, goal)),
                   bursts(graph, BITS[plan.dtype]), SCALE[1] * goal.calibration.ram / device.block_bits)  # fmt: skip


def alike(layer: Layer, graph: Graph) -> Any:
    """What layers have in common that have the same options: all that these depend on but widths, or the layer itself where its weights have zeros to skip."""
    shapes = tuple(graph.tensors[name].shape for name in (*layer.inputs, layer.output))
    weights = tuple((name, w.shape) for name, w in layer.weights.items())
    if any(np.count_nonzero(w) < WORTHWHILE * w.size for w in layer.weights.values()):
        weights = (("of", layer.name),)
    return layer.op, layer.attributes, layer.activation, shapes, weights


def memory_bytes(graph: Graph, board: Board, plan: Plan, clock: float) -> float:
    """Bytes a cycle of `clock` MHz that memory has for weights where many kernels read it; all copies share what is read."""
    return board.sustained_bandwidth(len(graph.inputs) + MANY) * 1e9 / (clock * 1e6) * plan.copies


def full_clock(board: Board, goal: Goal) -> float:
    """The clock of a design that fills memory blocks and DSPs to their caps, and half as many ALMs: such designs take about as many."""
    caps, device = goal.caps, board.device
    full = caps.alms / 2 * device.alms, caps.blocks * device.blocks, caps.dsps * device.dsps
    return clock_of(*full, board, goal.calibration)[0]


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
                pinned = goal.pins.get((layer.name, "strips"))
                choices = kernels_of(layer, graph, plan, KernelPlan(layer.name, width, output, window), pinned)
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
        price = (*option.cost, option.bytes)
        if not any(all(a <= b for a, b in zip((*best.cost, best.bytes), price, strict=True)) for best in kept):
            kept.append(option)
    return kept


def cheapest(options: list[Option]) -> list[Option]:
    """The options among which one is best where time does not matter: of every pair of widths, and with every number of strips, those that no other one beats, or
    equals, in every resource."""
    groups: dict[tuple[int, int, int], list[Option]] = {}
    for option in sorted(options, key=lambda o: (sum(o.cost), o.bytes)):
        kernel, price = option.kernel, (*option.cost, option.bytes)
        kept = groups.setdefault((kernel.input_width, kernel.output_width, kernel.strips), [])
        if not any(all(a <= b for a, b in zip((*o.cost, o.bytes), price, strict=True)) for o in kept):
            kept.append(option)
    return [option for kept in groups.values() for option in kept]


def kernels_of(
    layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan, strips: int | None = None
) -> list[KernelPlan]:
    """The kernels of given widths: folded or not, skipping zeros or not, with one input vector a turn or several, weights on chip or from memory (in so many
    `strips`, where a pin says so)."""
    op, free = operator(layer.op), plan.enabled("fuse") and plan.enabled("tile")
    shapes = [replace(kernel, fold=fold) for fold in (op.folds(layer, kernel) if free else (1,))]
    if free and plan.enabled("unroll") and plan.enabled("cached_writes"):
        shapes += [replace(kernel, skip=skip) for skip in op.skips(layer, graph, kernel) if skip]
        shapes += [replace(kernel, at_once=count) for count in op.at_onces(layer, graph, kernel) if count > 1]
        shapes += streaming(layer, graph, kernel, BITS[plan.dtype], strips)
    return [replace(shape, partial_sums=partial_sums(*op.reduction(layer, graph, shape))) for shape in shapes]


def streaming(layer: Layer, graph: Graph, kernel: KernelPlan, bits: int, pinned: int | None) -> list[KernelPlan]:
    """The kernels of given widths whose weights stream from memory: those that are `pinned`, else those that have less on chip than the weights are."""
    op = operator(layer.op)
    if pinned is None and layer.op == "conv" and {kernel.input_width, kernel.output_width} - set(STREAMED_WIDTHS):
        return []
    here, found = on_chip(layer, graph, kernel, bits), []
    wanted = STRIPS if pinned is None else (pinned,)
    for shape in (replace(kernel, strips=n) for n in op.strips(layer, graph, kernel) if n and n in wanted):
        if pinned is not None or on_chip(layer, graph, shape, bits) < here:
            inputs = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
            counts = {ceil(inputs / n): n for n in reversed(op.at_onces(layer, graph, shape))}
            found += [replace(shape, at_once=n) for n in counts.values()]
    return found


def on_chip(layer: Layer, graph: Graph, kernel: KernelPlan, bits: int) -> int:
    """Bits of a kernel's memories."""
    memories = operator(layer.op).pipelined_body(layer, graph, kernel, bits).memories
    return sum(memory.depth * memory.bits * memory.banks * memory.copies for memory in memories)


def option(layer: Layer, graph: Graph, board: Board, plan: Plan, kernel: KernelPlan, convert: np.ndarray) -> Option:
    """Cycles and cost of one kernel, with its share of the weight loader."""
    readers = [EdgePlan(layer.output, c.name, 0, kernel.output_width, 1) for c in graph.consumers[layer.output]]
    one = replace(plan, kernels=(kernel,), edges=tuple(readers))
    cost = sum((kernel_cost(k, board.device) for k in pipelined_kernels(layer, graph, one)), np.zeros(5))
    if kernel.at_once > 1:
        cost = cost + fifo_cost(collected(kernel, BITS[plan.dtype]), board.device)
    if kernel.strips:
        reader = (Lsu("filters", kernel.output_width * BITS[plan.dtype]),)
        cost = cost + fifo_cost(streamed(kernel, BITS[plan.dtype]), board.device)
        cost = cost + kernel_cost(transfer("filters", reader, reader[0].bits, 1), board.device)
        cost = cost + costs(board.device.family)["interconnect_per_lsu"]
    if layer.weights:
        cost = cost + fifo_cost(Fifo("weights", BITS[plan.dtype], WEIGHT_FIFO), board.device)
    values = operator(layer.op).streamed_values(layer, graph, kernel)
    cycles = pipelined_cycles(layer, graph, kernel, plan, board)
    return Option(
        kernel, cycles, scaled(convert @ cost), values * BITS[plan.dtype] // 8, shares(layer, graph, kernel)[0]
    )


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
    chosen: list[Chosen] = []
    for layer, options in problem.options.items():
        quick = [option for option in options if option.cycles <= target]
        mine = [(layer, model.new_bool_var(""), option) for option in (quick if latency else cheapest(quick))]
        if not mine:
            if decided is not None:
                decided.append(True)
            return None
        chosen += mine
        model.add_exactly_one(v for _, v, _ in mine)
        source, result = problem.ends[layer]
        for name, side in ((source, "input_width"), (result, "output_width")):
            for w in problem.widths[name]:
                model.add(sum(v for _, v, option in mine if getattr(option.kernel, side) == w) == width[name, w])
    used = [total(chosen, width, problem, i) for i in range(3)]
    used[1] += sum(burst_fifos(model, chosen, problem))
    for amount, limit in zip(used, problem.limits, strict=True):
        model.add(amount <= max(limit, 0))
    if any(option.bytes for *_, option in chosen):
        model.add(sum(option.bytes * v for _, v, option in chosen) <= int(problem.bandwidth * target))
    if latency:
        model.minimize(sum(int(option.cycles * (1 + 100 * option.lead)) * v for _, v, option in chosen))
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
    kernels = [replace(option.kernel, layer=layer) for layer, v, option in chosen if solver.value(v)]
    found |= {f"{kernel.layer} unrolled": int(kernel.unroll_window) for kernel in kernels}
    found |= {f"{kernel.layer} skip": kernel.skip for kernel in kernels}
    found |= {f"{kernel.layer} at once": kernel.at_once for kernel in kernels}
    found |= {f"{kernel.layer} strips": kernel.strips for kernel in kernels}
    return found | {f"{kernel.layer} fold": kernel.fold for kernel in kernels}


def burst_fifos(model: Any, chosen: list[Chosen], problem: Problem) -> list[Any]:
    """Memory blocks of the FIFOs round kernels that work in strips: what waits for them at joins, and a strip where a neighbour does not work in strips."""
    strips: dict[str, list[tuple[Any, int]]] = {}
    for layer, v, option in chosen:
        if option.kernel.strips:
            strips.setdefault(layer, []).append((v, option.kernel.strips))

    def blocks(layer: str, bits: int) -> Any:
        return sum(round(bits * problem.bit_blocks / count) * v for v, count in strips.get(layer, ()))

    found = [blocks(layer, bits) for layer, bits in problem.bursts.waiting.items() if layer in strips]
    for ends in problem.bursts.links:
        for here, there, side in ((1, 0, 0), (0, 1, 1)):  # a reader's input, a writer's output
            if ends[here] in strips:
                bits = problem.bursts.sides[ends[here]][side]
                most = round(bits * problem.bit_blocks)
                fifo = model.new_int_var(0, most, "")
                other = sum(v for v, _ in strips.get(ends[there], ()))
                model.add(fifo >= blocks(ends[here], bits) - most * other)
                found.append(fifo)
    return found


def total(chosen: list[Chosen], width: dict[tuple[str, int], Any], problem: Problem, index: int) -> Any:
    """Linear expression of one resource."""
    return sum(option.cost[index] * v for _, v, option in chosen) + sum(
        problem.channels[key][index] * v for key, v in width.items()
    )
