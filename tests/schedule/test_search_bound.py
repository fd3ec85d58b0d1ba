"""What need not be searched: what a search with more of the board has shown, and a network that is
too large by its least layers alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.errors import PlanError
from hlsgen.evidence import Evidence
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined import planner, search
from hlsgen.schedule.pipelined.choices import tensor_classes
from hlsgen.schedule.pipelined.depths import Deepened, deepen
from hlsgen.schedule.pipelined.fifo import MARGIN, depth, pixel_times
from hlsgen.schedule.pipelined.options import OptionCache
from hlsgen.schedule.pipelined.prices import Answer
from hlsgen.schedule.pipelined.problem import build_problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.schedule.pipelined.solver import Outcome
from hlsgen.zoo import network
from tests.support.cases import case


def test_a_bound_saves_targets_and_changes_nothing(monkeypatch):
    graph, target, goal = hlsgen.load_graph(network("lenet5")), board("de5_net"), Goal()
    problem = build_problem(
        graph, target, Plan(graph.name, target.name, "pipelined"), goal, tensor_classes(graph)
    )
    full = search.solve(Relaxation(problem), target, goal)
    assert full.bound == full.cycles  # proven to the last level
    limits = problem.limits[0], int(0.9 * problem.limits[1]), problem.limits[2]
    smaller = replace(problem, limits=limits)
    calls = []
    asked = search.any_design
    monkeypatch.setattr(search, "any_design", lambda *a: calls.append(a[1]) or asked(*a))
    plain = search.solve(Relaxation(smaller), target, goal)
    without = len(calls)
    bounded = search.solve(Relaxation(smaller), target, goal, full.bound)
    assert (bounded.choice, bounded.cycles) == (plain.choice, plain.cycles)
    assert len(calls) - without < without
    assert min(calls[without:]) >= full.bound


def test_a_network_whose_least_layers_are_too_large_is_refused_without_the_solver(monkeypatch):
    graph, target, goal = hlsgen.load_graph(network("lenet5")), board("de5_net"), Goal()
    problem = build_problem(
        graph, target, Plan(graph.name, target.name, "pipelined"), goal, tensor_classes(graph)
    )
    least = problem.least_cost
    monkeypatch.setattr(search, "run", lambda *_, **__: pytest.fail("the solver was asked"))
    limits = problem.limits[0], int(least[1]) - 1, problem.limits[2]
    with pytest.raises(PlanError, match=r"memory blocks; .* may be used"):
        search.solve(Relaxation(replace(problem, limits=limits)), target, goal)


@pytest.mark.parametrize("relaxed", [True, False])
def test_the_lowest_levels_come_first_and_the_fastest_is_found(relaxed, monkeypatch):
    """The relaxation rules out what is below level 100, and knows a design of level 900; the solver
    is asked in between."""
    levels, target, goal = list(range(1000)), board("de5_net"), Goal()
    relaxation = SimpleNamespace(steps=() if relaxed else None)
    design = object()
    monkeypatch.setattr(
        search,
        "any_design",
        lambda _, level: Answer(not 100 <= level < 900, design if level >= 900 else None),
    )
    asked = []

    def anyone(_, level, __):
        asked.append(level)
        return Outcome(design if level >= possible else None)

    monkeypatch.setattr(search, "anyone", anyone)
    for possible in (*range(100, 110), 400, 899, 900):
        asked.clear()
        found, proof, bound = search.fastest(relaxation, levels, target, goal)
        assert (found, proof.proof, bound) == (possible, "optimal", possible)
        if relaxed and possible < 104:
            assert len(asked) <= 5


def test_levels_that_the_solver_cannot_decide_are_halved(monkeypatch):
    """Each of them takes as long as the time limit lets it."""
    levels, target, goal = list(range(1, 1001)), board("de5_net"), Goal()
    design, asked = object(), []
    monkeypatch.setattr(
        search,
        "any_design",
        lambda _, level: Answer(level >= 900, design if level >= 900 else None),
    )

    def anyone(_, level, __):
        asked.append(level)
        return Outcome(design if level >= 300 else None, decided=level >= 300)

    monkeypatch.setattr(search, "anyone", anyone)
    found, proof, bound = search.fastest(SimpleNamespace(steps=()), levels, target, goal)
    assert (found, proof.proof, bound) == (300, "open", 1)
    assert len(asked) <= 12


def test_what_fifos_need_is_no_less_than_what_cannot_deadlock():
    """Evenly fed, the branch beside two convolutions holds less than its FIFO must: room that is
    sought for the FIFOs must hold both."""
    graph = hlsgen.load_graph(case("add_residual"))
    plan = hlsgen.schedule(graph, board="de5_net", style="pipelined")
    times = pixel_times(graph)
    edges = tuple(
        replace(e, depth=depth(e.tensor, e.consumer, e.position, e.width, graph, times))
        for e in plan.edges
    )
    deepened = deepen(graph, replace(plan, edges=edges), board("de5_net"), lambda plan: True)
    assert deepened.complete and max(deepened.least.values()) > MARGIN
    assert {i: edge.depth for i, edge in enumerate(deepened.plan.edges)} == deepened.needed


def test_a_room_for_fifos_that_would_be_too_small_is_not_searched(monkeypatch):
    """3 % of the memory blocks are lacking whatever is kept: with 2 % kept, 3 % would do no
    better."""
    goal, plan, rooms = Goal(), Plan("n", "pac_d5005", "pipelined"), []
    lacks = SimpleNamespace(shares=lambda board: {"memory blocks": goal.caps.blocks + 0.03})
    crowded = Deepened(plan, 1, False, {}, {})

    def searched(graph, board, plan, smaller, cache, bound):
        rooms.append(round(goal.caps.blocks - smaller.caps.blocks, 3))
        return plan, Evidence(), bound

    monkeypatch.setattr(planner, "estimate", lambda *_: SimpleNamespace(resources=lacks))
    monkeypatch.setattr(planner, "search", searched)
    monkeypatch.setattr(planner, "deepen", lambda *_: crowded)
    found, _ = planner.with_room(
        None, board("pac_d5005"), plan, goal, lambda _: True, OptionCache(), crowded, 0
    )
    assert found is None and rooms == [0.02, 0.04, 0.06, 0.1, 0.15, 0.2]
