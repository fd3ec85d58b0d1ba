"""Plans pipelined designs: vector widths of all tensors, unrolled windows, FIFO depths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.graph import Graph
from hlsgen.model.estimate import estimate
from hlsgen.model.weight_banks import weight_banks
from hlsgen.ops import operator
from hlsgen.plan import EdgePlan, Plan
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.check import check_copies
from hlsgen.schedule.pipelined.choices import Choice, plan_kernels, tensor_classes
from hlsgen.schedule.pipelined.copies import with_copies
from hlsgen.schedule.pipelined.depths import Deepened, deepen, simulated, trimmed, with_depths
from hlsgen.schedule.pipelined.fifo import MARGIN, least_depths, pixel_times
from hlsgen.schedule.pipelined.options import OptionCache
from hlsgen.schedule.pipelined.problem import build_problem, memory_bytes
from hlsgen.schedule.pipelined.readers import with_readers
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.schedule.pipelined.search import Solution, fewest, solve

# Parts of the fewest cycles that kernels may take more, where that leaves the clock higher.
SLOWER = (0.005, 0.01, 0.02, 0.03)
# Part of the solver's time limit that each of these gets: a design is known without them.
PATIENCE = 0.3
# What makes a kernel leave out zeros.
SKIPPING = ("nonzeros_per_lane", "nonzeros_per_vector")
# Shares of the device's memory blocks that are kept for FIFOs where these find no room beside the
# quickest kernels.
ROOMS = (0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.15, 0.2)


def draft_pipelined(graph: Graph, board: Board, plan: Plan, goal: Goal, earlier: Earlier) -> Draft:
    """Complete `plan` with the kernels that serve the goal best, FIFO depths, and copies where the
    search may choose their number.

    Raises Infeasible when not even the smallest design fits.
    """
    refuse(graph, plan.style)
    return with_copies(
        graph,
        board,
        plan,
        goal,
        lambda trial, aim: drafted(graph, board, trial, aim, earlier.options),
    )


def drafted(graph: Graph, board: Board, plan: Plan, goal: Goal, cache: OptionCache) -> Draft:
    """The plan with so many copies. Raises Infeasible."""
    check_copies(plan)
    plan, (best, proof, bound) = with_readers(
        graph, board, plan, goal, lambda trial: search(graph, board, trial, goal, cache)
    )

    def fits(candidate: Plan) -> bool:
        resources = estimate(graph, candidate, goal.calibration, board).resources
        return bool(plan.disabled) or resources.fits(board, goal.caps)

    def seconds(found: Deepened, cycles: float) -> float:
        return cycles / estimate(graph, found.plan, goal.calibration, board).resources.fmax

    def behind(roomy: Deepened) -> bool:
        """Whether a design with room for its FIFOs is no quicker than the crowded one, which is at
        best as quick as with unlimited FIFOs."""
        mine = seconds(roomy, roomy.interval)
        return mine >= seconds(deepened, deepened.interval) and mine >= seconds(
            deepened, simulated(graph, deepened.plan, board).interval
        )

    deepened = deepen(graph, best, board, fits)
    possible = fits(deepened.plan)
    if not possible or (not deepened.complete and goal.objective == "throughput"):
        roomy, roomy_proof = with_room(graph, board, plan, goal, fits, cache, deepened, bound)
        if roomy and not (possible and behind(roomy)):
            deepened, proof = roomy, roomy_proof
        elif not possible:
            estimate(graph, deepened.plan, goal.calibration, board).resources.check(
                board, goal.caps, plan.style
            )

    def finish() -> Plan:
        deep, interval = trimmed(graph, deepened, board)
        return replace(
            deep, evidence=replace(proof, interval=interval, unlimited=deepened.interval)
        )

    return Draft(deepened.plan, finish)


def with_room(
    graph: Graph,
    board: Board,
    plan: Plan,
    goal: Goal,
    fits: Callable[[Plan], bool],
    cache: OptionCache,
    crowded: Deepened,
    bound: int,
) -> tuple[Deepened | None, Evidence]:
    """The plan with the best kernels that leave room for FIFOs as deep as these need, with what is
    known of it; None where none does. A `crowded` plan of all room tells about how much it takes,
    and so does every one that has too little; no design with less goes below the `bound` of its
    search."""

    def lacking(found: Deepened) -> float:
        """The share of the memory blocks that a plan lacks for FIFOs as deep as they need be."""
        full = estimate(graph, with_depths(found.plan, found.needed), goal.calibration, board)
        return full.resources.shares(board)["memory blocks"] - goal.caps.blocks

    least = lacking(crowded) / 2
    for room in ROOMS:
        if room < least:
            continue
        smaller = replace(goal, caps=replace(goal.caps, blocks=goal.caps.blocks - room))
        try:
            kernels, proof, shown = search(graph, board, plan, smaller, cache, bound)
        except Infeasible:  # so few memory blocks hold no design
            break
        bound = max(bound, shown)
        deepened = deepen(graph, kernels, board, fits)
        if deepened.complete and fits(deepened.plan):
            return deepened, replace(proof, room=room)
        least = room + lacking(deepened) / 2
    return None, Evidence()


def search(
    graph: Graph, board: Board, plan: Plan, goal: Goal, cache: OptionCache, bound: int = 0
) -> tuple[Plan, Evidence, int]:
    """The plan with the best kernels, zeros skipped where that is better, what is known of how good
    they are, and the cycles that no design goes below with no more of the board. `bound`: as many
    as a search with more of it has shown."""
    best, proof, bound = solved(graph, board, plan, goal, cache, bound)
    if any(kernel.skips_zeros for kernel in best.kernels) and goal.objective != "resources":
        return *better_without_skipping(graph, board, plan, goal, best, proof, cache, bound), bound
    return best, proof, bound


def solved(
    graph: Graph, board: Board, plan: Plan, goal: Goal, cache: OptionCache, bound: int = 0
) -> tuple[Plan, Evidence, int]:
    """The plan with the best kernels, what is known of how good they are, and the bound that was
    shown: those that count the fewest cycles, or ones that count few more and take so much less of
    the board that the clock makes up for it."""
    classes = tensor_classes(graph)
    relaxation = Relaxation(build_problem(graph, board, plan, goal, classes, cache))
    solution = solve(relaxation, board, goal, bound)
    best = complete(graph, plan, classes, solution.choice)
    if goal.objective != "throughput" or plan.disabled:
        return best, solution.proof, solution.bound
    found = estimate(graph, best, goal.calibration, board)
    if found.timing.bottleneck == "external memory":
        relaxation = relaxation.with_bandwidth(
            weight_bytes(graph, board, best, found.resources.fmax)
        )
        again = thrifty(solve(relaxation, board, goal, solution.cycles), solution)
        trial = complete(graph, plan, classes, again.choice)
        shared_out = estimate(graph, trial, goal.calibration, board)
        if shared_out.throughput > found.throughput:
            best, found, solution = trial, shared_out, again
    rate, clock, more = found.throughput, found.resources.fmax, 0.0
    hasty = replace(goal, seconds=PATIENCE * goal.seconds)
    for part in SLOWER:
        bandwidth = weight_bytes(graph, board, best, clock)
        other = fewest(
            relaxation.with_bandwidth(bandwidth), int((1 + part) * solution.cycles), hasty
        )
        if other.choice is None:
            continue
        trial = complete(graph, plan, classes, other.choice)
        found = estimate(graph, trial, goal.calibration, board)
        clock = max(clock, found.resources.fmax)
        if found.throughput > rate:
            best, rate, more = trial, found.throughput, part
    return best, replace(solution.proof, slower=more), solution.bound


def weight_bytes(graph: Graph, board: Board, best: Plan, clock: float) -> float:
    """Bytes a cycle of `clock` MHz that memory has for weights of kernels like these: as many
    readers, or banks filled as unevenly."""
    banks = [bank.bytes for bank in weight_banks(graph, best)]
    even = sum(banks) / max(banks) / best.weight_readers if banks else 1.0
    ports, streams = len(graph.inputs), sum(k.row_tiles > 0 for k in best.kernels)
    return even * memory_bytes(board, best, clock, ports, streams)


def thrifty(again: Solution, first: Solution) -> Solution:
    """A solution that takes less from memory, with what the `first` one has shown: its bound holds
    for however many kernels read the memory, and nothing else is proven of this one."""
    gap = again.cycles / first.bound - 1 if first.bound else 0.0
    proof = replace(again.proof, proof="near" if first.bound else "", gap=gap)
    return replace(again, proof=proof, bound=first.bound)


def better_without_skipping(
    graph: Graph,
    board: Board,
    plan: Plan,
    goal: Goal,
    best: Plan,
    proof: Evidence,
    cache: OptionCache,
    bound: int,
) -> tuple[Plan, Evidence]:
    """The plan whose kernels multiply by all weights, where pins leave it so, if that is predicted
    to be better.

    The search counts cycles; kernels that skip zeros take logic besides, and that costs clock.
    """
    dense_goal = replace(
        goal,
        pins={(layer.name, field): 0 for layer in graph.layers for field in SKIPPING}
        | dict(goal.pins),
    )
    try:
        dense, dense_proof, _ = solved(graph, board, plan, dense_goal, cache, bound)
    except Infeasible:  # it fits sparse alone
        return best, proof
    mine, other = (estimate(graph, p, goal.calibration, board) for p in (best, dense))
    faster = (
        other.latency < mine.latency
        if goal.objective == "latency"
        else other.throughput > mine.throughput
    )
    return (dense, dense_proof) if faster else (best, proof)


def refuse(graph: Graph, style: str) -> None:
    """Raise Infeasible for a layer that the style cannot take."""
    for layer in graph.layers:
        why = operator(layer.op).refusal(layer, graph, style)
        if why is not None:
            raise Infeasible(
                f"cannot take it: {why}",
                where=f"{style} design, layer {layer.name}",
                remedy="use --style folded",
            )


def complete(graph: Graph, plan: Plan, classes: dict[str, str], choice: Choice) -> Plan:
    """The plan with the kernels and channels of a choice, and no more readers of weights than
    these have use for."""
    kernels = plan_kernels(graph, classes, choice)
    times = pixel_times(graph, {kernel.layer: kernel for kernel in kernels})
    edges = []
    for name in graph.tensors:
        width = choice.widths[classes[name]]
        readers = [
            (layer.name, position)
            for layer in graph.layers
            for position, source in enumerate(layer.inputs)
            if source == name
        ]
        readers += [("", i) for i, port in enumerate(graph.outputs) if port.tensor == name]
        edges += [EdgePlan(name, reader, position, width, MARGIN) for reader, position in readers]
    shared = min(plan.weight_readers, sum(kernel.row_tiles > 0 for kernel in kernels))
    found = replace(plan, kernels=kernels, edges=tuple(edges), weight_readers=shared)
    return with_depths(found, least_depths(graph, found, times))
