"""What prices of resources say of a target: that no design is within the limits, one that is, or one that no other undercuts by much.

At any prices no design costs less than the cheapest one of all. Prices are tried one after another, each time those at which the cheapest of the designs seen so far
costs most (Kelley's cutting planes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.schedule.choices import Choice, choice_of
from hlsgen.schedule.problem import Problem
from hlsgen.schedule.relaxation import Design, Relaxation

# Parts by which a design may be worse than the best one, where the search for that one would take long.
GAP = 0.005
# Prices that are tried at most.
ROUNDS = 40
# What rounding may make of sums of shares.
ROUNDING = 1e-7
# A whole limit costs at most so many times what the objective makes of all limits.
DEAREST = 10.0
# Parts by which prices differ where layers have different ones.
SPREADS = (1e-5, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Answer:
    """What is known of a target: `settled` with a choice, or without one because there is none; else neither a choice nor a proof was found."""

    settled: bool
    choice: Choice | None = None


def any_design(relaxation: Relaxation, target: int) -> Answer:
    """Whether within the limits no layer need take more than `target` cycles."""
    return tried(relaxation, target, np.zeros(len(relaxation.limits(target))))


def least_design(relaxation: Relaxation, target: int) -> Answer:
    """The design within the limits that costs least, but for the gap, where no layer may take more than `target` cycles."""
    return tried(relaxation, target, np.array([*worth(relaxation.problem), 0.0]))


def worth(problem: Problem) -> list[int]:
    """What a unit of each resource costs where the fewest are sought: the share of its limit."""
    return [max(1, 10**6 // max(limit, 1)) for limit in problem.limits]


def tried(relaxation: Relaxation, target: int, objective: np.ndarray) -> Answer:
    """The design with the least objective, but for the gap, or any where there is no objective."""
    if relaxation.steps is None:
        return Answer(settled=False)
    limits, free = relaxation.limits(target), not objective.any()
    scale, ceiling = np.maximum(limits, 1), float(objective @ limits)
    prices = np.full(len(limits), 1 / len(limits) if free else 0.0)
    costs: list[float] = []
    excess: list[np.ndarray] = []
    best: Design | None = None
    least, bound = np.inf, -np.inf
    for _ in range(ROUNDS):
        design = relaxation.best(objective + prices / scale, target)
        if design is None:
            return Answer(settled=True)
        costs.append(float(objective @ design.amounts))
        excess.append((design.amounts - limits) / scale)
        bound = max(bound, costs[-1] + float(prices @ excess[-1]))
        if bound > ceiling + ROUNDING * (1 + ceiling):  # no design within the limits costs so much
            return Answer(settled=True)
        if (excess[-1] <= 0).all() and costs[-1] < least:
            best, least = design, costs[-1]
        if best is not None and (free or least <= (1 + GAP) * bound):
            return Answer(True, choice_of(best.widths, best.kernels))
        prices, top = dearest(np.array(costs), np.array(excess), DEAREST * ceiling or 1.0)
        if top <= (0.0 if free else bound) + ROUNDING * (1 + ceiling):
            break
    if not free:
        best = mixed(relaxation, target, objective, prices / scale)
        if best is not None and objective @ best.amounts <= (1 + GAP) * bound:
            return Answer(True, choice_of(best.widths, best.kernels))
    return Answer(settled=False)


def mixed(relaxation: Relaxation, target: int, objective: np.ndarray, prices: np.ndarray) -> Design | None:
    """A design within the limits at about these prices. Equal layers all change at the same prices, and then too little or too much is taken: so the first layers
    have somewhat higher prices than the others, as few as will do."""
    limits = relaxation.limits(target)
    for spread in SPREADS:
        low, high = objective + (1 - spread) * prices, objective + (1 + spread) * prices
        best = relaxation.best(high, target)
        if best is not None and (best.amounts <= limits).all():
            break
    else:
        return None
    few, many = 0, len(relaxation.ways)
    while many - few > 1:
        middle = (few + many) // 2
        design = relaxation.best(low, target, middle, high)
        if design is not None and (design.amounts <= limits).all():
            many, best = middle, min(best, design, key=lambda design: float(objective @ design.amounts))
        else:
            few = middle
    return best


def dearest(costs: np.ndarray, excess: np.ndarray, most: float) -> tuple[np.ndarray, float]:
    """Prices, that sum up to `most` or less, at which the cheapest of these designs costs most, and what it costs then."""
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("GLOP")
    prices = [solver.NumVar(0, most, "") for _ in range(excess.shape[1])]
    bound = solver.NumVar(-solver.infinity(), solver.infinity(), "")
    solver.Add(sum(prices) <= most)
    for cost, row in zip(costs, excess, strict=True):
        solver.Add(bound <= float(cost) + sum(float(v) * price for v, price in zip(row, prices, strict=True)))
    solver.Maximize(bound)
    solver.Solve()
    return np.array([max(price.solution_value(), 0.0) for price in prices]), bound.solution_value()
