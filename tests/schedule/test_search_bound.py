"""What need not be searched: what a search with more of the board has shown, and a network that is
too large by its least layers alone."""

from dataclasses import replace

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.errors import PlanError
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined import search
from hlsgen.schedule.pipelined.choices import tensor_classes
from hlsgen.schedule.pipelined.problem import build_problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.zoo import network


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
