"""OR-tools' CP-SAT, which decides the targets that the relaxation leaves open."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from typing import Any

from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.choices import Choice, choice_of
from hlsgen.schedule.pipelined.options import Option, cheapest
from hlsgen.schedule.pipelined.prices import GAP, worth
from hlsgen.schedule.pipelined.problem import Problem

# An option of a layer under way to the solver, with the variable that says whether it is chosen.
Chosen = tuple[str, Any, Option]


@dataclass(frozen=True)
class Outcome:
    """What the solver says: a choice with its objective, or None. Unless `decided` it ran into its
    time limit: there may be a better one, or one at all."""

    choice: Choice | None
    decided: bool = True
    cost: float = inf


def run(problem: Problem, target: int, goal: Goal, fewest: bool, latency: bool = False) -> Outcome:
    """A design in which no layer needs more than `target` cycles: any, the one with the fewest
    resources, or the one with the least latency."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    width = {(n, w): model.new_bool_var(f"{n} {w}") for n, ws in problem.widths.items() for w in ws}
    for name, possible in problem.widths.items():
        model.add_exactly_one(width[name, w] for w in possible)
    chosen: list[Chosen] = []
    for layer, options in problem.options.items():
        quick = [option for option in options if option.cycles <= target]
        mine = [
            (layer, model.new_bool_var(""), option)
            for option in (quick if latency else cheapest(quick))
        ]
        if not mine:
            return Outcome(None)
        chosen += mine
        model.add_exactly_one(v for _, v, _ in mine)
        source, result = problem.ends[layer]
        for name, side in ((source, "input_width"), (result, "output_width")):
            for w in problem.widths[name]:
                model.add(
                    sum(v for _, v, option in mine if getattr(option.kernel, side) == w)
                    == width[name, w]
                )
    used = [total(chosen, width, problem, i) for i in range(3)]
    used[1] += sum(burst_fifos(model, chosen, problem))
    for amount, limit in zip(used, problem.limits, strict=True):
        model.add(amount <= max(limit, 0))
    if any(option.bytes for *_, option in chosen):
        model.add(
            sum(option.bytes * v for _, v, option in chosen) <= int(problem.bandwidth * target)
        )
    if latency:
        model.minimize(
            sum(int(option.cycles * (1 + 100 * option.lead)) * v for _, v, option in chosen)
        )
    elif fewest:
        model.minimize(
            sum(share * amount for share, amount in zip(worth(problem), used, strict=True))
        )
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = goal.seconds
    solver.parameters.num_workers = 1  # with more, equal inputs could give different designs
    solver.parameters.random_seed = 1
    solver.parameters.relative_gap_limit = GAP
    status = interruptible(solver, model)
    decided = status not in (cp_model.UNKNOWN, cp_model.FEASIBLE)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Outcome(None, decided)
    widths = {
        name: next(w for w in ws if solver.value(width[name, w]))
        for name, ws in problem.widths.items()
    }
    found = choice_of(
        widths, {layer: option.kernel for layer, v, option in chosen if solver.value(v)}
    )
    return Outcome(found, decided, solver.objective_value)


def interruptible(solver: Any, model: Any) -> Any:
    """The status of a solve that Ctrl-C ends at once: by itself the solver takes the signal for its
    own, or keeps it until it is done."""
    solver.parameters.catch_sigint_signal = False
    with ThreadPoolExecutor(1) as thread:
        solving = thread.submit(solver.solve, model)
        try:
            return solving.result()
        except BaseException:
            solver.stop_search()
            raise


def burst_fifos(model: Any, chosen: list[Chosen], problem: Problem) -> list[Any]:
    """Memory blocks of the FIFOs round kernels that work in row_tiles: what waits for them at
    joins, and a row tile where a neighbour does not work in row tiles."""
    row_tiles: dict[str, list[tuple[Any, int]]] = {}
    for layer, v, option in chosen:
        if option.kernel.row_tiles:
            row_tiles.setdefault(layer, []).append((v, option.kernel.row_tiles))

    def blocks(layer: str, bits: int) -> Any:
        return sum(
            round(bits * problem.bit_blocks / count) * v for v, count in row_tiles.get(layer, ())
        )

    found = [
        blocks(layer, bits)
        for layer, bits in problem.buffering.waiting.items()
        if layer in row_tiles
    ]
    for ends in problem.buffering.links:
        for here, there, side in ((1, 0, 0), (0, 1, 1)):  # a reader's input, a writer's output
            if ends[here] in row_tiles:
                bits = problem.buffering.sides[ends[here]][side]
                most = round(bits * problem.bit_blocks)
                fifo = model.new_int_var(0, most, "")
                other = sum(v for v, _ in row_tiles.get(ends[there], ()))
                model.add(fifo >= blocks(ends[here], bits) - most * other)
                found.append(fifo)
    return found


def total(
    chosen: list[Chosen], width: dict[tuple[str, int], Any], problem: Problem, index: int
) -> Any:
    """Linear expression of one resource."""
    return sum(option.cost[index] * v for _, v, option in chosen) + sum(
        problem.channels[key][index] * v for key, v in width.items()
    )
