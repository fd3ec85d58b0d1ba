"""The search for pipelined designs: vector widths and kernels of all layers together, with OR-tools' CP-SAT.

An option's ALMs, memory blocks and DSPs add up under the caps, and so do the weights that options take from memory under its bandwidth. For the highest throughput the
slowest layer's cycles are bisected: is there a design in which no layer needs more than T? The last "no" proves the last "yes" optimal.
"""

from __future__ import annotations

from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.evidence import Evidence
from hlsgen.schedule.choices import Choice
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.problem import SCALE, Option, Problem, cheapest

# Among more levels than that the search ends when none can be faster by more than this.
LEVELS, GAP = 1000, 0.005
# The first targets, in parts of the least cycles that there can be.
STEPS = (1.1, 1.3, 2, 4)
# An option of a layer under way to the solver, with the variable that says whether it is chosen.
Chosen = tuple[str, Any, Option]


@dataclass(frozen=True)
class Solution:
    """The best choice for a goal. `proof`: what is known of how good it is; `cycles`: those that its slowest layer may take; `bound`: those that the search has shown
    no design to go below, within the same caps or lower ones."""

    choice: Choice
    proof: Evidence
    cycles: int
    bound: int = 0


def solve(problem: Problem, board: Board, goal: Goal, bound: int = 0) -> Solution:
    """The best choice for a goal. `bound`: what a search with higher caps has shown of the slowest layer's cycles. Raises Infeasible when nothing fits."""
    if (least_cost(problem) > np.maximum(problem.limits, 0)).any():
        raise smallest_is_too_large(problem, board, goal)
    levels = sorted({option.cycles for options in problem.options.values() for option in options})
    floor = max(min(option.cycles for option in options) for options in problem.options.values())
    levels = [level for level in levels if level >= floor]
    if goal.objective == "resources":
        allowed = [
            level for level in levels if goal.copies * board.device.fmax_low * 1e6 / level >= goal.fps
        ] or levels[:1]
        target, proof, bound = allowed[-1], Evidence(fps=goal.fps), 0
    else:
        least = max(fewest_cycles(problem), bound)
        target, proof, bound = bisect(problem, [level for level in levels if level >= least] or levels[-1:], goal)
    decided: list[bool] = []
    latency = goal.objective == "latency"
    found = run(problem, target, goal, fewest=not latency, latency=latency, decided=decided)
    if found is None and not all(decided):
        found = run(problem, target, goal, fewest=False)
    if found is None:
        raise smallest_is_too_large(problem, board, goal)
    return Solution(chosen_of(problem, found), proof, target, bound)


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


def bisect(problem: Problem, levels: list[int], goal: Goal) -> tuple[int, Evidence, int]:
    """The least cycles of the slowest layer that a design within the caps reaches, the proof or the gap, and the proven bound (0: none)."""
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
        return levels[-1], Evidence(), 0
    while low < high and not close(levels, low, high):
        middle = (low + high) // 2
        low, high = (low, middle) if possible(middle) else (middle + 1, high)
    if not undecided:
        proof = Evidence(proof="near", gap=GAP) if low < high else Evidence(proof="optimal")
        return levels[high], proof, levels[low]
    bound = max(min(option.cycles for option in options) for options in problem.options.values())
    return levels[high], Evidence(proof="open", gap=levels[high] / bound - 1), 0


def close(levels: list[int], low: int, high: int) -> bool:
    """Whether the rest of a long search could gain next to nothing."""
    return len(levels) > LEVELS and levels[high] <= (1 + GAP) * levels[low]


def least_cost(problem: Problem) -> np.ndarray:
    """What no design takes less of, in the solver's units: every layer's least, each resource for itself."""
    return np.sum([np.min([o.cost for o in options], axis=0) for options in problem.options.values()], axis=0)


def smallest_is_too_large(problem: Problem, board: Board, goal: Goal) -> Infeasible:
    """What is short, from the least cost of every layer."""
    least = least_cost(problem) / SCALE
    limits = np.array(problem.limits) / SCALE
    names = ("ALMs", "memory blocks", "DSPs")
    worst = int(np.argmax(least / np.maximum(limits, 1)))
    if least[worst] > limits[worst]:
        text = f"needs {ceil(least[worst]):,} {names[worst]}; {int(limits[worst]):,} may be used"
    else:
        text = "needs more ALMs, memory blocks and DSPs together than may be used"
    if goal.pins:
        return Infeasible(
            f"{text}, or what --set fixes contradicts itself",
            where=f"pipelined design on {board.name}",
            remedy="a tensor has one width: the unroll_oc of its producer is the unroll_ic of its consumers",
        )
    return Infeasible(text, where=f"pipelined design on {board.name}", remedy="use --style folded, or a larger board")


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
    status = interruptible(solver, model)
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


def interruptible(solver: Any, model: Any) -> Any:
    """The status of a solve that Ctrl-C ends at once: by itself the solver takes the signal for its own, or keeps it until it is done."""
    solver.parameters.catch_sigint_signal = False
    with ThreadPoolExecutor(1) as thread:
        solving = thread.submit(solver.solve, model)
        try:
            return solving.result()
        except BaseException:
            solver.stop_search()
            raise


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
