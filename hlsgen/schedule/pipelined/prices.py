"""What prices of resources say of a target: that no design is within the limits, one that is, or
one that no other undercuts by much.

At any prices no design costs less than the cheapest one of all. Prices are tried one after another,
each time those at which the cheapest of the designs seen so far costs most (Kelley's cutting
planes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.schedule.pipelined.choices import Choice
from hlsgen.schedule.pipelined.exchange import exchanged
from hlsgen.schedule.pipelined.problem import Problem
from hlsgen.schedule.pipelined.relaxation import Design, Relaxation

# Parts by which a design may cost more than the cheapest one.
GAP = 0.001
# Prices that are tried at most.
ROUNDS = 40
# What rounding may make of sums of shares.
ROUNDING = 1e-7
# A whole limit costs at most so many times what the objective makes of all limits.
DEAREST = 10.0
# Parts by which prices differ where layers have different ones.
SPREADS = (1e-5, 0.01, 0.03, 0.1, 0.3, 1.0)
# Designs seen last of which local search starts.
LAST = 4


@dataclass(frozen=True)
class Answer:
    """What is known of a target: `settled` with a choice, or without one because there is none;
    else `rest` is the problem without the options that no design, or none that costs less than one
    that is known, can have, and `best` the cheapest that is known, with its `cost` (`worth`)."""

    settled: bool
    choice: Choice | None = None
    rest: Problem | None = None
    best: Choice | None = None
    cost: float = np.inf


def any_design(relaxation: Relaxation, target: int) -> Answer:
    """Whether within the limits no layer need take more than `target` cycles."""
    if relaxation.steps is None:
        return Answer(settled=False, rest=relaxation.problem)
    limits = relaxation.limits(target)
    prices, excess, bounds = np.full(len(limits), 1 / len(limits)), [], []
    for _ in range(ROUNDS):
        design = relaxation.best(prices / np.maximum(limits, 1), target)
        if design is None:
            return Answer(settled=True)
        excess.append((design.amounts - limits) / np.maximum(limits, 1))
        bounds.append((float(prices @ excess[-1]), prices / np.maximum(limits, 1)))
        if bounds[-1][0] > ROUNDING:  # within the limits it is at most 0
            return Answer(settled=True)
        if (excess[-1] <= 0).all():
            return Answer(True, relaxation.choice(design))
        prices, top = dearest(np.zeros(len(excess)), np.array(excess), 1.0)
        if top <= ROUNDING:
            break
    _, prices = max(bounds, key=lambda bound: bound[0])
    return Answer(
        settled=False, rest=relaxation.without(prices, target, float(prices @ limits) + ROUNDING)
    )


def least_design(relaxation: Relaxation, target: int) -> Answer:
    """The design within the limits that costs least, but for the gap, where no layer may take more
    than `target` cycles."""
    if relaxation.steps is None:
        return Answer(settled=False, rest=relaxation.problem)
    limits, objective = relaxation.limits(target), np.array([*worth(relaxation.problem), 0.0])
    ceiling = float(objective @ limits)
    prices, bound, designs = np.zeros(len(limits)), -np.inf, []
    for _ in range(ROUNDS):
        design = relaxation.best(objective + prices, target)
        if design is None:
            return Answer(settled=True)
        designs.append(design)
        bound = max(bound, float(objective @ design.amounts + prices @ (design.amounts - limits)))
        if bound > ceiling * (1 + ROUNDING) + ROUNDING:  # no design within the limits costs so much
            return Answer(settled=True)
        seen = np.array([design.amounts for design in designs])
        scaled, top = dearest(
            seen @ objective, (seen - limits) / np.maximum(limits, 1), DEAREST * ceiling
        )
        if top <= bound * (1 + ROUNDING):
            break
        prices = scaled / np.maximum(limits, 1)
    best = cheapest_within(relaxation, target, objective, prices, designs)
    known = ceiling if best is None else float(objective @ best.amounts)
    if best is None or known > (1 + GAP) * bound:
        most = known + float(prices @ limits)
        return Answer(
            settled=False,
            rest=relaxation.without(objective + prices, target, most * (1 + ROUNDING)),
            best=relaxation.choice(best) if best else None,
            cost=known if best else np.inf,
        )
    return Answer(True, relaxation.choice(best))


def worth(problem: Problem) -> list[int]:
    """What a unit of each resource costs where the fewest are sought: the share of its limit, in
    whole numbers for the solver."""
    return [10**9 // max(limit, 1) for limit in problem.limits]


def cheapest_within(
    relaxation: Relaxation,
    target: int,
    objective: np.ndarray,
    prices: np.ndarray,
    designs: list[Design],
) -> Design | None:
    """The cheapest design within the limits, of those seen last and one between them, each with
    kernels exchanged."""
    between = mixed(relaxation, target, objective, prices) if prices.any() else None
    starts = designs[-LAST:] + ([between] if between else [])
    found = [
        exchanged(relaxation, design, target, objective, objective + prices) for design in starts
    ]
    return min(
        (design for design in found if design),
        key=lambda d: float(objective @ d.amounts),
        default=None,
    )


def mixed(
    relaxation: Relaxation, target: int, objective: np.ndarray, prices: np.ndarray
) -> Design | None:
    """A design within the limits at about these prices. Equal layers all change at the same prices,
    and then too little or too much is taken: so the first layers have somewhat higher prices than
    the others, as few as will do."""
    limits = relaxation.limits(target)

    def within(design: Design | None) -> bool:
        return design is not None and bool((design.amounts <= limits).all())

    for spread in SPREADS:
        low, high = objective + (1 - spread) * prices, objective + (1 + spread) * prices
        best = relaxation.best(high, target)
        if within(best):
            break
    else:
        return None
    few, many = 0, len(relaxation.ways)
    while many - few > 1:
        middle = (few + many) // 2
        design = relaxation.best(low, target, middle, high)
        few, many, best = (few, middle, design) if within(design) else (middle, many, best)
    return best


def dearest(costs: np.ndarray, excess: np.ndarray, most: float) -> tuple[np.ndarray, float]:
    """Prices, that sum up to `most` or less, at which the cheapest of these designs costs most, and
    what it costs then."""
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("GLOP")
    prices = [solver.NumVar(0, most, "") for _ in range(excess.shape[1])]
    bound = solver.NumVar(-solver.infinity(), solver.infinity(), "")
    solver.Add(sum(prices) <= most)
    for cost, row in zip(costs, excess, strict=True):
        solver.Add(
            bound
            <= float(cost) + sum(float(v) * price for v, price in zip(row, prices, strict=True))
        )
    solver.Maximize(bound)
    solver.Solve()
    return np.array([max(price.solution_value(), 0.0) for price in prices]), bound.solution_value()
